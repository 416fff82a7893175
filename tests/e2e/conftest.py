"""
What the tests of the whole share: worker processes, simulated clouds, a pika client, and questions to the broker.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
import pytest

from messages.routes import Routes
from tests.e2e.shop import Shop, open_shop
from worker.broker.topology import apply_topology
from worker.sandbox.processes import Child
from worker.sandbox.rabbitmq import PrivateBroker
from worker.simulator import Simulator, SimulatorConfig, start_simulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from pathlib import Path

    from worker.sandbox.rabbitmq import Broker

READY_S = 20.0


class WorkerProcess:
    """
    A worker process and what it logged.
    """

    def __init__(self, child: Child) -> None:
        self.child = child

    def logged(self, event: str | None = None) -> list[dict[str, Any]]:
        """
        The log so far, or the entries of one kind.
        """
        read = []
        for line in self.child.log_file.read_text(encoding="utf-8").splitlines():
            try:
                read.append(json.loads(line))
            except ValueError:
                read.append({"event": "not.json", "text": line})
        return [entry for entry in read if event is None or entry.get("event") == event]

    async def until_logged(self, event: str, count: int = 1, timeout_s: float = 15.0) -> list[dict[str, Any]]:
        """
        The entries of one kind, once there are so many.
        """
        await eventually(lambda: len(self.logged(event)) >= count, f"log entry {event}", timeout_s)
        return self.logged(event)

    async def http_url(self) -> str:
        """
        Where the HTTP port is; for workers that were started with an `http_port`.
        """
        return str((await self.until_logged("health.served"))[0]["url"])

    async def readiness(self) -> tuple[int, dict[str, Any]]:
        """
        Status and checks of /ready; for workers that were started with an `http_port`.
        """
        url = await self.http_url()
        async with aiohttp.ClientSession() as session, session.get(f"{url}/ready") as answer:
            return answer.status, (await answer.json())["checks"]

    async def until_ready(self, status: int = 200, words: str = "", timeout_s: float = 15.0) -> None:
        """
        Returns once /ready answers with the status and has the words somewhere in its checks.
        """

        async def is_so() -> bool:
            found, checks = await self.readiness()
            return found == status and any(words in check["words"] for check in checks.values())

        await eventually(is_so, f"readiness {status} with {words!r}", timeout_s)

    def mistakes(self) -> list[dict[str, Any]]:
        """
        Entries that must never be there: crashes, tracebacks, errors.
        """
        return [
            entry
            for entry in self.logged()
            if entry["event"] in {"not.json", "request.crashed"}
            or "exception" in entry
            or entry.get("level") in {"error", "critical"}
        ]


class StartWorker(Protocol):
    """
    Starts a worker process that is consuming when this returns; settings as keywords, `lease_s=10`.

    A setting that is None is left out; `environ` is what else the process finds in its environment.
    """

    async def __call__(
        self, api_url: str | None, environ: Mapping[str, str] | None = None, /, **settings: object
    ) -> WorkerProcess: ...


class StartCloud(Protocol):
    """
    Starts a simulated cloud in the test's own process; settings as keywords.
    """

    async def __call__(self, **settings: Any) -> Simulator: ...


async def eventually(claim: Callable[[], bool | Awaitable[bool]], what: str, timeout_s: float = 15.0) -> None:
    """
    Returns once the claim holds.
    """
    end = time.monotonic() + timeout_s
    while True:
        held = claim()
        if held if isinstance(held, bool) else await held:
            return
        if time.monotonic() > end:
            raise TimeoutError(f"no {what} within {timeout_s:g} s")
        await asyncio.sleep(0.02)


def worker_environment(settings: dict[str, object]) -> dict[str, str]:
    """
    The environment of a worker with these settings and no others; None leaves one out.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VPN_WORKER_", "OS_"))}
    given = {f"VPN_WORKER_{name.upper()}": str(value) for name, value in settings.items() if value is not None}
    return kept | given


@pytest.fixture
async def topology(amqp_url: str, prefix: str) -> None:
    """
    All exchanges and queues of the prefix.
    """
    await apply_topology(amqp_url, Routes(prefix))


@pytest.fixture
async def shop(topology: None, amqp_url: str, prefix: str) -> AsyncIterator[Shop]:
    """
    A pika client that publishes requests and collects events.
    """
    async with open_shop(amqp_url, prefix) as opened:
        yield opened


@pytest.fixture
async def start_cloud() -> AsyncIterator[StartCloud]:
    """
    Simulated clouds that end with the test.
    """
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> Simulator:
            simulator = await start_simulator(SimulatorConfig(**settings))
            stack.push_async_callback(simulator.close)
            return simulator

        yield start


@pytest.fixture
async def cloud(start_cloud: StartCloud) -> Simulator:
    """
    A simulated cloud with the usual rules.
    """
    return await start_cloud()


@pytest.fixture
async def start_worker(amqp_url: str, prefix: str, tmp_path: Path) -> AsyncIterator[StartWorker]:
    """
    Worker processes on the test's broker, prefix and ledger; all end with the test, also when it fails.
    """
    async with AsyncExitStack() as stack:
        count = 0

        async def start(
            api_url: str | None, environ: Mapping[str, str] | None = None, /, **settings: object
        ) -> WorkerProcess:
            nonlocal count
            count += 1
            usual: dict[str, object] = {
                "amqp_url": amqp_url,
                "api_url": api_url,
                "auth": "none",
                "prefix": prefix,
                "ledger_url": f"sqlite:///{tmp_path / 'ledger.sqlite3'}",
            }
            child = Child(
                [sys.executable, "-m", "worker", "run"],
                log_file=tmp_path / f"worker-{count}.log",
                env=worker_environment(usual | settings) | dict(environ or {}),
            )
            await stack.enter_async_context(child)
            await child.ready_line("{", READY_S)
            return WorkerProcess(child)

        yield start


@pytest.fixture
def unacked(broker: Broker) -> Callable[[], Awaitable[int]]:
    """
    Asks the broker how many messages are delivered and not acked, on all channels: the worker's alone has any.
    """
    if not isinstance(broker, PrivateBroker):
        pytest.skip("only a broker of our own tells its unacked messages")

    async def ask() -> int:
        # The channels know at once; a quorum queue's own count is up to 5 s old.
        said = await broker.ctl("list_channels", "messages_unacknowledged")
        return sum(int(line) for line in said.split() if line.isdigit())

    return ask
