"""
A client of the cloud, and servers for it to meet: the simulator, and sockets that answer what a test says.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from worker.cloud.client import CloudClient, Endpoint
from worker.simulator import Simulator, SimulatorConfig, start_simulator

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """
    What ends with the test.
    """
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def connect(stack: AsyncExitStack) -> Callable[..., Awaitable[CloudClient]]:
    """
    Gives a client of the cloud at a URL.
    """

    async def connect(url: str, **settings: Any) -> CloudClient:
        endpoint = Endpoint(url, **({"total_timeout_s": 5.0} | settings))
        return await stack.enter_async_context(CloudClient(endpoint))

    return connect


@pytest.fixture
def simulate(
    stack: AsyncExitStack, connect: Callable[..., Awaitable[CloudClient]]
) -> Callable[..., Awaitable[tuple[Simulator, CloudClient]]]:
    """
    Starts a simulated cloud with the settings given, and gives it with a client.
    """

    async def simulate(timeout_s: float = 5.0, **settings: Any) -> tuple[Simulator, CloudClient]:
        simulator = await start_simulator(SimulatorConfig(**settings))
        stack.push_async_callback(simulator.close)
        token = settings.get("token")
        return simulator, await connect(simulator.url, total_timeout_s=timeout_s, token=token)

    return simulate


class RawServer:
    """
    A socket that reads one HTTP request after another and writes fixed bytes as the answer to each.

    Attributes:
        requests: what came, each with its head and body.
    """

    def __init__(self, answers: tuple[bytes, ...], *, stays: bool) -> None:
        self.requests: list[bytes] = []
        self.url = ""
        self._answers = answers
        self._stays = stays

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """
        Answers one connection; the last answer is given to every later request.
        """
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lengths = (line[15:] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            self.requests.append(head + await reader.readexactly(int(next(lengths, b"0"))))
            writer.write(self._answers[min(len(self.requests), len(self._answers)) - 1])
            await writer.drain()
            if not self._stays:
                writer.close()
                await writer.wait_closed()
                return


@pytest.fixture
def listen(stack: AsyncExitStack) -> Callable[..., Awaitable[str]]:
    """
    Starts a server that runs a handler for each connection, over TLS when a context is given; gives its URL.
    """

    async def listen(handler: Handler, tls: ssl.SSLContext | None = None) -> str:
        tasks: set[asyncio.Task[None]] = set()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            with contextlib.suppress(asyncio.CancelledError, ConnectionError, asyncio.IncompleteReadError):
                await handler(reader, writer)
            writer.transport.abort()

        async def leave() -> None:
            listening.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0)  # the loop tells an aborted transport in its next turn

        listening = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
        stack.push_async_callback(leave)
        return f"{'https' if tls else 'http'}://127.0.0.1:{listening.sockets[0].getsockname()[1]}"

    return listen


@pytest.fixture
def answer_raw(listen: Callable[..., Awaitable[str]]) -> Callable[..., Awaitable[RawServer]]:
    """
    Starts a RawServer that gives these answers.

    `stays` keeps the connection open after an answer, as a server with keep-alive does.
    """

    async def answer_raw(*answers: bytes, stays: bool = False, tls: ssl.SSLContext | None = None) -> RawServer:
        server = RawServer(answers, stays=stays)
        server.url = await listen(server.serve, tls)
        return server

    return answer_raw
