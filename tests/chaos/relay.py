"""
A TCP relay that passes bytes and knows nothing of what they say; it can cut, fall silent, and refuse.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import Self

from worker.sandbox.places import free_ports

_CHUNK_BYTES = 65_536


class Relay:
    """
    Listens on a loopback port and passes everything on to another; use as an async context manager.
    """

    def __init__(self, target_port: int) -> None:
        self.port = free_ports(1)[0]
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        # Both ends of each connection, in the order they were opened.
        self._open: dict[int, list[asyncio.StreamWriter]] = {}
        self._numbers = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.refuse()
        self.flow()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def listen(self) -> None:
        """
        Takes connections again; the port stays the same. Safe to repeat.
        """
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=256)

    def refuse(self) -> None:
        """
        Cuts every connection and takes no new one: connecting is refused. Safe to repeat.
        """
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()

    def cut(self, first: int = 0, every: int = 1) -> None:
        """
        Breaks connections: from the `first` on, in the order they were opened, all or every second, third, ...
        """
        for writers in list(self._open.values())[first::every]:
            for writer in writers:
                writer.transport.abort()

    def stall(self) -> None:
        """
        Passes nothing on any more; what was sent meanwhile arrives after `flow`, as over a network that heals.
        """
        self._flows.clear()

    def flow(self) -> None:
        """
        Ends `stall`. Safe to repeat.
        """
        self._flows.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        number = next(self._numbers)
        self._open[number] = [writer]
        try:
            await self._flows.wait()
            target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
            self._open[number].append(target_writer)
            await asyncio.gather(self._pass_on(reader, target_writer), self._pass_on(target_reader, writer))
        except OSError:
            pass  # nobody listens behind us: the client must notice
        finally:
            for each in self._open.pop(number):
                each.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK_BYTES):
                await self._flows.wait()
                writer.write(chunk)
                await writer.drain()
        if not writer.is_closing():
            writer.close()
