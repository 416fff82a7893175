"""
The world of a run: broker, database, cloud and workers, each a process of its own, with relays between them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from aiohttp import ClientSession, ClientTimeout

from messages.routes import Routes
from tests.chaos.crew import Crew
from tests.chaos.evidence import ACTIVE, BUILD
from tests.chaos.plan import Pace, Plan
from tests.chaos.reading import declare_audit_queue
from tests.chaos.relay import Relay
from tests.chaos.wire import RULES
from worker.broker.topology import apply_topology
from worker.sandbox.node import PrivateBroker, private_broker
from worker.sandbox.postgres import PrivatePostgres, private_postgres
from worker.sandbox.processes import Child

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "chaos"
_START_S = 60.0
_TOKEN = "the-token-of-the-run"
_LATENCY_MS = 150
#: How long an intent may wait for the database, and everything for a busy machine.
_SLACK_S = 8.0
Talk = Callable[[str], None]


class CloudProcess:
    """
    The simulated cloud in a process of its own, and its control API.
    """

    def __init__(self, child: Child, url: str, session: ClientSession) -> None:
        self.pid = child.pid
        self.port = urlsplit(url).port or 80
        self._control = f"{url}/_simulator"
        self._session = session

    async def add_fault(self, rule: Mapping[str, object]) -> int:
        """
        Adds a fault; its number.
        """
        async with self._session.post(f"{self._control}/faults", json=rule) as answer:
            answer.raise_for_status()
            return int((await answer.json())["number"])

    async def remove_fault(self, number: int) -> None:
        """
        Takes a fault back.
        """
        async with self._session.delete(f"{self._control}/faults/{number}") as answer:
            answer.raise_for_status()

    async def state(self) -> dict[str, Any]:
        """
        Everything the cloud knows.
        """
        async with self._session.get(f"{self._control}/state") as answer:
            answer.raise_for_status()
            read: dict[str, Any] = await answer.json()
            return read


@dataclass(frozen=True, slots=True)
class World:
    """
    Everything that runs. The relays stand between the workers and the rest; the harness goes direct.

    Attributes:
        folder: logs of all processes.
        routes: the names at the broker.
        database: None when the ledger is a SQLite file.
        ledger_url: where the ledger is, for the harness.
    """

    folder: Path
    routes: Routes
    broker: PrivateBroker
    broker_relay: Relay
    cloud: CloudProcess
    cloud_relay: Relay
    database: PrivatePostgres | None
    database_relay: Relay | None
    ledger_url: str
    crew: Crew

    async def versions(self) -> dict[str, str]:
        """
        Of broker and database.
        """
        found = {"RabbitMQ": (await self.broker.ctl("version")).strip()}
        if self.database is not None:
            connection = await asyncpg.connect(self.database.url)
            try:
                found["PostgreSQL"] = str(await connection.fetchval("SHOW server_version")).split()[0]
            finally:
                await connection.close()
        return found


@asynccontextmanager
async def open_world(plan: Plan, folder: Path, talk: Talk) -> AsyncIterator[World]:
    """
    A world that is ready to work; nothing of it runs any more on leaving.
    """
    routes = Routes(PREFIX)
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(private_broker(folder / "rabbitmq", talk))
        await apply_topology(broker.amqp_url, routes)
        declare_audit_queue(broker.amqp_url, routes)
        cloud = await _open_cloud(stack, plan, folder)
        for rule in RULES:
            await cloud.add_fault(rule)
        broker_relay = await stack.enter_async_context(Relay(broker.port))
        cloud_relay = await stack.enter_async_context(Relay(cloud.port))
        database, database_relay = None, None
        ledger_url = workers_ledger_url = f"sqlite:///{(folder / 'ledger.sqlite3').absolute()}"
        if plan.size.has_database:
            database = await stack.enter_async_context(private_postgres(folder / "postgres", talk))
            database_relay = await stack.enter_async_context(Relay(database.port))
            ledger_url, workers_ledger_url = database.url, _through(database.url, database_relay)
        environment = _environment(
            {
                **worker_settings(plan.pace),
                "amqp_url": f"{_through(broker.amqp_url, broker_relay)}?heartbeat={plan.pace.heartbeat_s}",
                "api_url": f"http://127.0.0.1:{cloud_relay.port}",
                "ledger_url": workers_ledger_url,
            }
        )
        crew = await stack.enter_async_context(Crew(plan.size.workers, environment, folder))
        await crew.ready(_START_S)
        yield World(
            folder, routes, broker, broker_relay, cloud, cloud_relay, database, database_relay, ledger_url, crew
        )


def worker_settings(pace: Pace) -> dict[str, object]:
    """
    Settings short enough for the run, and consistent: what is waited for is over before it is given up.
    """
    return {
        "prefix": PREFIX,
        "auth": "token",
        "auth_token": _TOKEN,
        "log_format": "json",
        # Rounds in which nobody's status has changed are to be counted as well.
        "log_level": "debug",
        "concurrency": 20,
        "api_timeout_s": pace.api_timeout_s,
        "api_connect_timeout_s": min(2.0, pace.api_timeout_s),
        # A POST may leave late after its intent, be read late by a frozen API, and be committed late then.
        "reconcile_window_s": pace.late_s + pace.api_timeout_s + pace.weather_s + _SLACK_S,
        "stranger_window_s": pace.api_timeout_s + pace.weather_s,
        "lease_s": max(10.0, 2 * pace.api_timeout_s),
        "publish_timeout_s": 5,
        "pause_s": 2,
        "delayed_after_s": 20,
        "shutdown_grace_s": 20,
        "follow": "settled",
        "follow_interval_s": 1,
        "follow_interval_max_s": 5,
        # This cloud shows a service from the moment it is made: one that is taken for gone is a fault of ours.
        "follow_grace_s": 1,
    }


def journey_flags(pace: Pace) -> list[str]:
    """
    The simulator's flags for how statuses move.
    """
    journey = f"{BUILD}@{pace.build_s:g},{ACTIVE}@{pace.active_s:g}"
    return ["--journey", journey, "--journey-spread", f"{pace.journey_spread_s:g}"]


async def _open_cloud(stack: AsyncExitStack, plan: Plan, folder: Path) -> CloudProcess:
    # No limit of services for a router: that limit would hide a service created twice.
    command = ["simulate", "--port", "0", "--services-per-vpc", "0", "--latency-ms", str(_LATENCY_MS)]
    argv = [sys.executable, "-m", "worker", *command, *journey_flags(plan.pace), "--seed", str(plan.seed)]
    child = Child(
        argv, log_file=folder / "simulator.log", env=dict(os.environ) | {"VPN_WORKER_SIMULATOR_TOKEN": _TOKEN}
    )
    await stack.enter_async_context(child)
    line = await child.ready_line("Simulated cloud", _START_S)
    session = await stack.enter_async_context(ClientSession(timeout=ClientTimeout(total=_START_S)))
    return CloudProcess(child, line.rpartition(" ")[2], session)


def _through(url: str, relay: Relay) -> str:
    parts = urlsplit(url)
    login, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{login}{at}127.0.0.1:{relay.port}"))


def _environment(settings: Mapping[str, object]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VPN_WORKER_", "OS_"))}
    return kept | {f"VPN_WORKER_{name.upper()}": str(value) for name, value in settings.items()}
