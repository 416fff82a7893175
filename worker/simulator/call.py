"""
One call to the cloud, and every way to answer it or leave it without an answer.
"""

import asyncio
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import orjson
from aiohttp import web

from worker.simulator.dialect import Dialect, RefusalError

HANG_CHECK_S = 0.05
CUT_STATUS = 499  # never on the wire: stands for "no answer" in the counts


def new_request_id() -> str:
    """
    A request id in the form of the cloud.
    """
    return f"req-{uuid.UUID(bytes=secrets.token_bytes(16), version=4)}"


@dataclass(slots=True)
class Call:
    """
    What is known of a call while it is handled.

    Attributes:
        request: as aiohttp gives it.
        dialect: how refusals look.
        kind: create, list, show, delete or other.
        service_id: the id in the path, empty for the collection; None if the path is none of the cloud's.
        do: does what was asked and answers; may raise `RefusalError`.
        commit_late: has it done after so many seconds; may raise `RefusalError`.
        closing: set when the simulator stops.
        body: what was received.
        request_id: in the headers of the answer, whatever it is.
    """

    request: web.Request
    dialect: Dialect
    kind: str
    service_id: str | None
    do: Callable[["Call"], web.Response]
    commit_late: Callable[["Call", float], None]
    closing: asyncio.Event
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
        ids = {"X-Request-Id": self.request_id, "X-Openstack-Request-Id": self.request_id}
        charset = {"Content-Type": f"{content_type}; charset=UTF-8"} if body else {}
        return web.Response(status=status, body=body, headers=ids | charset | dict(headers or {}))

    def refuse(
        self,
        kind: str,
        details: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> web.Response:
        """
        The dialect's answer for a kind of refusal.
        """
        form = self.dialect.errors[kind]
        body = form.body(form.code, form.message.format(**(details or {})), self.request_id)
        return self.send(form.status, orjson.dumps(body), headers=headers)

    def proceed(self) -> web.Response:
        """
        Does what was asked; a refusal is an answer too.
        """
        try:
            return self.do(self)
        except RefusalError as refusal:
            return self.refuse(refusal.kind, refusal.details)

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
