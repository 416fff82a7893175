"""
Followers made of the real parts, in virtual time: ledger, client and simulated cloud over HTTP. Only the broker is a
stand-in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from messages.envelope import Envelope
from messages.events import VpnServiceStatusChanged, decode_event
from tests.clients import open_client
from tests.virtual_time import VirtualLoop
from worker.core.following import Follow, FollowPolicy, Target
from worker.core.job import RequestKey
from worker.follower import Follower, FollowerPorts
from worker.gate import Gate
from worker.ledger.sqlite import SqliteLedger
from worker.pace import Pace
from worker.ports import Follows, Published
from worker.simulator import Simulator, SimulatorConfig, start_simulator
from worker.teller import Teller

EPOCH = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LEASE_S = 60.0


class LoopClock:
    """
    The loop's time as a date, and no luck.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.ahead_s = 0.0

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self._loop.time() + self.ahead_s)

    def roll(self) -> float:
        return 0.0


class Held:
    """
    A port whose calls stop the time while a thread works for it; `before` is awaited before each.
    """

    def __init__(self, port: object, loop: VirtualLoop) -> None:
        self._port = port
        self._loop = loop
        self.before: Callable[[str], Awaitable[None]] | None = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, name)

        async def call(*args: Any, **options: Any) -> Any:
            if self.before is not None:
                await self.before(name)
            with self._loop.held():
                return await method(*args, **options)

        return call


@dataclass
class Exchange:
    """
    Keeps the events that are published, in their order; while `is_deaf`, confirms nothing and keeps nothing.
    """

    messages: list[Envelope] = field(default_factory=list)
    is_deaf: bool = False

    async def publish_event(self, event: Envelope, routing_key: str) -> Published:
        del routing_key
        if self.is_deaf:
            await asyncio.sleep(10)
            return Published.LOST
        self.messages.append(event)
        return Published.ACKED

    async def reply(self, event: Envelope, reply_to: str) -> Published:
        raise NotImplementedError

    def told(self) -> dict[str, VpnServiceStatusChanged]:
        """
        The events by their ids, each once; a repeat must say the same.
        """
        events: dict[str, VpnServiceStatusChanged] = {}
        for message in self.messages:
            event = decode_event(message)
            assert isinstance(event, VpnServiceStatusChanged)
            known = events.setdefault(str(message.headers["ce-id"]), event)
            assert (known.status, known.previous_status) == (event.status, event.previous_status)
        return events

    def by_request(self) -> dict[str, list[tuple[str | None, str | None, bool]]]:
        """
        What was told of each request: status, the status before, whether it was the last; each event once.
        """
        found: dict[str, list[tuple[str | None, str | None, bool]]] = {}
        for event in self.told().values():
            found.setdefault(event.request_id or "", []).append((event.status, event.previous_status, event.is_final))
        return found

    def of(self, request_id: str) -> list[tuple[str | None, str | None, bool]]:
        """
        What was told of one request.
        """
        return self.by_request().get(request_id, [])


class FollowWorld:
    """
    A cloud, a ledger and an exchange that followers share.

    Attributes:
        cloud: the simulated cloud.
        exchange: where events go.
        follows: what is followed, for the test's own questions.
    """

    def __init__(self, loop: VirtualLoop, folder: Path, policy: FollowPolicy, stack: AsyncExitStack) -> None:
        self.loop = loop
        self.policy = policy
        self.exchange = Exchange()
        self._folder = folder
        self._stack = stack
        self._number = 0

    async def open(self, **cloud: Any) -> None:
        """
        Starts the cloud.
        """
        config = SimulatorConfig(clock=lambda: EPOCH.timestamp() + self.loop.time(), services_per_vpc=0, **cloud)
        self.cloud: Simulator = await start_simulator(config)
        self._stack.push_async_callback(self.cloud.close)
        self.follows, _ = await self._open_follows("test")

    @property
    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.loop.time())

    async def follower(self, **changes: Any) -> Made:
        """
        A follower of its own worker on the shared ledger.
        """
        self._number += 1
        follows, held = await self._open_follows(f"worker-{self._number}")
        client = await self._stack.enter_async_context(open_client(self.cloud.url))
        clock, gate = LoopClock(self.loop), Gate(pace=Pace(100, is_adaptive=False))
        teller = Teller(self.exchange, self.exchange, clock, "/test")
        ports = FollowerPorts(follows, client, teller, clock, gate, Pace(1, is_adaptive=False))
        made = replace(ports, **changes)
        return Made(Follower(made, self.policy, LEASE_S), held, gate, clock)

    async def follow(self, count: int = 1, target: Target = Target.SETTLED, tenant_id: str | None = None) -> list[str]:
        """
        Makes services at the cloud and has them followed; their ids. The request of service `s` has the id `s`.
        """
        follows = []
        for _ in range(count):
            attributes = {"router_id": f"router-{self._number}"} | ({"tenant_id": tenant_id} if tenant_id else {})
            service = self.cloud.state.create(attributes, tenant_id)
            follow = Follow(
                RequestKey("/shop", service.id),
                "d",
                tenant_id,
                service.id,
                target,
                service.status,
                begun_at=self.now,
                changed_at=self.now,
                deadline_at=self.now + timedelta(seconds=self.policy.deadline_s),
            )
            follows.append(follow)
        await asyncio.gather(*(self.follows.begin(follow) for follow in follows))
        return [follow.service_id for follow in follows]

    async def _open_follows(self, owner: str) -> tuple[Follows, Held]:
        ledger = SqliteLedger(self._folder / "ledger.sqlite3", owner, LEASE_S)
        with self.loop.held():
            await ledger.start()
        self._stack.push_async_callback(self._closed, ledger)
        held = Held(ledger.follows, self.loop)
        return cast("Follows", held), held

    async def _closed(self, ledger: SqliteLedger) -> None:
        with self.loop.held():
            await ledger.close()


@dataclass
class Made:
    """
    A follower and what it stands on.
    """

    follower: Follower
    held: Held
    gate: Gate
    clock: LoopClock

    @contextmanager
    def running(self) -> Iterator[asyncio.Task[None]]:
        """
        Runs until leaving.
        """
        task = asyncio.create_task(self.follower.run())
        try:
            yield task
        finally:
            task.cancel()


def in_follow_world(
    folder: Path, play: Callable[[FollowWorld], Awaitable[None]], policy: FollowPolicy | None = None, **cloud: Any
) -> None:
    """
    Plays in virtual time, in a world of its own.
    """
    loop = VirtualLoop()

    async def run() -> None:
        async with AsyncExitStack() as stack:
            world = FollowWorld(loop, folder, policy or FollowPolicy(), stack)
            await world.open(**cloud)
            await play(world)

    try:
        loop.run_until_complete(run())
    finally:
        loop.finish()
