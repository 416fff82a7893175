"""
One call to the cloud, and every way to answer it or leave it without an answer.
"""

import asyncio
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web

from worker.simulator.bodies import BodyForm, Said, Voice
from worker.simulator.dialect import RefusalError
from worker.simulator.users import Caller

HANG_CHECK_S = 0.05
CUT_STATUS = 499  # never on the wire: stands for "no answer" in the counts
NOBODY = Caller("", "")


def new_request_id() -> str:
    """
    A request id in the form of the cloud.
    """
    return f"req-{uuid.UUID(bytes=secrets.token_bytes(16), version=4)}"


class Deeds(Protocol):
    """
    What a service does with a call; all may raise `RefusalError`.

    Attributes:
        latency_s: how long a call takes.
    """

    latency_s: float

    def admit(self, call: "Call") -> None:
        """
        Lets a call pass that may be handled at all, before any fault strikes it, and sets its caller.
        """

    def subject(self, call: "Call") -> Mapping[str, object]:
        """
        The attributes by which a fault finds its call.
        """

    def do(self, call: "Call") -> web.Response:
        """
        Does what was asked and answers.
        """


class Maker(Protocol):
    """
    What faults of a create ask for; both may raise `RefusalError`.
    """

    def commit_late(self, call: "Call", after_s: float) -> None:
        """
        Makes the service after so many seconds.
        """

    def commit_half(self, call: "Call", changes: Mapping[str, object]) -> None:
        """
        Makes the service, with these attributes for good.
        """


@dataclass(slots=True)
class Call:
    """
    What is known of a call while it is handled.

    Attributes:
        request: as aiohttp gives it.
        voice: how refusals look.
        kind: create, list, show, delete or other; token for a login.
        service_id: the id in the path, empty for the collection; None if the path is none of the cloud's.
        deeds: the service that was called.
        closing: set when the simulator stops.
        maker: makes services late or badly; only creates have one.
        caller: on whose behalf it is made, once `Deeds.admit` has looked.
        body: what was received.
        request_id: in the headers of the answer, whatever it is.
    """

    request: web.Request
    voice: Voice
    kind: str
    service_id: str | None
    deeds: Deeds
    closing: asyncio.Event
    maker: Maker | None = None
    caller: Caller = NOBODY
    body: bytes = b""
    request_id: str = field(default_factory=new_request_id)

    def send(
        self,
        status: int,
        body: bytes,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> web.Response:
        """
        An answer with the headers every answer has.
        """
        ids = dict.fromkeys(self.voice.request_id_headers, self.request_id)
        charset = {"Content-Type": f"{content_type}; charset=UTF-8"} if body else {}
        return web.Response(status=status, body=body, headers=ids | charset | dict(headers or {}))

    def refuse(
        self,
        kind: str,
        details: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> web.Response:
        """
        The service's answer for a kind of refusal.
        """
        form = self.voice.errors[kind]
        said = Said(form.status, form.code, form.message.format(**(details or {})), self.request_id)
        origin = str(self.request.url.origin()) if form.headers else ""
        own = {name: text.format(origin=origin) for name, text in form.headers.items()}
        return self.say(form.body, said, own | dict(headers or {}))

    def say(self, form: BodyForm, said: Said, headers: Mapping[str, str] | None = None) -> web.Response:
        """
        An error in any form of body.
        """
        return self.send(said.status, form.write(said), form.content_type, headers)

    def proceed(self) -> web.Response:
        """
        Does what was asked; a refusal is an answer too.
        """
        try:
            return self.deeds.do(self)
        except RefusalError as refusal:
            return self.refuse(refusal.kind, refusal.details, refusal.headers)

    def cut(self) -> web.Response:
        """
        Closes the connection without an answer; what it returns never reaches the client.
        """
        if self.request.transport is not None:
            self.request.transport.close()
        return web.Response(status=CUT_STATUS)

    async def send_half(self, whole: web.Response) -> web.StreamResponse:
        """
        The answer announced in full and broken off in its middle.
        """
        body = whole.body if isinstance(whole.body, bytes) else b""
        half = web.StreamResponse(status=whole.status, headers=whole.headers)
        half.content_length = len(body)
        await half.prepare(self.request)
        await half.write(body[: len(body) // 2])
        self.cut()
        return half

    async def wait(self, delay_s: float) -> None:
        """
        Waits, also when the client has left: a real cloud goes on with what it was sent.
        """
        if delay_s > 0:
            try:
                await asyncio.wait_for(self.closing.wait(), delay_s)
            except TimeoutError:
                return

    async def hang(self, delay_s: float) -> None:
        """
        Waits until the client leaves, the simulator stops or the time is over.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + delay_s
        # aiohttp tells a handler that its client left only by cancelling it, which would undo `wait`; so we look.
        while not self._is_left() and loop.time() < until and not self.closing.is_set():
            await self.wait(min(HANG_CHECK_S, until - loop.time()))

    def _is_left(self) -> bool:
        return self.request.transport is None or self.request.transport.is_closing()
