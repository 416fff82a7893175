"""
Workers made of the real parts, which can die at any call: intake, engine, gate, watchman, ledger, client and teller
against the simulator over HTTP. Only the broker is a stand-in, and time.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from tests.clients import ANYBODY, open_client
from tests.small_broker import SmallBroker
from tests.virtual_time import VirtualLoop
from worker.core.policy import Policy
from worker.engine import Engine, Ports
from worker.errors import LedgerError
from worker.gate import Gate
from worker.intake import Desk, Intake
from worker.ledger.sqlite import SqliteLedger
from worker.ports import Cloud, Delivery, Follows, Ledger, Publisher
from worker.simulator import Simulator, SimulatorConfig, start_simulator
from worker.teller import Teller
from worker.watchman import Watchman

EPOCH = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LEASE_S = 120.0
API_TIMEOUT_S = 30.0
PREFETCH = 4
#: How long each call to the ledger or the broker takes, so that there is a moment in which to die.
CALL_S = 0.01
GRACE_S = 40.0


class VirtualClock:
    """
    The loop's time as a date, and seeded luck.
    """

    def __init__(self, loop: VirtualLoop, seed: str) -> None:
        self._loop = loop
        self._random = random.Random(seed)

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self._loop.time())

    def roll(self) -> float:
        return self._random.random()


@dataclass(slots=True)
class Life:
    """
    Whether a worker lives, and for how many more calls.

    Attributes:
        end: kills it.
        calls_left: dies at that call; None for never.
        refusals: calls to the ledger that it refuses from now on.
    """

    end: Callable[[], None]
    is_over: bool = False
    calls_left: int | None = None
    refusals: int = 0

    async def step(self) -> None:
        """
        A moment in which to die. Who is dead gets no further.
        """
        if self.calls_left is not None:
            self.calls_left -= 1
            if self.calls_left <= 0:
                self.end()
        self.check()
        await asyncio.sleep(CALL_S)
        self.check()

    def check(self) -> None:
        if self.is_over:
            raise asyncio.CancelledError


class Mortal:
    """
    A port of a worker that may die before and after each call, whatever its code would still do on its way out.
    """

    def __init__(self, port: object, life: Life, loop: VirtualLoop, *, is_ledger: bool = False) -> None:
        self._port = port
        self._life = life
        self._loop = loop
        self._is_ledger = is_ledger

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, name)

        async def call(*args: Any) -> Any:
            await self._life.step()
            result = await (self._asked(method, *args) if self._is_ledger else method(*args))
            await self._life.step()
            return result

        return call

    async def _asked(self, method: Callable[..., Any], *args: Any) -> Any:
        if self._life.refusals > 0:
            self._life.refusals -= 1
            raise LedgerError("The disk is full.")
        with self._loop.held():
            return await method(*args)


@dataclass(eq=False, slots=True)
class World:
    """
    The cloud, the broker and the ledger that all workers share.

    Attributes:
        folder: for the ledgers.
        generation: which ledger is in use; a new one is empty.
    """

    loop: VirtualLoop
    folder: Path
    policy: Policy
    simulator: Simulator
    broker: SmallBroker
    seed: int
    generation: int = 0
    workers: list[SmallWorker] = field(default_factory=list)
    _started: int = 0

    @classmethod
    async def made(cls, loop: VirtualLoop, folder: Path, policy: Policy, seed: int, **cloud: Any) -> World:
        """
        A world with one worker.
        """
        config = SimulatorConfig(clock=lambda: EPOCH.timestamp() + loop.time(), latency_ms=50, seed=seed, **cloud)
        world = cls(loop, folder, policy, await start_simulator(config), SmallBroker(), seed)
        await world.start_worker()
        return world

    @property
    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.loop.time())

    @property
    def ledger_path(self) -> Path:
        return self.folder / f"ledger-{self.generation}.sqlite3"

    async def start_worker(self) -> SmallWorker:
        """
        One more worker on the shared ledger.
        """
        self._started += 1
        worker = SmallWorker(self, f"worker-{self._started}")
        await worker.start()
        self.workers.append(worker)
        self.broker.join(worker)
        return worker

    async def kill(self, worker: SmallWorker) -> None:
        """
        Ends a worker at once and frees what it leaves behind.
        """
        worker.die()
        self.workers.remove(worker)
        await worker.close()

    async def kill_all(self) -> None:
        """
        Ends every worker at once.
        """
        for worker in list(self.workers):
            await self.kill(worker)

    async def lose_ledger(self) -> None:
        """
        Every worker is dead, and the next one begins with an empty ledger.
        """
        await self.kill_all()
        self.generation += 1

    async def close(self) -> None:
        """
        Ends all that runs.
        """
        await self.kill_all()
        await self.simulator.close()


class SmallWorker:
    """
    One worker process: everything in it but the broker room, composed as `worker.app` does.
    """

    def __init__(self, world: World, owner: str) -> None:
        self._world = world
        self._owner = owner
        self.life = Life(self.die)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_taking = True
        self._gate = Gate(world.policy)
        self._opened = AsyncExitStack()

    async def start(self) -> None:
        world, loop, life = self._world, self._world.loop, self.life
        clock = VirtualClock(loop, f"{world.seed}/{self._owner}")
        self._ledger = SqliteLedger(world.ledger_path, self._owner, LEASE_S)
        with loop.held():
            await self._ledger.start()
        client = open_client(world.simulator.url, total_timeout_s=API_TIMEOUT_S)
        self._client = await self._opened.enter_async_context(client)
        ledger = cast("Ledger", Mortal(self._ledger, life, loop, is_ledger=True))
        follows = cast("Follows", Mortal(self._ledger.follows, life, loop, is_ledger=True))
        cloud = cast("Cloud", Mortal(self._client, life, loop))
        publisher = cast("Publisher", Mortal(world.broker, life, loop))
        teller = Teller(publisher, world.broker, clock, "/test")
        engine = Engine(Ports(ledger, follows, cloud, teller, clock, self._gate), world.policy)
        self._intake = Intake(Desk(ledger, engine, teller, clock, self._gate, ANYBODY), world.policy)
        self._watching = asyncio.create_task(Watchman(self._gate, self._client, self, clock, world.policy).run())

    @property
    def has_room(self) -> bool:
        held = sum(holder is self for _, holder in self._world.broker.unacked.values())
        return self._is_taking and not self.life.is_over and held < PREFETCH

    def receive(self, delivery: Delivery) -> None:
        """
        Runs a delivery in a task of its own.
        """
        self._start(self._process(delivery))

    async def pause(self) -> None:
        """
        See Taking.
        """
        self._is_taking = False

    async def resume(self) -> None:
        """
        See Taking.
        """
        self._is_taking = True
        self._world.broker.pump()

    async def _process(self, delivery: Delivery) -> None:
        verdict = await self._intake.handle(delivery)
        await self.life.step()
        self._world.broker.settle(delivery, verdict)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def die(self) -> None:
        """
        Ends everything at once, as SIGKILL does: nothing is written, told or settled any more.
        """
        if self.life.is_over:
            return
        self.life.is_over = True
        for task in (self._watching, *self._tasks):
            task.cancel()
        self._world.broker.leave(self)

    async def lose_connection(self) -> None:
        """
        The broker takes everything back and delivers it anew, perhaps to us; the work goes on.
        """
        self._world.broker.leave(self)
        self._world.broker.join(self)

    async def stop(self) -> None:
        """
        Drains, as SIGTERM makes it: what is under way may end, the rest is left to the broker.
        """
        self._is_taking = False
        self._gate.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=GRACE_S)
        self.die()

    async def close(self) -> None:
        """
        Frees connections and files; the worker is dead.
        """
        await asyncio.gather(self._watching, *self._tasks, return_exceptions=True)
        await self._opened.aclose()
        with self._world.loop.held():
            await self._ledger.close()
