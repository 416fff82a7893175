"""
Proxies that the environment names, over a small real one.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable

import pytest
from yarl import URL

from tests.authority import Authority
from tests.cloud.conftest import RawServer, http
from worker.cloud.call import Call
from worker.cloud.reply import NoReply, Reply
from worker.cloud.transport import Transport

OpenTransport = Callable[..., Awaitable[Transport]]
AnswerRaw = Callable[..., Awaitable[RawServer]]
Listen = Callable[..., Awaitable[str]]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


class TunnelProxy:
    """
    Opens a tunnel to wherever a CONNECT asks for.

    Attributes:
        heads: of the CONNECTs that came.
    """

    def __init__(self) -> None:
        self.heads: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        host, _, port = head.split(b" ")[1].decode().rpartition(":")
        up_reader, up_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(pump(reader, up_writer), pump(up_reader, writer))
        finally:
            up_writer.transport.abort()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65_536):
        writer.write(piece)
        await writer.drain()


@pytest.fixture
def tls(authority: Authority) -> ssl.SSLContext:
    return authority.server("good")


async def test_https_goes_through_a_tunnel(
    open_transport: OpenTransport,
    answer_raw: AnswerRaw,
    listen: Listen,
    authority: Authority,
    tls: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = await answer_raw(http("200 OK"), stays=True, tls=tls)
    proxy = TunnelProxy()
    proxy_url = (await listen(proxy.serve)).replace("//", "//user:pass@")
    monkeypatch.setenv("HTTPS_PROXY", proxy_url)
    transport = await open_transport(ca_file=authority.certificate)

    replies = [await transport.send(Call("POST", URL(server.url), b"{}", {"X-Auth-Token": "secret"})) for _ in range(2)]

    (head,) = proxy.heads
    assert all(isinstance(reply, Reply) for reply in replies)
    assert 2 == len(server.requests)
    assert head.startswith(b"CONNECT 127.0.0.1:")
    assert b"Proxy-Authorization: Basic " + b64encode(b"user:pass") in head
    assert b"secret" not in head


@pytest.mark.parametrize(
    ("status", "config_fault", "words"),
    [
        ("407 Proxy Authentication Required", "proxy_refused", "user and password (407); set them in HTTPS_PROXY"),
        ("403 Forbidden", "proxy_refused", "HTTP 403"),
        ("502 Bad Gateway", None, "HTTP 502"),
        ("429 Too Many", None, "HTTP 429"),
    ],
)
async def test_a_proxy_that_opens_no_tunnel_has_sent_nothing(
    open_transport: OpenTransport,
    answer_raw: AnswerRaw,
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    config_fault: str | None,
    words: str,
) -> None:
    """
    A 502 of the cloud may hide a service that was made; this one cannot.
    """
    proxy = await answer_raw(http(status))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//user:wrong@"))
    transport = await open_transport()

    reply = await transport.send(Call("POST", URL("https://vpc.example.com/"), b"{}"))

    assert isinstance(reply, NoReply)
    assert (False, config_fault) == (reply.is_sent, reply.config_fault)
    assert words in reply.words
    assert "wrong" not in reply.words


async def test_a_proxy_that_hangs_or_is_not_there_has_sent_nothing(
    open_transport: OpenTransport, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{taken.getsockname()[1]}")
        absent = await (await open_transport()).send(Call("POST", URL("https://vpc.example.com/"), b"{}"))
    monkeypatch.setenv("HTTPS_PROXY", await listen(hang))
    hanging = await (await open_transport(total_timeout_s=0.2)).send(
        Call("POST", URL("https://vpc.example.com/"), b"{}")
    )

    for reply in (absent, hanging):
        assert isinstance(reply, NoReply)
        assert (False, None) == (reply.is_sent, reply.config_fault)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_http_is_asked_of_the_proxy_itself(
    open_transport: OpenTransport, answer_raw: AnswerRaw, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """
    Without a scheme it is an HTTP proxy, as curl has it.
    """
    proxy = await answer_raw(http("200 OK"))
    monkeypatch.setenv(name, proxy.url.removeprefix("http://"))
    transport = await open_transport()

    reply = await transport.send(Call("POST", URL("http://vpc.example.com/v2.0"), b"{}"))

    assert isinstance(reply, Reply)
    assert proxy.requests[0].startswith(b"POST http://vpc.example.com/v2.0 HTTP/1.1\r\n")


@pytest.mark.parametrize("exempt", ["127.0.0.1", "{host_port}", "example.com,127.0.0.1", "*"])
async def test_what_no_proxy_names_is_asked_directly(
    open_transport: OpenTransport, answer_raw: AnswerRaw, monkeypatch: pytest.MonkeyPatch, exempt: str
) -> None:
    server, proxy = await answer_raw(http("200 OK")), await answer_raw(http("502 Bad Gateway"))
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", exempt.format(host_port=server.url.removeprefix("http://")))
    transport = await open_transport()

    reply = await transport.send(Call("POST", URL(server.url), b"{}"))

    assert isinstance(reply, Reply)
    assert 200 == reply.status
    assert [] == proxy.requests


@pytest.mark.parametrize("proxy", ["socks5://user:secret@127.0.0.1:1080", "http://", "http://user:secret@[::1"])
async def test_a_proxy_that_cannot_be_used_is_a_settings_fault(
    open_transport: OpenTransport, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    transport = await open_transport()

    reply = await transport.send(Call("POST", URL("https://vpc.example.com/"), b"{}"))

    assert isinstance(reply, NoReply)
    assert ("proxy_refused", False) == (reply.config_fault, reply.is_sent)
    assert "correct HTTPS_PROXY" in reply.words
    assert "secret" not in reply.words
