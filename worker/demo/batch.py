"""
Runs the demonstration: publishes the orders, follows their events, counts what the cloud really holds.
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from messages.events import OUTCOMES, VpnServiceEvent, decode_event
from messages.routes import Routes
from worker.broker.sender import open_sender
from worker.broker.tap import Tap, open_tap
from worker.demo.orders import DemoOrder, request_id
from worker.demo.stage import Stage
from worker.errors import SandboxError
from worker.sandbox.processes import tail

_PATIENCE_S = 40.0
_WORDS = {
    "vpn.vpnservice.created.v1": "created",
    "vpn.vpnservice.create-failed.v1": "failed",
    "vpn.vpnservice.create-rejected.v1": "rejected",
    "vpn.vpnservice.create-in-doubt.v1": "in doubt",
}


@dataclass(slots=True)
class Progress:
    """
    How far one order is.

    Attributes:
        order: which.
        sent_at: when it was published, on the monotonic clock; None before.
        took_s: from published to outcome.
        outcome: the event that told it, or None.
        event_id: its `ce-id`.
        is_repeat: an earlier order was told by the same event.
    """

    order: DemoOrder
    sent_at: float | None = None
    took_s: float | None = None
    outcome: VpnServiceEvent | None = None
    event_id: str = ""
    is_repeat: bool = False

    @property
    def word(self) -> str:
        """
        The state in a word: planned, sent, created, failed, rejected or in doubt.
        """
        if self.outcome is not None:
            return _WORDS[self.outcome.type]
        return "planned" if self.sent_at is None else "sent"


@dataclass(slots=True)
class Demonstration:
    """
    The whole batch.

    Attributes:
        rows: one an order, in order of publishing.
        changed: called after every change.
        services: how many services the simulated cloud holds, counted at the end.
        posts: how many create calls it got.
    """

    rows: list[Progress]
    changed: Callable[[], None]
    services: int = 0
    posts: int = 0
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def created(self) -> int:
        """
        Different services that were told as created.
        """
        return len({row.outcome.service_id for row in self.rows if row.word == "created" and row.outcome})

    @property
    def is_as_expected(self) -> bool:
        """
        Whether every order met its fate and the cloud holds just what was told.
        """
        return all(row.word == row.order.expected for row in self.rows) and self.services == self.created

    async def run(self, stage: Stage) -> None:
        """
        Publishes the orders and waits for their outcomes.

        Raises:
            SandboxError: outcomes are missing after a while; with the end of the worker's log.
            VpnWorkerError: the broker went.
        """
        routes = Routes(stage.prefix)
        async with (
            open_tap(stage.amqp_url, routes) as tap,
            open_sender(stage.amqp_url, routes) as sender,
            asyncio.timeout(_PATIENCE_S) as patience,
        ):
            following = asyncio.create_task(self._follow(tap))
            try:
                for row in self.rows:
                    if row.order.waits:
                        await self._until_told()
                    if row.order.fault is not None:
                        await asyncio.to_thread(control, stage.api_url, "faults", row.order.fault)
                    row.sent_at = time.monotonic()
                    await sender.send(row.order.envelope)
                    self.changed()
                await self._until_told()
            except TimeoutError:
                pass
            finally:
                following.cancel()
        if patience.expired():
            raise SandboxError(f"Some orders have no outcome after {_PATIENCE_S:g} s:\n{tail(stage.worker.log_file)}")
        state = await asyncio.to_thread(control, stage.api_url, "state")
        self.services, self.posts = len(state["services"]), state["calls"]["create"]

    async def _until_told(self) -> None:
        while any(row.sent_at is not None and row.outcome is None for row in self.rows):
            self._arrived.clear()
            await self._arrived.wait()

    async def _follow(self, tap: Tap) -> None:
        while True:
            envelope = await tap.next()
            event = decode_event(envelope)
            row = _first_open(self.rows, event.request_id)
            if row is None or row.sent_at is None or not isinstance(event, OUTCOMES):
                continue
            row.outcome, row.took_s = event, time.monotonic() - row.sent_at
            event_id = str(envelope.headers["ce-id"])
            row.is_repeat = any(other.event_id == event_id for other in self.rows)
            row.event_id = event_id
            self._arrived.set()
            self.changed()


def _first_open(rows: Sequence[Progress], told_id: str | None) -> Progress | None:
    for row in rows:
        if row.outcome is None and row.sent_at is not None and request_id(row.order) == told_id:
            return row
    return None


def control(api_url: str, what: str, body: dict[str, object] | None = None) -> dict[str, Any]:
    """
    What the simulated cloud's control API answers: GET without a body, POST with one.
    """
    request = urllib.request.Request(  # noqa: S310 - our own simulator, on loopback
        f"{api_url}/_simulator/{what}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        read: dict[str, Any] = json.load(answer)
    return read
