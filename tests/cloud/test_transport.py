"""
What is sent, what is read, how much of it, and for how long.
"""

from __future__ import annotations

import asyncio
import socket
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from yarl import URL

from tests.cloud.conftest import RawServer, http
from worker.cloud.answering import unanswered_create
from worker.cloud.call import Call
from worker.cloud.caller import Place
from worker.cloud.reply import NoReply, Reply, retry_after_s
from worker.cloud.transport import Transport
from worker.core.answers import Unknown
from worker.profiles import profile_named

OpenTransport = Callable[..., Awaitable[Transport]]
AnswerRaw = Callable[..., Awaitable[RawServer]]
Listen = Callable[..., Awaitable[str]]
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def post(url: str, **headers: str) -> Call:
    return Call("POST", URL(url), b"{}", headers)


async def test_every_call_says_who_we_are_and_carries_an_id_of_its_own(
    open_transport: OpenTransport, answer_raw: AnswerRaw
) -> None:
    server = await answer_raw(http("200 OK"), stays=True)
    transport = await open_transport(user_agent="vpn-worker/1")

    await transport.send(post(server.url))
    await transport.send(Call("GET", URL(server.url)))

    heads = [request.split(b"\r\n\r\n")[0].decode().split("\r\n")[1:] for request in server.requests]
    first, second = ({line.split(": ")[0].lower(): line.split(": ")[1] for line in head} for head in heads)
    assert ("vpn-worker/1", "application/json") == (first["user-agent"], first["accept"])
    assert first["x-request-id"] == first["x-openstack-request-id"]
    assert first["x-request-id"].startswith("req-")
    assert first["x-request-id"] != second["x-request-id"]
    assert "application/json" == first["content-type"] == second["content-type"]


async def test_one_connection_serves_one_call_after_the_other(open_transport: OpenTransport, listen: Listen) -> None:
    connections = 0
    server = RawServer((http("200 OK"),), stays=True)

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await server.serve(reader, writer)

    url = await listen(count)
    transport = await open_transport(connections=2)

    for _ in range(3):
        assert isinstance(await transport.send(post(url)), Reply)
    await asyncio.gather(*(transport.send(post(url)) for _ in range(8)))

    assert 2 == connections


async def test_a_space_in_a_query_can_be_read_in_one_way_only(
    open_transport: OpenTransport, answer_raw: AnswerRaw
) -> None:
    """
    Some take a plus sign for a plus sign: a signature would not fit, a filter would not match.
    """
    server = await answer_raw(http("200 OK"))
    transport = await open_transport()
    url = URL(server.url).with_path("/v 2/a+b").with_query({"name": "my service", "sum": "1+1"})

    await transport.send(Call("GET", url))

    assert server.requests[0].startswith(b"GET /v%202/a+b?name=my%20service&sum=1%2B1 HTTP/1.1\r\n")


@pytest.mark.parametrize("value", ["t\r\nX-Forged: 1", "t\n", "t\0", "tök", "\udc80"])
async def test_a_header_that_cannot_be_written_is_never_sent_and_never_shown(
    open_transport: OpenTransport, answer_raw: AnswerRaw, value: str
) -> None:
    server = await answer_raw(http("200 OK"))
    transport = await open_transport()

    reply = await transport.send(post(server.url, **{"X-Auth-Token": f"secret{value}"}))

    assert isinstance(reply, NoReply)
    assert ("request_unwritable", False) == (reply.config_fault, reply.is_sent)
    assert "secret" not in reply.words
    assert [] == server.requests


async def test_a_token_of_many_kilobytes_can_be_received(open_transport: OpenTransport, answer_raw: AnswerRaw) -> None:
    """
    A token that has its catalog inside is longer than the library takes by itself.
    """
    server = await answer_raw(http("201 Created", b"", "X-Subject-Token: " + "t" * 30_000))
    transport = await open_transport()

    reply = await transport.send(post(server.url))

    assert isinstance(reply, Reply)
    assert "t" * 30_000 == reply.headers["X-Subject-Token"]


async def test_a_redirect_is_an_answer(open_transport: OpenTransport, answer_raw: AnswerRaw) -> None:
    other = await answer_raw(http("200 OK"))
    server = await answer_raw(http("302 Found", b"", f"Location: {other.url}/"))
    transport = await open_transport()

    reply = await transport.send(post(server.url))

    assert isinstance(reply, Reply)
    assert 302 == reply.status
    assert [] == other.requests


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sun, 01 Mar 2026 12:00:00 GMT", NOON),
        ("Sun, 01 Mar 2026 14:00:00 +0200", NOON),
        ("Sunday, 01-Mar-26 12:00:00 GMT", NOON),
        ("Sun, 01 Mar 2026 12:00:00", NOON),
        ("yesterday", None),
        ("Sun, 99 Mar 2026 12:00:00 GMT", None),
        ("", None),
        (None, None),
    ],
)
def test_the_clouds_time_is_read_or_there_is_none(text: str | None, expected: datetime | None) -> None:
    reply = Reply(200, {} if text is None else {"Date": text}, b"")

    assert expected == reply.cloud_time


def test_a_moment_to_retry_at_counts_by_the_clouds_clock() -> None:
    headers = {"Date": "Sun, 01 Mar 2026 12:00:00 GMT", "Retry-After": "Sun, 01 Mar 2026 12:00:07 GMT"}

    assert 7.0 == Reply(429, headers, b"").retry_after_s
    assert 3.0 == Reply(429, {"Retry-After": " 3 "}, b"").retry_after_s
    assert Reply(429, {}, b"").retry_after_s is None
    assert Reply(429, {"Retry-After": "soon"}, b"").retry_after_s is None


def test_no_wait_is_negative_or_longer_than_an_hour() -> None:
    past, far = (NOON + timedelta(days=days) for days in (-1, 365_000))

    assert 0.0 == retry_after_s(past.strftime("%a, %d %b %Y %H:%M:%S GMT"), NOON)
    assert 3600.0 == retry_after_s(far.strftime("%a, %d %b %Y %H:%M:%S GMT"), NOON)
    assert 3600.0 == retry_after_s("9" * 400, NOON)
    assert retry_after_s("-1", NOON) is None
    assert retry_after_s("²", NOON) is None


async def test_an_answer_of_one_mebibyte_is_read_and_a_longer_one_is_not(
    open_transport: OpenTransport, answer_raw: AnswerRaw
) -> None:
    server = await answer_raw(http("200 OK", b" " * 1_048_576), http("200 OK", b" " * 1_048_577), stays=True)
    transport = await open_transport()

    whole, cut = await transport.send(post(server.url)), await transport.send(post(server.url))

    assert isinstance(whole, Reply)
    assert 1_048_576 == len(whole.body)
    assert isinstance(cut, NoReply)
    assert cut.is_sent
    assert "longer than 1048576 bytes" in cut.words


@pytest.mark.parametrize("coding", ["deflate", "gzip"])
async def test_an_answer_that_unpacks_without_end_costs_little_memory(
    open_transport: OpenTransport, answer_raw: AnswerRaw, coding: str
) -> None:
    pack = zlib.compressobj(wbits=31 if coding == "gzip" else 15)
    packed = pack.compress(b" " * 100_000_000) + pack.flush()
    server = await answer_raw(http("200 OK", packed, f"Content-Encoding: {coding}"))
    transport = await open_transport()

    tracemalloc.start()
    reply = await transport.send(post(server.url))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert isinstance(reply, NoReply)
    assert peak_bytes < 8_000_000


async def test_a_full_backlog_ends_with_the_connect_timeout(open_transport: OpenTransport) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
        transport = await open_transport(connect_timeout_s=0.3)

        reply = await transport.send(post(f"http://127.0.0.1:{listening.getsockname()[1]}"))

        for filler in fillers:
            filler.close()

    assert NoReply(is_sent=False, words="ConnectionTimeoutError: no connection within 0.3 s") == reply


async def test_silence_ends_with_the_read_timeout(open_transport: OpenTransport, listen: Listen) -> None:
    async def keep_silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass

    transport = await open_transport(read_timeout_s=0.2)

    reply = await transport.send(post(await listen(keep_silent)))

    assert isinstance(reply, NoReply)
    assert (True, "SocketTimeoutError: no piece of an answer for 0.2 s") == (reply.is_sent, reply.words)


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
        (b"HTTP/1.1 200 ", b"O"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["body", "header", "status line", "continue"],
)
async def test_what_never_ends_is_ended_by_the_total_timeout(
    open_transport: OpenTransport, listen: Listen, start: bytes, more: bytes
) -> None:
    """
    The read timeout does not help: there is always one more piece.
    """

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(more)
            await writer.drain()
            await asyncio.sleep(0.02)

    transport = await open_transport(total_timeout_s=0.3, read_timeout_s=0.2)

    reply = await transport.send(post(await listen(drip)))

    assert isinstance(reply, NoReply)
    assert (True, "TimeoutError: no whole answer within 0.3 s") == (reply.is_sent, reply.words)


async def test_headers_without_end_are_given_up(open_transport: OpenTransport, listen: Listen) -> None:
    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-More: and more\r\n" * 1000)
            await writer.drain()

    transport = await open_transport(total_timeout_s=2.0)

    reply = await transport.send(post(await listen(babble)))

    assert isinstance(reply, NoReply)
    assert reply.is_sent


async def test_the_id_that_we_sent_is_known_after_a_lost_answer(open_transport: OpenTransport, listen: Listen) -> None:
    """
    The cloud's support can look for nothing else.
    """
    heads = []

    async def hang_up(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))

    transport = await open_transport()

    reply = await transport.send(post(await listen(hang_up)))

    assert isinstance(reply, NoReply)
    assert f"X-Request-Id: {reply.request_id}\r\n".encode() in heads[0]
    unknown = unanswered_create(reply, Place(profile_named("otc")))
    assert isinstance(unknown, Unknown)
    assert reply.request_id == unknown.trouble.api_request_id
