"""
A simulated cloud for each test that asks for one, and a client that speaks to it over loopback.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import ClientSession, ClientTimeout, TCPConnector

from worker.simulator import Simulator, SimulatorConfig, start_simulator


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., Awaitable[tuple[Simulator, ClientSession]]]]:
    """
    Starts a simulator with the settings given and gives it with a client; all end with the test.
    """
    async with AsyncExitStack() as stack:

        async def begin(**settings: Any) -> tuple[Simulator, ClientSession]:
            simulator = await start_simulator(SimulatorConfig(**settings))
            stack.push_async_callback(simulator.close)
            connector = TCPConnector(limit=100)
            client = ClientSession(simulator.url, connector=connector, timeout=ClientTimeout(total=10))
            return simulator, await stack.enter_async_context(client)

        yield begin
