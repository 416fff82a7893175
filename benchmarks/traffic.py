"""
Customers: each publishes a request, waits for its outcome, and publishes the next.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from messages.envelope import Envelope, encode_request
from messages.events import OUTCOMES, VpnServiceCreated, VpnServiceEvent, decode_event
from worker.broker.sender import RequestSender, open_sender
from worker.broker.tap import Tap, open_tap
from worker.errors import SandboxError

if TYPE_CHECKING:
    from benchmarks.stage import Stage

_SOURCE = "/benchmarks"
_PATIENCE_S = 90.0


@dataclass(frozen=True, slots=True)
class Told:
    """
    A request and its first outcome; moments by the loop's clock.

    Attributes:
        sent_at_s: when it was handed to the broker.
        told_at_s: when its outcome arrived here.
        is_created: whether that was a service.
    """

    sent_at_s: float
    told_at_s: float
    is_created: bool

    @property
    def took_s(self) -> float:
        """
        From publishing to the outcome.
        """
        return self.told_at_s - self.sent_at_s


class Traffic:
    """
    Publishes requests and follows their events.

    Attributes:
        told: the requests whose outcome is known, in that order.
        copies: further outcomes of the same requests; none in fair weather.
    """

    def __init__(self, sender: RequestSender, tap: Tap) -> None:
        self.told: list[Told] = []
        self.copies = 0
        self._sender = sender
        self._tap = tap
        self._is_over = False
        self._open: dict[str, asyncio.Future[VpnServiceEvent]] = {}

    async def run(self, customers: int, orders: Iterator[tuple[str, Envelope]]) -> None:
        """
        Returns when all orders are published and told.

        Args:
            customers: requests on their way at once.
            orders: ids and messages; taken one by one.

        Raises:
            SandboxError: an outcome is missing after a while.
            BrokerUnreachable: the broker went.
        """
        try:
            async with asyncio.TaskGroup() as group:
                following = group.create_task(self._follow())
                await asyncio.wait([group.create_task(self._serve(orders)) for _ in range(customers)])
                following.cancel()
        except ExceptionGroup as several:
            raise several.exceptions[0] from several
        finally:
            self._is_over = True

    async def _serve(self, orders: Iterator[tuple[str, Envelope]]) -> None:
        loop = asyncio.get_running_loop()
        for request_id, envelope in orders:
            sent_at_s, outcome = loop.time(), loop.create_future()
            self._open[request_id] = outcome
            await self._sender.send(envelope)
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    event = await outcome
            except TimeoutError as exc:
                raise SandboxError(f"Request {request_id} has no outcome after {_PATIENCE_S:g} s.") from exc
            self.told.append(Told(sent_at_s, loop.time(), isinstance(event, VpnServiceCreated)))
            if self._is_over:  # on Python 3.11 a library's `wait_for` may swallow a cancellation
                return

    async def _follow(self) -> None:
        while True:
            event = decode_event(await self._tap.next())
            if not isinstance(event, OUTCOMES):
                continue
            outcome = self._open.get(event.request_id or "")
            if outcome is None or outcome.done():
                self.copies += 1
            else:
                outcome.set_result(event)


@asynccontextmanager
async def open_traffic(stage: Stage) -> AsyncIterator[Traffic]:
    """
    Ready to publish and to follow.

    Raises:
        BrokerRefused, BrokerUnreachable: the broker cannot be reached.
    """
    async with open_tap(stage.amqp_url, stage.routes) as tap, open_sender(stage.amqp_url, stage.routes) as sender:
        yield Traffic(sender, tap)


def orders(follow: str | None = None) -> Iterator[tuple[str, Envelope]]:
    """
    Requests without end, each for a router of its own.

    Args:
        follow: how far their services are to be followed; None leaves it to the worker.
    """
    extensions = None if follow is None else {"follow": follow}
    while True:
        request_id = str(uuid.uuid4())
        body = {"vpnservice": {"router_id": str(uuid.uuid4()), "name": "fair-weather", "admin_state_up": True}}
        yield request_id, encode_request(body, id=request_id, source=_SOURCE, extensions=extensions)


def share_at(times_s: Sequence[float], share: float) -> float:
    """
    The time within which that share of them lies; 0 for none.
    """
    ordered = sorted(times_s)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
