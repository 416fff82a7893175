"""
Certificates, theirs and ours, over real TLS.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from yarl import URL

from tests.authority import Authority
from tests.cloud.conftest import RawServer, http
from worker.cloud.call import Call
from worker.cloud.reply import NoReply, Reply
from worker.cloud.transport import Transport

OpenTransport = Callable[..., Awaitable[Transport]]
AnswerRaw = Callable[..., Awaitable[RawServer]]


async def test_a_certificate_of_an_authority_of_ones_own_is_accepted(
    open_transport: OpenTransport, answer_raw: AnswerRaw, authority: Authority
) -> None:
    server = await answer_raw(http("200 OK"), tls=authority.server("good"))
    transport = await open_transport(ca_file=authority.certificate)

    assert isinstance(await transport.send(Call("GET", URL(server.url))), Reply)


@pytest.mark.parametrize(
    ("name", "trusts", "words"),
    [
        ("good", False, "signed by an authority unknown here; if it is the right server, set VPN_WORKER_API_CA_FILE"),
        ("stranger", True, "signed by an authority unknown here"),
        ("other", True, "is of another host; check the host name in the URL"),
        ("expired", True, "has expired; its owner must renew it, or this machine's clock is wrong"),
    ],
)
async def test_a_certificate_that_is_not_good_is_refused_with_the_remedy(
    open_transport: OpenTransport, answer_raw: AnswerRaw, authority: Authority, name: str, trusts: bool, words: str
) -> None:
    server = await answer_raw(http("200 OK"), tls=authority.server(name))
    transport = await open_transport(**({"ca_file": authority.certificate} if trusts else {}))

    reply = await transport.send(Call("POST", URL(server.url), b"{}", {"X-Auth-Token": "secret"}))

    assert isinstance(reply, NoReply)
    assert ("certificate_refused", False) == (reply.config_fault, reply.is_sent)
    assert words in reply.words
    assert [] == server.requests


async def test_a_certificate_is_good_for_the_names_in_it_alone(
    open_transport: OpenTransport, answer_raw: AnswerRaw, authority: Authority
) -> None:
    server = await answer_raw(http("200 OK"), tls=authority.server("good"))
    transport = await open_transport(ca_file=authority.certificate)

    reply = await transport.send(Call("GET", URL(server.url.replace("127.0.0.1", "localhost"))))

    assert isinstance(reply, NoReply)
    assert "certificate_refused" == reply.config_fault
    assert "is of another host" in reply.words


@pytest.mark.parametrize("key_file", [True, False], ids=["key beside", "key inside"])
async def test_our_certificate_is_shown_to_a_server_that_asks(
    open_transport: OpenTransport, answer_raw: AnswerRaw, authority: Authority, tmp_path: Path, key_file: bool
) -> None:
    server = await answer_raw(http("200 OK"), tls=authority.server("good", wants_certificate=True))
    both = tmp_path / "both.pem"
    both.write_bytes(authority.file("other").read_bytes() + authority.key("other").read_bytes())
    ours = (
        {"cert_file": authority.file("other"), "key_file": authority.key("other")} if key_file else {"cert_file": both}
    )
    transport = await open_transport(ca_file=authority.certificate, **ours)

    assert isinstance(await transport.send(Call("GET", URL(server.url))), Reply)


@contextlib.contextmanager
def polite_server(context: ssl.SSLContext) -> Iterator[str]:
    """
    A server that tells why it breaks a handshake off, and waits until the client has read it, as real ones mostly do.
    """
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        accepted, _ = listening.accept()
        with context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False) as tls:
            tls.settimeout(5)
            with contextlib.suppress(OSError):
                tls.do_handshake()
            with socket.socket(fileno=tls.detach()) as plain, contextlib.suppress(OSError):
                plain.settimeout(5)
                plain.shutdown(socket.SHUT_WR)
                while plain.recv(1000):
                    pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        thread.join(5)
        listening.close()


async def test_a_certificate_of_ours_that_is_missing_is_a_settings_fault_and_nothing_was_done(
    open_transport: OpenTransport, authority: Authority
) -> None:
    """
    In TLS 1.3 the request is written before the server says that it wants a certificate, and is thrown away.
    """
    transport = await open_transport(ca_file=authority.certificate)

    with polite_server(authority.server("good", wants_certificate=True)) as url:
        reply = await transport.send(Call("POST", URL(url), b"{}"))

    assert isinstance(reply, NoReply)
    assert ("client_certificate_refused", False) == (reply.config_fault, reply.is_sent)
    assert "asks for a client certificate; set VPN_WORKER_API_CERT_FILE" in reply.words


async def test_a_certificate_of_ours_that_is_not_trusted_is_a_settings_fault(
    open_transport: OpenTransport, authority: Authority
) -> None:
    ours = {"cert_file": authority.file("stranger"), "key_file": authority.key("stranger")}
    transport = await open_transport(ca_file=authority.certificate, **ours)

    with polite_server(authority.server("good", wants_certificate=True)) as url:
        reply = await transport.send(Call("POST", URL(url), b"{}"))

    assert isinstance(reply, NoReply)
    assert ("client_certificate_refused", False) == (reply.config_fault, reply.is_sent)
    assert "refuses our client certificate" in reply.words


async def test_older_tls_breaks_off_without_a_proof(open_transport: OpenTransport, authority: Authority) -> None:
    context = authority.server("good", wants_certificate=True)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    transport = await open_transport(ca_file=authority.certificate)

    with polite_server(context) as url:
        reply = await transport.send(Call("POST", URL(url), b"{}"))

    assert isinstance(reply, NoReply)
    assert (None, False) == (reply.config_fault, reply.is_sent)
    assert "it may ask for a client certificate" in reply.words


async def test_a_port_without_tls_is_named_as_such(
    open_transport: OpenTransport, listen: Callable[..., Awaitable[str]]
) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(http("400 Bad Request"))
        await writer.drain()

    url = await listen(refuse)
    transport = await open_transport()

    reply = await transport.send(Call("POST", URL(url.replace("http:", "https:")), b"{}"))

    assert isinstance(reply, NoReply)
    assert (None, False) == (reply.config_fault, reply.is_sent)
    assert "does not speak TLS; check scheme and port" in reply.words


async def test_a_certificate_file_that_cannot_be_read_stops_the_start(
    open_transport: OpenTransport, authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "empty.pem").touch()

    with pytest.raises(FileNotFoundError):
        await open_transport(ca_file=tmp_path / "none.pem")
    with pytest.raises(ssl.SSLError):
        await open_transport(cert_file=tmp_path / "empty.pem")
    with pytest.raises(ssl.SSLError):
        await open_transport(cert_file=authority.file("good"), key_file=authority.key("other"))
