"""
A client of the cloud, and servers for it to meet: the simulator, and sockets that answer what a test says.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from tests.authority import Authority, new_authority
from tests.clients import open_client
from tests.virtual_time import VirtualLoop
from worker.cloud.call import Call
from worker.cloud.client import CloudClient
from worker.cloud.login import Login, LoginFailed
from worker.cloud.options import TransportOptions
from worker.cloud.reply import NoReply, Reply
from worker.cloud.transport import Transport
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
        return await stack.enter_async_context(open_client(url, **({"total_timeout_s": 5.0} | settings)))

    return connect


@pytest.fixture
def open_transport(stack: AsyncExitStack) -> Callable[..., Awaitable[Transport]]:
    """
    Gives a transport with these options.
    """

    async def open_transport(**options: Any) -> Transport:
        return await stack.enter_async_context(Transport(TransportOptions(**({"total_timeout_s": 5.0} | options))))

    return open_transport


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


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    """
    An HTTP answer as it stands on the wire.
    """
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """
    Signed: a good certificate, one of another host, an expired one; and a stranger's that signed itself.
    """
    return new_authority(tmp_path_factory.mktemp("tls"))


async def ask(transport: Transport, login: Login, call: Call) -> Reply | NoReply | LoginFailed:
    """
    One call as the client makes it: logged in, and sent once more when the credentials were refused and renewed.
    """
    for _ in range(2):
        sent = await login.headers(call)
        if isinstance(sent, LoginFailed):
            return sent
        is_accepted = False
        try:
            reply = await transport.send(replace(call, headers=sent))
            if not isinstance(reply, Reply) or reply.status != 401:
                is_accepted = isinstance(reply, Reply)
                return reply
            failed = await login.renew(sent, reply.fault(), reply.cloud_time)
            if failed is not None:
                return failed
        finally:
            login.finished(sent, is_accepted=is_accepted)
    return reply


def in_virtual_time(play: Callable[[VirtualLoop, AsyncExitStack], Awaitable[None]]) -> None:
    """
    Plays something on a loop whose time jumps; what the stack holds is closed afterwards.
    """

    async def whole() -> None:
        async with AsyncExitStack() as stack:
            await play(loop, stack)

    loop = VirtualLoop()
    try:
        loop.run_until_complete(whole())
    finally:
        loop.finish()
