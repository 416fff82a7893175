"""
The client against a network in bad weather: sockets that refuse, break off, babble or never end.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson
import pytest

from tests.cloud.conftest import RawServer
from worker.cloud.client import CloudClient
from worker.core.answers import Busy, Created, Listed, Misconfigured, Refused, Trouble, Unknown

Connect = Callable[..., Awaitable[CloudClient]]
AnswerRaw = Callable[..., Awaitable[RawServer]]
BODY = b'{"vpnservice": {"router_id": "r"}}'
SERVICE = b'{"vpnservice": {"id": "s-1", "router_id": "r"}}'


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


async def test_a_refused_connection_is_busy_because_nothing_was_sent(connect: Connect, closed_port: int) -> None:
    client = await connect(f"http://127.0.0.1:{closed_port}")

    created, listed = await client.create(BODY), await client.list_services("r")

    assert isinstance(created, Busy)
    assert "unreachable" == created.trouble.code
    assert isinstance(listed, Busy)


async def test_a_name_that_cannot_be_found_is_busy(connect: Connect) -> None:
    client = await connect("http://[::1%nowhere]:9", connect_timeout_s=0.5)

    assert isinstance(await client.create(BODY), Busy)


async def test_a_connection_that_is_never_accepted_is_busy(connect: Connect) -> None:
    """
    A full backlog drops the handshake: the connect times out and nothing was sent.
    """
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port = listening.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        client = await connect(f"http://127.0.0.1:{port}", connect_timeout_s=0.3)

        answer = await client.create(BODY)

        for filler in fillers:
            filler.close()

    assert isinstance(answer, Busy)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x16\x03\x01\x00\x05hello",
        b"220 mail.example.com ESMTP ready\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Le",
        b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 201 Created\r\nContent-Length: 999\r\n\r\n{",
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 201 Created\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nX-Odd: \x00\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"\xff" * 100,
    ],
    ids=lambda raw: repr(raw[:30]),
)
async def test_what_is_no_whole_http_answer_is_unknown_and_a_look_is_busy(
    connect: Connect, answer_raw: AnswerRaw, raw: bytes
) -> None:
    server = await answer_raw(raw)
    client = await connect(server.url)

    created, listed = await client.create(BODY), await client.list_services("r")

    assert isinstance(created, Unknown)
    assert "answer_lost" == created.trouble.code
    assert isinstance(listed, Busy)


async def test_an_answer_that_is_too_large_is_unknown(connect: Connect, answer_raw: AnswerRaw) -> None:
    server = await answer_raw(http("201 Created", b" " * 1_048_577 + SERVICE))
    client = await connect(server.url)

    assert isinstance(await client.create(BODY), Unknown)


async def test_an_answer_that_unpacks_without_end_is_unknown(connect: Connect, answer_raw: AnswerRaw) -> None:
    packed = zlib.compress(b" " * 50_000_000)
    server = await answer_raw(http("201 Created", packed, "Content-Encoding: deflate"))
    client = await connect(server.url)

    assert isinstance(await client.create(BODY), Unknown)


async def test_an_answer_that_never_ends_is_unknown_after_the_timeout(
    connect: Connect, listen: Callable[..., Awaitable[str]]
) -> None:
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\n \r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    client = await connect(await listen(drip), total_timeout_s=0.3)

    answer = await client.create(BODY)

    assert isinstance(answer, Unknown)
    assert "TimeoutError" in answer.trouble.message


async def test_a_redirect_is_not_followed(connect: Connect, answer_raw: AnswerRaw) -> None:
    """
    It would turn the POST into a GET, and carry the token to another host.
    """
    other = await answer_raw(http("201 Created", SERVICE))
    server = await answer_raw(http("302 Found", b"", f"Location: {other.url}/v2.0/vpn/vpnservices"))
    client = await connect(server.url, token="secret")

    created, listed = await client.create(BODY), await client.list_services("r")

    assert isinstance(created, Unknown)
    assert 302 == created.trouble.http_status
    assert isinstance(listed, Misconfigured)
    assert f"redirects to {other.url}/v2.0/vpn/vpnservices" in listed.trouble.message
    assert [] == other.requests


async def test_what_is_sent_is_one_post_with_the_body_word_for_word(connect: Connect, answer_raw: AnswerRaw) -> None:
    server = await answer_raw(http("201 Created", SERVICE))
    client = await connect(f"{server.url}/prefix/", token="t-1", user_agent="vpn-worker/1")

    answer = await client.create(BODY)

    (request,) = server.requests
    head, body = request.split(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert isinstance(answer, Created)
    assert BODY == body
    assert "post /prefix/v2.0/vpn/vpnservices http/1.1" == lines[0]
    assert {"x-auth-token: t-1", "content-type: application/json", "user-agent: vpn-worker/1"} <= set(lines)


async def test_the_next_page_is_asked_of_the_same_host(connect: Connect, answer_raw: AnswerRaw) -> None:
    other = await answer_raw(http("200 OK", b'{"vpnservices": []}'))
    links = [{"rel": "next", "href": f"{other.url}/v2.0/vpn/vpnservices?router_id=r&marker=a"}]
    page = orjson.dumps({"vpnservices": [{"id": "a"}], "vpnservices_links": links})
    last = b'{"vpnservices": [{"id": "b"}]}'
    server = await answer_raw(http("200 OK", page), http("200 OK", last), stays=True)
    client = await connect(server.url, token="secret")

    answer = await client.list_services("r")

    assert isinstance(answer, Listed)
    assert ["a", "b"] == [one.id for one in answer.services]
    assert server.requests[1].startswith(b"GET /v2.0/vpn/vpnservices?router_id=r&marker=a ")
    assert [] == other.requests


@pytest.mark.parametrize("href", ["http://[", "http://x:port/", "//[::1"])
async def test_a_link_that_is_no_link_fails_the_list(connect: Connect, answer_raw: AnswerRaw, href: str) -> None:
    page = orjson.dumps({"vpnservices": [], "vpnservices_links": [{"rel": "next", "href": href}]})
    server = await answer_raw(http("200 OK", page))
    client = await connect(server.url)

    assert isinstance(await client.list_services("r"), Busy)


async def test_odd_bytes_in_headers_reach_neither_ledger_nor_log(connect: Connect, answer_raw: AnswerRaw) -> None:
    """
    Half a surrogate pair cannot be written as JSON: one answer would block the ledger's writes for ever.
    """
    odd = http("400 Bad", b'{"code": "X", "message": "no"}', "X-Request-Id: a\xffb", "Retry-After: \xb2")
    server = await answer_raw(odd)
    client = await connect(server.url)

    answer = await client.create(BODY)

    assert isinstance(answer, Refused)
    assert (answer.trouble.api_request_id or "").isprintable()
    orjson.dumps(answer.trouble.api_request_id)


async def test_the_words_of_a_broken_answer_can_be_written_down(connect: Connect, answer_raw: AnswerRaw) -> None:
    server = await answer_raw(b"HTTP/1.1 20\xff1 \xff\xfe\n\r\n\r\n")
    client = await connect(server.url)

    answer = await client.create(BODY)

    trouble: Trouble | None = getattr(answer, "trouble", None)
    assert trouble is not None
    assert trouble.message.isprintable()
    assert len(trouble.message) < 400
    orjson.dumps(trouble.message)


@pytest.fixture(scope="session")
def unknown_ca(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """
    A server's TLS with a certificate that nobody trusts.
    """
    folder: Path = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    subprocess.run([*command, "-out", certificate, "-keyout", key], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def test_a_certificate_of_an_unknown_ca_is_a_configuration_fault(
    connect: Connect, answer_raw: AnswerRaw, unknown_ca: ssl.SSLContext
) -> None:
    server = await answer_raw(http("201 Created", SERVICE), tls=unknown_ca)
    client = await connect(server.url, token="secret")

    created, listed = await client.create(BODY), await client.list_services("r")

    assert isinstance(created, Misconfigured)
    assert isinstance(listed, Misconfigured)
    assert "certificate_refused" == created.trouble.code
    assert [] == server.requests


async def test_a_server_that_speaks_no_tls_is_busy(connect: Connect, answer_raw: AnswerRaw) -> None:
    server = await answer_raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    client = await connect(server.url.replace("http:", "https:"), total_timeout_s=1.0)

    assert isinstance(await client.create(BODY), Busy)


async def test_a_request_that_cannot_be_written_is_not_sent_and_shows_no_secret(
    connect: Connect, answer_raw: AnswerRaw
) -> None:
    """
    The settings refuse such a token; here the library says "sent" before it writes, so the POST counts as unknown.
    """
    server = await answer_raw(http("201 Created", SERVICE))
    client = await connect(server.url, token="secret\r\nX-Forged: 1")

    created, listed = await client.create(BODY), await client.list_services("r")

    assert isinstance(created, Unknown | Misconfigured)
    assert isinstance(listed, Misconfigured)
    assert "secret" not in f"{created}{listed}"
    assert [] == server.requests
