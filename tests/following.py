"""
Followers made of the real parts, in virtual time: ledger, client and simulated cloud over HTTP. Only the broker is a
stand-in.
"""

from __future__ import annotations

import asyncio
import random
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
from worker.core.answers import Busy, Listed, Misconfigured, Service, Throttled, Trouble
from worker.core.following import Follow, FollowPolicy, Target
from worker.core.job import RequestKey
from worker.follower import Follower, FollowerPorts
from worker.gate import Gate
from worker.ledger.sqlite import SqliteLedger
from worker.pace import Pace
from worker.ports import Follows, Page, PageAnswer, Published
from worker.simulator import Simulator, SimulatorConfig, start_simulator
from worker.teller import Teller

EPOCH = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LEASE_S = 60.0
PENDING = "PENDING_CREATE"

Shown = Service | Listed | Busy | Throttled | Misconfigured


class LoopClock:
    """
    The loop's time as a date, and no luck but that of a seed.
    """

    def __init__(self, loop: VirtualLoop, seed: int | None = None) -> None:
        self._loop = loop
        self._random = None if seed is None else random.Random(seed)
        self.ahead_s = 0.0

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self._loop.time() + self.ahead_s)

    def roll(self) -> float:
        return 0.0 if self._random is None else self._random.random()


class Held:
    """
    A port whose calls stop the time while a thread works for it; `before` is awaited before each, `after` after it.
    """

    def __init__(self, port: object, loop: VirtualLoop) -> None:
        self._port = port
        self._loop = loop
        self.before: Callable[[str], Awaitable[None]] | None = None
        self.after: Callable[[str], Awaitable[None]] | None = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, name)

        async def call(*args: Any, **options: Any) -> Any:
            if self.before is not None:
                await self.before(name)
            with self._loop.held():
                result = await method(*args, **options)
            if self.after is not None:
                await self.after(name)
            return result

        return call


@dataclass
class Exchange:
    """
    Keeps the events that are published, in their order; while `is_deaf`, confirms nothing and keeps nothing. Nor does it
    ever for the routing keys that it `refuses`.
    """

    messages: list[Envelope] = field(default_factory=list)
    is_deaf: bool = False
    refuses: frozenset[str] = frozenset()

    async def publish_event(self, event: Envelope, routing_key: str) -> Published:
        if self.is_deaf or routing_key in self.refuses:
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

    async def follower(self, *, seed: int | None = None, **changes: Any) -> Made:
        """
        A follower of its own worker on the shared ledger; `seed` is its luck.
        """
        self._number += 1
        follows, held = await self._open_follows(f"worker-{self._number}")
        client = await self._stack.enter_async_context(open_client(self.cloud.url))
        clock, gate = LoopClock(self.loop, seed), Gate(pace=Pace(100, is_adaptive=False))
        teller = Teller(self.exchange, self.exchange, clock, "/test")
        ports = FollowerPorts(follows, client, teller, clock, gate, Pace(2, is_adaptive=False))
        made = replace(ports, **changes)
        return Made(Follower(made, self.policy, LEASE_S), held, made.gate, clock)

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

    def freeze(self, duration_s: float) -> None:
        """
        As SIGSTOP does: its next call to the ledger, whichever, begins when that time is over.
        """
        thawed = asyncio.Event()
        asyncio.get_running_loop().call_later(duration_s, thawed.set)

        async def wait(name: str) -> None:
            del name
            await thawed.wait()

        self.held.before = wait


async def died_at(made: Made, call: str) -> None:
    """
    Runs a follower until it dies before that call to the ledger: nothing of it is heard any more.
    """
    dead = asyncio.Event()

    async def die(name: str) -> None:
        if name == call or dead.is_set():
            dead.set()
            await asyncio.Event().wait()

    made.held.before = die
    with made.running():
        await dead.wait()


def empty_page(tenant_id: str | None, after: str | None) -> PageAnswer:
    """
    A list without services.
    """
    del tenant_id, after
    return Page(())


def nowhere(service_id: str) -> Shown:
    """
    No service by that id.
    """
    del service_id
    return Listed(())


def is_in(status: str) -> Callable[[str], Service]:
    """
    Every service in that status.
    """
    return lambda service_id: Service(service_id, status, {"id": service_id})


def broken(words: str = "500") -> Busy:
    """
    What a cloud in trouble answers.
    """
    return Busy(Trouble("look_failed", words, 500))


class OddCloud:
    """
    A cloud that answers as two functions say, and keeps what it was asked.

    Attributes:
        page, show_one: the functions.
        call_s: how long each answer is on its way.
        pages: tenant and place of each page that was asked for.
        shown: ids of the services that were asked for one by one.
    """

    def __init__(
        self,
        page: Callable[[str | None, str | None], PageAnswer] = empty_page,
        show: Callable[[str], Shown] = nowhere,
        call_s: float = 0.0,
    ) -> None:
        self.page, self.show_one, self.call_s = page, show, call_s
        self.pages: list[tuple[str | None, str | None]] = []
        self.shown: list[str] = []

    async def list_page(self, tenant_id: str | None, after: str | None = None) -> PageAnswer:
        self.pages.append((tenant_id, after))
        answer = self.page(tenant_id, after)
        await asyncio.sleep(self.call_s)
        return answer

    async def show(self, service_id: str, tenant_id: str | None) -> Shown:
        del tenant_id
        self.shown.append(service_id)
        answer = self.show_one(service_id)
        await asyncio.sleep(self.call_s)
        return answer


def page_a_service(statuses: dict[str, str]) -> Callable[[str | None, str | None], PageAnswer]:
    """
    Lists each service on a page of its own.
    """
    services = [is_in(status)(service_id) for service_id, status in statuses.items()]

    def page(tenant_id: str | None, after: str | None) -> PageAnswer:
        del tenant_id
        place = int(after or 0)
        return Page((services[place],), str(place + 1) if place + 1 < len(services) else None)

    return page


def calls(world: FollowWorld) -> dict[str, int]:
    """
    What the simulated cloud was asked.
    """
    return {name: count for name, count in world.cloud.state.calls.items() if count}


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
