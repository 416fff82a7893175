"""
The weather: carries the blows of a plan out, each at its moment.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from tests.chaos.plan import Blow, Kind
from worker.errors import SandboxError

if TYPE_CHECKING:
    from tests.chaos.relay import Relay
    from tests.chaos.world import World

_LOW_WATERMARK, _USUAL_WATERMARK = "0.000001", "0.4"
#: How long to wait for a worker that is just being started, so that no kill of the plan is skipped.
_VICTIM_S = 30.0
_VICTIM_POLL_S = 0.05
_DOWN_S = 0.5

_THROTTLE: Mapping[str, object] = {"fault": "throttle", "on": "any", "times": None, "retry_after": 1}
_LOGIN: Mapping[str, object] = {
    "fault": "answer",
    "on": "any",
    "times": None,
    "status": 401,
    "body": {"error_code": "APIG.0301", "error_msg": "Incorrect IAM authentication information.", "request_id": "-"},
}
_OUTAGE: Mapping[str, object] = {"fault": "error_503", "on": "any", "times": None}


class Weather:
    """
    Strikes the world. Blows at the same victim wait for each other; others fall together.

    Attributes:
        done: how often each kind has struck.
    """

    def __init__(self, world: World) -> None:
        self.done: Counter[Kind] = Counter()
        self._world = world
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        relays = {Kind.BROKER_CUT: world.broker_relay, Kind.API_CUT: world.cloud_relay}
        relays |= {} if world.database_relay is None else {Kind.DATABASE_CUT: world.database_relay}
        self._acts: dict[Kind, tuple[str, Callable[[Blow], Awaitable[None]]]] = {
            Kind.WORKER_KILL: ("worker", self._kill_worker),
            Kind.WORKER_FREEZE: ("worker", self._freeze_worker),
            Kind.BROKER_KILL: ("broker", self._kill_broker),
            Kind.BROKER_FREEZE: ("broker", self._freeze_broker),
            Kind.BROKER_STALL: ("broker", self._stall_broker),
            Kind.MEMORY_ALARM: ("broker", self._alarm),
            Kind.DATABASE_KILL: ("database", self._kill_database),
            Kind.DATABASE_RESTART: ("database", self._restart_database),
            Kind.API_REFUSES: ("api", self._refuse_api),
            Kind.API_FREEZE: ("api", self._freeze_api),
            Kind.THROTTLE: ("throttle", partial(self._answer_all, _THROTTLE)),
            Kind.LOGIN: ("login", partial(self._answer_all, _LOGIN)),
            Kind.OUTAGE: ("outage", partial(self._answer_all, _OUTAGE)),
            **{kind: (kind.value, partial(_cut, relay)) for kind, relay in relays.items()},
            Kind.BROKER_CUT_HALF: ("half", self._cut_half),
        }

    async def run(self, blows: tuple[Blow, ...], started_s: float) -> None:
        """
        Returns when the last blow is over; `started_s` is the run's start by the event loop's clock.
        """
        async with asyncio.TaskGroup() as group:
            for blow in blows:
                group.create_task(self._strike(blow, started_s))

    async def _strike(self, blow: Blow, started_s: float) -> None:
        await asyncio.sleep(started_s + blow.at_s - asyncio.get_running_loop().time())
        victim, act = self._acts[blow.kind]
        async with self._locks[f"{victim} {blow.worker}" if victim == "worker" else victim]:
            began_s = time.time()
            await act(blow)
            self.done[blow.kind] += 1
            self._note(blow, began_s)

    def _note(self, blow: Blow, began_s: float) -> None:
        victim = f" worker {blow.worker}" if blow.kind in {Kind.WORKER_KILL, Kind.WORKER_FREEZE} else ""
        with (self._world.folder / "weather.log").open("a", encoding="utf-8") as log:
            log.write(f"{began_s:.3f} to {time.time():.3f} {blow.kind.value}{victim} (planned at {blow.at_s:.2f} s)\n")

    async def _kill_worker(self, blow: Blow) -> None:
        end = time.monotonic() + _VICTIM_S
        while not await self._world.crew.kill(blow.worker):
            if time.monotonic() > end:
                raise SandboxError(f"Worker {blow.worker} did not come back within {_VICTIM_S:g} s.")
            await asyncio.sleep(_VICTIM_POLL_S)

    async def _freeze_worker(self, blow: Blow) -> None:
        end = time.monotonic() + _VICTIM_S
        while (pid := self._world.crew.pid(blow.worker)) is None:
            if time.monotonic() > end:
                raise SandboxError(f"Worker {blow.worker} did not come back within {_VICTIM_S:g} s.")
            await asyncio.sleep(_VICTIM_POLL_S)
        await _freeze(pid, blow.lasts_s)

    async def _kill_broker(self, _blow: Blow) -> None:
        await self._world.broker.kill()
        await self._world.broker.start()

    async def _freeze_broker(self, blow: Blow) -> None:
        await _freeze(self._world.broker.pid, blow.lasts_s)

    async def _cut_half(self, blow: Blow) -> None:
        self._world.broker_relay.cut(first=blow.worker % 2, every=2)

    async def _stall_broker(self, blow: Blow) -> None:
        self._world.broker_relay.stall()
        try:
            await asyncio.sleep(blow.lasts_s)
        finally:
            self._world.broker_relay.flow()

    async def _alarm(self, blow: Blow) -> None:
        await self._world.broker.ctl("set_vm_memory_high_watermark", _LOW_WATERMARK)
        try:
            await asyncio.sleep(blow.lasts_s)
        finally:
            await self._world.broker.ctl("set_vm_memory_high_watermark", _USUAL_WATERMARK)

    async def _kill_database(self, blow: Blow) -> None:
        assert self._world.database is not None
        await self._world.database.kill()
        await asyncio.sleep(min(blow.lasts_s, _DOWN_S))
        await self._world.database.start()

    async def _restart_database(self, _blow: Blow) -> None:
        assert self._world.database is not None
        await self._world.database.restart()

    async def _refuse_api(self, blow: Blow) -> None:
        self._world.cloud_relay.refuse()
        try:
            await asyncio.sleep(blow.lasts_s)
        finally:
            await self._world.cloud_relay.listen()

    async def _freeze_api(self, blow: Blow) -> None:
        await _freeze(self._world.cloud.pid, blow.lasts_s)

    async def _answer_all(self, rule: Mapping[str, object], blow: Blow) -> None:
        number = await self._world.cloud.add_fault(rule)
        try:
            await asyncio.sleep(blow.lasts_s)
        finally:
            await self._world.cloud.remove_fault(number)


async def _cut(relay: Relay, _blow: Blow) -> None:
    relay.cut()


async def _freeze(pid: int, lasts_s: float) -> None:
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(lasts_s)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
