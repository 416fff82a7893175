"""
The whole set-up on one machine: a broker, a simulated cloud and a worker, each its own process.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from worker.errors import SandboxError
from worker.sandbox.processes import Child
from worker.sandbox.rabbitmq import Broker, find_broker

#: How a child of ours is started, whatever the PATH says.
COMMAND = (sys.executable, "-m", "worker")
_READY_S = 30.0
_WATCH_S = 0.5


@dataclass(frozen=True, slots=True)
class Stage:
    """
    What is running.

    Attributes:
        amqp_url: of the broker.
        api_url: of the simulated cloud.
        prefix: first part of the queue names.
        broker_origin: in words, where the broker comes from.
        is_own_broker: it was started for us and ends with us.
        worker: the worker's process.
        folder: logs and ledger.
        broker: to see whether it still runs.
        http_url: the worker's HTTP port.
    """

    amqp_url: str
    api_url: str
    prefix: str
    broker_origin: str
    is_own_broker: bool
    worker: Child
    folder: Path
    broker: Broker
    http_url: str | None

    @property
    def ledger_url(self) -> str:
        """
        Where the worker keeps its jobs.
        """
        return _ledger_url(self.folder)

    async def until_over(self) -> str:
        """
        In words, what ended by itself: the worker or our own broker.
        """
        while True:
            if self.broker.has_ended:
                return f"RabbitMQ ended by itself ({self.broker_origin})."
            if (status := self.worker.returncode) is not None:
                how = f"by signal {-status}" if status < 0 else f"with status {status}"
                return f"The worker ended by itself, {how}; its log is {self.worker.log_file}."
            await asyncio.sleep(_WATCH_S)


@asynccontextmanager
async def staged(
    folder: Path, talk: Callable[[str], None], prefix: str, settings: Mapping[str, str]
) -> AsyncIterator[Stage]:
    """
    Everything running, the worker consuming; ended, in the right order, on leaving.

    Args:
        folder: for data and logs; the ledger in it is begun anew.
        talk: gets a line for people at each step.
        prefix: first part of the queue names.
        settings: further `VPN_WORKER_...` variables for the worker.

    Raises:
        SandboxError: a part could not be started; with the reason and the end of its log.
    """
    is_own_broker = not os.environ.get("VPN_WORKER_AMQP_URL")
    home = folder / "stage"
    async with AsyncExitStack() as stack:
        stack.enter_context(_alone(folder))
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        broker = await stack.enter_async_context(find_broker(folder / "rabbitmq", talk))
        if not is_own_broker:
            talk(f"RabbitMQ: {broker.origin}")
        simulator = Child([*COMMAND, "simulate", "--port", "0"], log_file=home / "simulator.log")
        async with simulator:
            api_url = (await simulator.ready_line("Simulated cloud", _READY_S)).split()[-1]
            talk(f"Simulated cloud: {api_url}")
            environment = _environment(broker.amqp_url, api_url, prefix, home) | dict(settings)
            async with Child([*COMMAND, "run"], log_file=home / "worker.log", env=environment) as worker:
                told = json.loads(await worker.ready_line("{", _READY_S))
                talk(f"Worker: pid {worker.pid}, log in {_shown(worker.log_file)}")
                url = told.get("http_url")
                yield Stage(broker.amqp_url, api_url, prefix, broker.origin, is_own_broker, worker, home, broker, url)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """
    Holds the folder: a second set-up in it would take the first one's ledger and log from under it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "stage.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise SandboxError(
                "`make run` or `make demo` is already running in this folder: end it first, or use another folder."
            ) from exc
        yield


def _environment(amqp_url: str, api_url: str, prefix: str, home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VPN_WORKER_")}
    return kept | {
        "VPN_WORKER_AMQP_URL": amqp_url,
        "VPN_WORKER_API_URL": api_url,
        "VPN_WORKER_AUTH": "none",
        "VPN_WORKER_PREFIX": prefix,
        "VPN_WORKER_LEDGER_URL": _ledger_url(home),
        "VPN_WORKER_FOLLOW": "settled",
        # On loopback, and a free port unless one is asked for: two folders may run at a time.
        "VPN_WORKER_HTTP_PORT": os.environ.get("VPN_WORKER_HTTP_PORT") or "0",
        # On loopback it needs no token.
        "VPN_WORKER_CONSOLE": "on",
        # The simulated cloud answers at once: no need to look for a lost service as long as for a real one.
        "VPN_WORKER_RECONCILE_WINDOW_S": "3",
    }


def _ledger_url(home: Path) -> str:
    return f"sqlite:///{home.absolute() / 'ledger.sqlite3'}"


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
