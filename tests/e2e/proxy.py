"""
A TCP proxy between a client and the broker that reads the AMQP frames that pass, and can cut the connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from pamqp import body, commands, frame, header

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROTOCOL_HEADER_BYTES = 8
_FRAME_HEAD_BYTES = 7


@dataclass(frozen=True)
class Passed:
    """
    One frame that passed.

    Attributes:
        number: place in the order of all frames of all connections.
        connection: which connection, from 0.
        is_from_client: else it came from the broker.
        channel: which channel.
        frame: what it was.
    """

    number: int
    connection: int
    is_from_client: bool
    channel: int
    frame: frame.FrameTypes


@dataclass
class Content:
    """
    A publish or a delivery, put together from its frames.
    """

    passed: Passed
    tag: int
    properties: commands.Basic.Properties = field(default_factory=commands.Basic.Properties)
    body: bytes = b""
    confirmed_at: int | None = None

    @property
    def publish(self) -> commands.Basic.Publish:
        assert isinstance(self.passed.frame, commands.Basic.Publish)
        return self.passed.frame


class AmqpProxy:
    """
    Listens on loopback and passes everything on to the broker; use as an async context manager.

    Frames are noted before they are passed on, so nobody can have acted on one that is not noted.

    Attributes:
        passed: all frames so far.
        connections: how many there were.
        swallowed: frames of these kinds are noted and not passed on.
    """

    def __init__(self, amqp_url: str) -> None:
        self._url = urlsplit(amqp_url)
        self.passed: list[Passed] = []
        self.connections = 0
        self._numbers = itertools.count()
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.swallowed: tuple[type[frame.FrameTypes], ...] = ()
        self._flows = {True: asyncio.Event(), False: asyncio.Event()}

    @property
    def amqp_url(self) -> str:
        """
        Where clients connect to get to the broker through here.
        """
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        login = self._url.netloc.rpartition("@")[0]
        return f"{self._url.scheme}://{login}@127.0.0.1:{port}{self._url.path}"

    async def __aenter__(self) -> Self:
        self.release()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.release()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """
        Breaks every connection as a network would: both ends see a reset.
        """
        for writer in self._open:
            writer.transport.abort()

    def hold(self, *, is_from_client: bool) -> None:
        """
        Passes nothing on in one direction until `release`, as a network that has stalled; the connections stay open.
        """
        self._flows[is_from_client].clear()

    def release(self) -> None:
        """
        Passes everything on again, what was held first.
        """
        for flow in self._flows.values():
            flow.set()

    def publishes(self) -> list[Content]:
        """
        Everything the client published, with the number of the frame that confirmed it.
        """
        found: dict[tuple[int, int], list[Content]] = {}
        for passed in self.passed:
            key = (passed.connection, passed.channel)
            if isinstance(passed.frame, commands.Confirm.Select):
                found[key] = []
            elif key not in found:
                continue
            elif isinstance(passed.frame, commands.Basic.Publish):
                found[key].append(Content(passed, tag=len(found[key]) + 1))
            elif isinstance(passed.frame, commands.Basic.Ack) and not passed.is_from_client:
                for content in found[key]:
                    is_meant = content.tag == passed.frame.delivery_tag
                    is_before = passed.frame.multiple and content.tag < passed.frame.delivery_tag
                    if content.confirmed_at is None and (is_meant or is_before):
                        content.confirmed_at = passed.number
            elif passed.is_from_client:
                _fill(found[key], passed)
        return [content for contents in found.values() for content in contents]

    def deliveries(self) -> list[Content]:
        """
        Everything that was delivered to the client.
        """
        found: dict[tuple[int, int], list[Content]] = {}
        for passed in self.passed:
            if passed.is_from_client:
                continue
            contents = found.setdefault((passed.connection, passed.channel), [])
            if isinstance(passed.frame, commands.Basic.Deliver):
                contents.append(Content(passed, tag=passed.frame.delivery_tag or 0))
            else:
                _fill(contents, passed)
        return [content for contents in found.values() for content in contents]

    def acks(self) -> Iterator[tuple[Passed, commands.Basic.Ack]]:
        """
        Every ack the client sent.
        """
        for passed in self.passed:
            if passed.is_from_client and isinstance(passed.frame, commands.Basic.Ack):
                yield passed, passed.frame

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        number, self.connections = self.connections, self.connections + 1
        try:
            broker_reader, broker_writer = await asyncio.open_connection(self._url.hostname, self._url.port or 5672)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, broker_writer}
        try:
            await asyncio.gather(
                self._pass_on(number, reader, broker_writer, is_from_client=True),
                self._pass_on(number, broker_reader, writer, is_from_client=False),
            )
        finally:
            self._open -= {writer, broker_writer}

    async def _pass_on(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_from_client: bool
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if is_from_client:
                writer.write(await reader.readexactly(_PROTOCOL_HEADER_BYTES))
            while True:
                head = await reader.readexactly(_FRAME_HEAD_BYTES)
                whole = head + await reader.readexactly(int.from_bytes(head[3:7], "big") + 1)
                _, channel, read = frame.unmarshal(whole)
                self.passed.append(Passed(next(self._numbers), number, is_from_client, channel, read))
                if isinstance(read, self.swallowed):
                    continue
                await self._flows[is_from_client].wait()
                writer.write(whole)
                await writer.drain()
        if not writer.is_closing():
            writer.close()


def _fill(contents: list[Content], passed: Passed) -> None:
    if not contents:
        return
    if isinstance(passed.frame, header.ContentHeader):
        contents[-1].properties = passed.frame.properties
    elif isinstance(passed.frame, body.ContentBody):
        contents[-1].body += passed.frame.value or b""
