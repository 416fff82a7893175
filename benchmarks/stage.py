"""
What a benchmark runs on: a simulated cloud with its identity service and a worker, each a process of its own.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientTimeout

from messages.routes import Routes
from worker.broker.topology import remove_topology
from worker.errors import BrokerUnreachable
from worker.sandbox.processes import Child

_COMMAND = (sys.executable, "-m", "worker")
_READY_S = 60.0
_STATE_TIMEOUT_S = 60.0
_STOP_GRACE_S = 30.0
_USER, _PASSWORD = "bench", "the-password-of-the-run"
#: A quorum queue that was declared a moment ago may have no leader yet, and cannot be deleted then.
_REMOVE_AGAIN_S = (1.0, 3.0)


@dataclass(frozen=True, slots=True)
class CloudCounts:
    """
    What the simulated cloud has counted.

    Attributes:
        creates, lists, shows: calls, whatever was answered.
        logins: tokens that were asked for.
        throttled: calls answered 429.
        services: how many there are.
        peak_at_once: most creates that were worked on or stood in line, each at its own peak.
    """

    creates: int
    lists: int
    shows: int
    logins: int
    throttled: int
    services: int
    peak_at_once: int


class Stage:
    """
    What runs: a worker that consumes, and its cloud.

    Attributes:
        amqp_url: of the broker.
        routes: the names at the broker, of this stage alone.
        cloud_url: where the cloud listens.
        worker: its process.
    """

    def __init__(
        self, amqp_url: str, routes: Routes, cloud_url: str, worker: Child, start: Callable[[], Awaitable[Child]]
    ) -> None:
        self.amqp_url = amqp_url
        self.routes = routes
        self.cloud_url = cloud_url
        self.worker = worker
        self._start = start

    async def stop_worker(self) -> int:
        """
        Ends the worker in good order; its exit status.
        """
        return await self.worker.stop(_STOP_GRACE_S)

    async def replace_worker(self) -> None:
        """
        Ends the worker in good order; another one is consuming, with the same ledger and a log of its own.
        """
        await self.stop_worker()
        self.worker = await self._start()

    async def kill_worker(self) -> None:
        """
        Ends the worker with SIGKILL, in the middle of whatever it does; another one is consuming, with the same ledger.
        """
        await self.worker.kill()
        self.worker = await self._start()

    async def counts(self) -> CloudCounts:
        """
        What the cloud has counted until now.
        """
        state = await self._state()
        calls = state["calls"]
        return CloudCounts(
            creates=calls.get("create", 0),
            lists=calls.get("list", 0),
            shows=calls.get("show", 0),
            logins=calls.get("token", 0),
            throttled=state["answers"].get("429", 0),
            services=len(state["services"]),
            peak_at_once=state["peak_working"] + state["peak_waiting"],
        )

    async def service_ids(self) -> list[str]:
        """
        The ids of the services there are, oldest first.
        """
        return [service["id"] for service in (await self._state())["services"]]

    async def _state(self) -> dict[str, Any]:
        async with (
            ClientSession(timeout=ClientTimeout(total=_STATE_TIMEOUT_S)) as session,
            session.get(f"{self.cloud_url}/_simulator/state") as answer,
        ):
            answer.raise_for_status()
            state: dict[str, Any] = await answer.json()
            return state


@asynccontextmanager
async def staged(
    amqp_url: str, folder: Path, flags: Sequence[str], settings: Mapping[str, object]
) -> AsyncIterator[Stage]:
    """
    A new cloud and a worker that is consuming; both have ended on leaving, and their queues are deleted.

    Args:
        amqp_url: of a broker that runs.
        folder: for the ledger and the logs; new.
        flags: of the simulated cloud.
        settings: of the worker beside those that lead it to broker, cloud and ledger, such as `concurrency`.

    Raises:
        SandboxError: a part could not be started; with the end of its log.
    """
    routes = Routes(f"bench-{secrets.token_hex(4)}")
    async with AsyncExitStack() as stack:
        cloud_url = await _open_cloud(stack, folder, flags)
        stack.push_async_callback(_remove, amqp_url, routes)
        usual: dict[str, object] = {
            "amqp_url": amqp_url,
            "prefix": routes.prefix,
            "ledger_url": f"sqlite:///{(folder / 'ledger.sqlite3').absolute()}",
            # No api_url: the endpoint comes from the catalog that the login gives.
            "iam_url": f"{cloud_url}/v3",
            "username": _USER,
            "user_domain_name": "Default",
            "project_name": "eu-de",
            "password": _PASSWORD,
            "log_format": "json",
        }
        environment = _environment(usual | dict(settings))
        numbers = itertools.count(2)
        worker = await _open_worker(stack, folder / "worker.log", environment)
        yield Stage(
            amqp_url,
            routes,
            cloud_url,
            worker,
            lambda: _open_worker(stack, folder / f"worker-{next(numbers)}.log", environment),
        )


async def _open_worker(stack: AsyncExitStack, log_file: Path, environment: Mapping[str, str]) -> Child:
    worker = Child([*_COMMAND, "run"], log_file=log_file, env=environment)
    await stack.enter_async_context(worker)
    await worker.ready_line("{", _READY_S)
    return worker


async def _open_cloud(stack: AsyncExitStack, folder: Path, flags: Sequence[str]) -> str:
    environment = {"VPN_WORKER_SIMULATOR_USERS": f"{_USER}:{_PASSWORD}"}
    simulator = Child(
        [*_COMMAND, "simulate", "--port", "0", *flags],
        log_file=folder / "simulator.log",
        env=_environment({}) | environment,
    )
    await stack.enter_async_context(simulator)
    return (await simulator.ready_line("Simulated cloud", _READY_S)).rpartition(" ")[2]


async def _remove(amqp_url: str, routes: Routes) -> None:
    for wait_s in _REMOVE_AGAIN_S:
        try:
            await remove_topology(amqp_url, routes)
        except BrokerUnreachable:
            await asyncio.sleep(wait_s)
        else:
            return
    await remove_topology(amqp_url, routes)


def _environment(settings: Mapping[str, object]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VPN_WORKER_", "OS_"))}
    return kept | {f"VPN_WORKER_{name.upper()}": str(value) for name, value in settings.items()}
