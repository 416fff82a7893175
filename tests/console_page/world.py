"""
A worker with a console and all that it works on: simulated cloud, broker, ledger, and a shop that publishes.
"""

from __future__ import annotations

import json
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp

from messages.routes import Routes
from tests.conftest import fresh_prefix
from tests.e2e.conftest import READY_S, WorkerProcess, eventually, worker_environment
from tests.e2e.shop import Shop, binary, open_shop, order
from worker.broker.topology import apply_topology
from worker.sandbox.processes import Child
from worker.simulator import Simulator, SimulatorConfig, start_simulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

#: What is tried again is tried soon, what cannot be done is dead soon, and what is followed is looked at often.
QUICK: dict[str, object] = {
    "request_deadline_s": 3,
    "trip_after": 1000,
    "when_not_found": "in_doubt",
    "reconcile_window_s": 1,
    "api_timeout_s": 5,
    "pause_s": 0.5,
    "follow": "active",
    "follow_interval_s": 0.3,
    "follow_interval_max_s": 1,
}


@dataclass
class World:
    """
    What one worker works on.

    Attributes:
        url: of the worker's HTTP port, the latest one that was started.
    """

    amqp_url: str
    prefix: str
    folder: Path
    cloud: Simulator
    shop: Shop
    stack: AsyncExitStack
    url: str = ""
    workers: list[WorkerProcess] = field(default_factory=list)

    @property
    def ledger_file(self) -> Path:
        return self.folder / "ledger.sqlite3"

    @property
    def console(self) -> str:
        return f"{self.url}/console"

    async def start_worker(self, **settings: object) -> WorkerProcess:
        """
        A worker with a console; a setting that is None is left out.
        """
        usual: dict[str, object] = {
            "amqp_url": self.amqp_url,
            "prefix": self.prefix,
            "api_url": self.cloud.url,
            "auth": "none",
            "ledger_url": f"sqlite:///{self.ledger_file}",
            "http_port": 0,
            "console": "on",
        }
        child = Child(
            [sys.executable, "-m", "worker", "run"],
            log_file=self.folder / f"worker-{len(self.workers) + 1}.log",
            env=worker_environment(usual | QUICK | settings),
        )
        await self.stack.enter_async_context(child)
        await child.ready_line("{", READY_S)
        worker = WorkerProcess(child)
        self.workers.append(worker)
        self.url = await worker.http_url()
        return worker

    async def publish(self, identity: str, router: str, **fields: object) -> None:
        """
        Sends one request.
        """
        await self.shop.publish((order(router, **fields), binary(identity)))

    async def until_state(self, identity: str, *states: str) -> dict[str, Any]:
        """
        What the console tells of a request, once it is in one of the states.
        """
        told: dict[str, Any] = {}

        async def is_so() -> bool:
            nonlocal told
            told = (await self.ask("request", id=identity)).get("request", {})
            return told.get("state") in states

        await eventually(is_so, f"{identity} being {' or '.join(states)}")
        return told

    async def ask(self, call: str, **query: str) -> dict[str, Any]:
        """
        What a call of the console says; of a worker without a login.
        """
        url = f"{self.console}/api/{call}"
        async with aiohttp.ClientSession() as session, session.get(url, params=query) as answer:
            said: dict[str, Any] = json.loads(await answer.text())
            return said


@asynccontextmanager
async def open_world(amqp_url: str, folder: Path, **cloud: Any) -> AsyncIterator[World]:
    """
    A world without a worker; everything in it ends with the context.
    """
    with fresh_prefix(amqp_url) as prefix:
        await apply_topology(amqp_url, Routes(prefix))
        async with AsyncExitStack() as stack:
            simulator = await start_simulator(SimulatorConfig(**cloud))
            stack.push_async_callback(simulator.close)
            shop = await stack.enter_async_context(open_shop(amqp_url, prefix))
            yield World(amqp_url, prefix, folder, simulator, shop, stack)
