"""
The simulator as a running HTTP server.
"""

import asyncio
import errno
import signal
from collections.abc import Callable
from email.utils import formatdate
from functools import partial

from aiohttp import web

from worker.simulator.cloud_api import CloudApi
from worker.simulator.config import SimulatorConfig, SimulatorError
from worker.simulator.control_api import ControlApi
from worker.simulator.huawei import HUAWEI
from worker.simulator.identity import IdentityApi
from worker.simulator.openstack import OPENSTACK
from worker.simulator.otc import OTC
from worker.simulator.services import CloudState

DIALECTS = {dialect.name: dialect for dialect in (HUAWEI, OPENSTACK, OTC)}
BACKLOG = 1024  # many workers may connect at once
SHUTDOWN_S = 1.0


class Simulator:
    """
    A running simulated cloud.

    Attributes:
        url: where it listens, such as http://127.0.0.1:9696, without a slash at the end.
        state: what the cloud knows, for tests in the same process.
    """

    def __init__(self, url: str, state: CloudState, runner: web.AppRunner, closing: asyncio.Event) -> None:
        self.url = url
        self.state = state
        self._runner = runner
        self._closing = closing

    async def until(self, claim: Callable[[CloudState], bool], timeout_s: float = 10.0) -> None:
        """
        Returns once the claim holds; looks again whenever something is done to the cloud.

        Raises:
            TimeoutError: it did not hold in time.
        """
        async with asyncio.timeout(timeout_s):
            while not claim(self.state):
                await self.state.news()

    async def close(self) -> None:
        """
        Stops listening and ends every call, hanging ones too. Safe to repeat.
        """
        self._closing.set()
        await self._runner.cleanup()


async def start_simulator(config: SimulatorConfig) -> Simulator:
    """
    A simulated cloud that is listening when this returns.

    Raises:
        SimulatorError: unknown dialect, bad fault, or the port cannot be had.
    """
    if config.dialect not in DIALECTS:
        raise SimulatorError(f"There is no dialect {config.dialect!r}; there is {', '.join(sorted(DIALECTS))}.")
    state = CloudState(config, DIALECTS[config.dialect])
    closing = asyncio.Event()
    app = web.Application()
    app.on_response_prepare.append(partial(_date, state))
    app.add_routes(ControlApi(state).routes())
    app.add_routes(IdentityApi(state, closing).routes())
    app.router.add_route("*", "/{path:.*}", CloudApi(state, closing).handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, config.host, config.port, backlog=BACKLOG).start()
    except OSError as exc:
        await runner.cleanup()
        raise SimulatorError(_why_not_listening(config, exc)) from exc
    return Simulator(_url(config.host, runner), state, runner, closing)


async def _date(state: CloudState, _request: web.Request, answer: web.StreamResponse) -> None:
    # aiohttp would write the machine's time; a test's cloud has its own.
    if state.is_clock_own:
        answer.headers["Date"] = formatdate(state.now_s(), usegmt=True)


async def serve(config: SimulatorConfig, ready: Callable[[str], None]) -> None:
    """
    Runs a simulated cloud until SIGTERM or SIGINT; calls `ready` with its URL once it listens.

    Raises:
        SimulatorError: as `start_simulator`.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    simulator = await start_simulator(config)
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        ready(simulator.url)
        await stop.wait()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        await simulator.close()


def _why_not_listening(config: SimulatorConfig, exc: OSError) -> str:
    if exc.errno == errno.EADDRINUSE:
        return f"Port {config.port} on {config.host} is in use; stop what listens there or choose another port."
    return f"The simulator cannot listen on {config.host}, port {config.port}: {exc.strerror or exc}."


def _url(host: str, runner: web.AppRunner) -> str:
    port = runner.addresses[0][1]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{reachable}:{port}"
