"""
What goes wrong with certificates towards RabbitMQ, and what to do about it.
"""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from yarl import URL

from worker.accounts.tls_faults import (
    CertificateFault,
    HandshakeFault,
    causes,
    certificate_words,
    handshake_fault,
    handshake_words,
    tls_error,
)

CERTIFICATE_REMEDIES = {
    CertificateFault.UNTRUSTED: "if it is the right server, set VPN_WORKER_AMQP_CA_FILE to the certificate of its "
    "authority",
    CertificateFault.OTHER_HOST: "check the host name in VPN_WORKER_AMQP_URL",
}
HANDSHAKE_REMEDIES = {
    HandshakeFault.WANTS_OURS: "set VPN_WORKER_AMQP_CERT_FILE and VPN_WORKER_AMQP_KEY_FILE",
    HandshakeFault.DISLIKES_OURS: "check who signed VPN_WORKER_AMQP_CERT_FILE, and until when it is valid",
    HandshakeFault.OURS_EXPIRED: "renew VPN_WORKER_AMQP_CERT_FILE",
    HandshakeFault.BROKEN_OFF: "it may ask for a client certificate (VPN_WORKER_AMQP_CERT_FILE), or for other TLS "
    "versions than ours",
    HandshakeFault.NO_TLS: "check the port in VPN_WORKER_AMQP_URL (TLS has 5671 by default), or write amqp:// for a "
    "connection without TLS",
}
#: How a connection ends that the server closes before it is open; the last as aiormq 7.2.4 says it.
_HUNG_UP = (ConnectionResetError, BrokenPipeError, asyncio.IncompleteReadError, StopAsyncIteration)
_REASON_S = 2.0


def tls_trouble(exc: BaseException, url: URL) -> str | None:
    """
    What is wrong with TLS, as the rest of a sentence that begins with the server; None when it is something else.

    Args:
        exc: what opening a connection raised; decided by types and OpenSSL's codes in it and its causes.
        url: where the connection was to go.
    """
    tls = tls_error(exc)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return f"has a certificate that {certificate_words(tls, CERTIFICATE_REMEDIES)}"
    if tls is not None and (fault := handshake_fault(tls)) is not None:
        return f"{handshake_words(fault, HANDSHAKE_REMEDIES)} ({tls.reason})"
    if url.scheme == "amqps":
        for name in ("cafile", "certfile", "keyfile"):
            path = url.query.get(name)
            if path is not None and not _is_readable(path):
                return f"cannot be reached with TLS: the file {path} cannot be read"
    return None


async def why_hung_up(exc: BaseException, url: URL) -> BaseException:
    """
    What the server had to say when it hung up at the beginning of a connection with TLS; `exc` itself if nothing.

    With TLS 1.3 a server refuses our certificate when the handshake is over for us. By then we have written, which
    makes its hanging up overtake its reason. So another handshake is made, and nothing written after it.
    """
    if url.scheme != "amqps" or not _is_hung_up(exc):
        return exc
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(_REASON_S):
            context = await asyncio.to_thread(_context, url)
            reader, writer = await asyncio.open_connection(url.host, url.port or 5671, ssl=context)
            await reader.read(1)
    except ssl.SSLError as said:
        return said
    except (OSError, TimeoutError):  # it is gone, or it has nothing against us and waits for what we write
        return exc
    finally:
        if writer is not None:
            writer.transport.abort()
    return exc


def reset_remedy(exc: BaseException, url: URL) -> str:
    """
    What else may help when a server hung up at the beginning of a connection: the end of a sentence, or nothing.
    """
    if not _is_hung_up(exc):
        return ""
    if url.scheme == "amqp":
        return "; if its port is one for TLS, write amqps://"
    return "" if "certfile" in url.query else "; it may ask for a client certificate (VPN_WORKER_AMQP_CERT_FILE)"


def _is_hung_up(exc: BaseException) -> bool:
    return any(isinstance(one, _HUNG_UP) for one in causes(exc))


def _context(url: URL) -> ssl.SSLContext:
    """
    As aiormq makes it.
    """
    query = url.query
    context = ssl.create_default_context(cafile=query.get("cafile"), capath=query.get("capath"))
    if query.get("no_verify_ssl", "0") != "0":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if (cert := query.get("certfile")) is not None:
        context.load_cert_chain(cert, query.get("keyfile"), password="")
    return context


def _is_readable(path: str) -> bool:
    try:
        with Path(path).open("rb"):
            return True
    except OSError:
        return False
