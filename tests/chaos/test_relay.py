"""
The relay of a chaos run passes bytes, and cuts, falls silent and refuses when it is told to.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.chaos.relay import Relay


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    """
    A relay to a server that gives every line back.
    """

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(line)
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, Relay(server.sockets[0].getsockname()[1]) as opened:
        yield opened


@asynccontextmanager
async def dialled(relay: Relay) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """
    A connection through the relay, closed at the end.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def echoed(relay: Relay) -> bytes:
    """
    What a new connection gets back for a line.
    """
    async with dialled(relay) as (reader, writer):
        writer.write(b"hello\n")
        return await reader.readline()


async def test_what_is_sent_comes_back(relay: Relay) -> None:
    assert b"hello\n" == await echoed(relay)


async def test_a_cut_resets_open_connections_and_new_ones_work(relay: Relay) -> None:
    async with dialled(relay) as (reader, writer):
        writer.write(b"hello\n")
        await reader.readline()
        relay.cut()

        # Either end may hear of it first: as a reset, or as an end without warning.
        with suppress(ConnectionError):
            assert b"" == await reader.read()
    assert b"hello\n" == await echoed(relay)


async def test_half_a_cut_spares_every_second_connection(relay: Relay) -> None:
    async with dialled(relay) as (cut_off, _), dialled(relay) as (reader, writer):
        await echoed(relay)  # by then the relay knows the two before
        relay.cut(every=2)

        with suppress(ConnectionError):
            assert b"" == await cut_off.read()
        writer.write(b"hello\n")
        assert b"hello\n" == await reader.readline()


async def test_silence_holds_back_what_is_sent_until_it_ends(relay: Relay) -> None:
    async with dialled(relay) as (reader, writer):
        relay.stall()
        writer.write(b"hello\n")
        reading = asyncio.create_task(reader.readline())
        done, _ = await asyncio.wait({reading}, timeout=0.2)

        assert not done
        relay.flow()
        assert b"hello\n" == await reading


async def test_refusing_lets_nobody_in_until_it_listens_again(relay: Relay) -> None:
    async with dialled(relay) as (reader, _):
        relay.refuse()

        with suppress(ConnectionError):
            assert b"" == await reader.read()
        with pytest.raises(ConnectionRefusedError):
            await echoed(relay)
    await relay.listen()
    assert b"hello\n" == await echoed(relay)
