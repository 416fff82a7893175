"""
A TCP proxy before PostgreSQL that can hold back its answers, or lose the one to a commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

_CHUNK_BYTES = 65_536


class PostgresProxy:
    """
    Passes bytes on between clients and one server.
    """

    def __init__(self, host: str, port: int) -> None:
        self.loses_next_commit = False
        self._host, self._port = host, port
        self._lets_through = asyncio.Event()
        self._lets_through.set()
        self._tasks: set[asyncio.Task[None]] = set()

    def hold(self) -> None:
        """
        From now on no answer gets through.
        """
        self._lets_through.clear()

    def let_go(self) -> None:
        """
        Answers get through again, also those that were held.
        """
        self._lets_through.set()

    async def serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """
        Serves one client until either side ends.
        """
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        server, to_server = await asyncio.open_connection(self._host, self._port)
        ways = [
            asyncio.create_task(self._ask(client, to_server)),
            asyncio.create_task(self._answer(server, to_client)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for writer in (to_client, to_server):
                writer.transport.abort()
            self._tasks.discard(task)

    async def end(self) -> None:
        """
        Ends every connection.
        """
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _ask(self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
        while chunk := await client.read(_CHUNK_BYTES):
            to_server.write(chunk)
            await to_server.drain()

    async def _answer(self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        while chunk := await server.read(_CHUNK_BYTES):
            if self.loses_next_commit and b"COMMIT" in chunk:
                self.loses_next_commit = False
                return  # which cuts the connection
            await self._lets_through.wait()
            to_client.write(chunk)
            await to_client.drain()


@asynccontextmanager
async def proxy_before(url: str) -> AsyncIterator[tuple[PostgresProxy, str]]:
    """
    A proxy before the server of a URL, and the URL through it.
    """
    parts = urlsplit(url)
    proxy = PostgresProxy(parts.hostname or "127.0.0.1", parts.port or 5432)
    listener = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port: int = listener.sockets[0].getsockname()[1]
    login = parts.netloc.rpartition("@")[0]
    try:
        yield proxy, parts._replace(netloc=f"{login}@127.0.0.1:{port}").geturl()
    finally:
        listener.close()
        await proxy.end()
        await listener.wait_closed()
