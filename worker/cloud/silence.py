"""
What it means that a call has no answer: whether it was sent, why there is none, and what to mend.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass

import aiohttp

from worker.accounts.tls_faults import (
    CertificateFault,
    HandshakeFault,
    certificate_words,
    handshake_fault,
    handshake_words,
    tls_error,
)
from worker.cloud.call import Call
from worker.cloud.masking import masked
from worker.cloud.options import TransportOptions
from worker.cloud.reply import NoReply
from worker.cloud.wire import one_line

_WORDS_LIMIT = 300

CERTIFICATE_REMEDIES = {
    CertificateFault.UNTRUSTED: "if it is the right server, set VPN_WORKER_API_CA_FILE",
    CertificateFault.OTHER_HOST: "check the host name in the URL",
}
HANDSHAKE_REMEDIES = {
    HandshakeFault.WANTS_OURS: "set VPN_WORKER_API_CERT_FILE",
    HandshakeFault.DISLIKES_OURS: "check VPN_WORKER_API_CERT_FILE",
    HandshakeFault.OURS_EXPIRED: "renew VPN_WORKER_API_CERT_FILE",
    HandshakeFault.BROKEN_OFF: "it may ask for a client certificate (VPN_WORKER_API_CERT_FILE), or for other TLS "
    "versions than ours",
    HandshakeFault.NO_TLS: "check scheme and port of the URL",
}


@dataclass(slots=True)
class Progress:
    """
    How far a call has come.
    """

    is_sent: bool = False
    is_new_connection: bool = False


def no_reply(exc: Exception, progress: Progress, options: TransportOptions, call: Call) -> NoReply:
    """
    Why a call has no answer, by the type of what the library raised and the codes in it.
    """
    tls = tls_error(exc)
    if isinstance(tls, ssl.SSLCertVerificationError):
        words = f"The server's certificate {certificate_words(tls, CERTIFICATE_REMEDIES)}"
        return NoReply(is_sent=False, words=one_line(words, _WORDS_LIMIT), config_fault="certificate_refused")
    fault = None if tls is None else handshake_fault(tls)
    is_unread = progress.is_new_connection or not progress.is_sent
    if tls is not None and fault is not None and fault.is_of_our_certificate and is_unread:
        # With TLS 1.3 it may come after the request was written, but the server has read nothing of it.
        words = f"The server {handshake_words(fault, HANDSHAKE_REMEDIES)} ({tls.reason})"
        return NoReply(is_sent=False, words=words, config_fault="client_certificate_refused")
    if isinstance(exc, aiohttp.ClientHttpProxyError):
        return _refused_by_proxy(exc.status)
    if isinstance(exc, ValueError):
        # A header or URL that cannot be written. Its words may hold the secret that is wrong.
        words = f"{type(exc).__name__}: the request cannot be written; check the credentials and the URL"
        return NoReply(is_sent=progress.is_sent, words=words, config_fault="request_unwritable")
    # The library quotes what it cannot read.
    words = masked(_words(exc, fault, options), call)
    return NoReply(is_sent=progress.is_sent, words=one_line(words, _WORDS_LIMIT))


def _refused_by_proxy(status: int) -> NoReply:
    """
    The proxy answered our CONNECT with an error: the cloud has seen nothing.
    """
    if status == 407:
        words = "The proxy asks for user and password (407); set them in HTTPS_PROXY."
    else:
        words = f"The proxy does not let us through to the cloud: HTTP {status}."
    is_settings_fault = 400 <= status < 500 and status not in {408, 425, 429}
    return NoReply(is_sent=False, words=words, config_fault="proxy_refused" if is_settings_fault else None)


def _words(exc: Exception, fault: HandshakeFault | None, options: TransportOptions) -> str:
    if isinstance(exc, aiohttp.ConnectionTimeoutError):
        said = f"no connection within {options.connect_timeout_s:g} s"
    elif isinstance(exc, aiohttp.SocketTimeoutError):
        said = f"no piece of an answer for {options.read_timeout_s:g} s"
    elif isinstance(exc, TimeoutError):
        said = f"no whole answer within {options.total_timeout_s:g} s"
    elif fault is not None:
        said = f"the server {handshake_words(fault, HANDSHAKE_REMEDIES)}"
    else:
        said = str(exc)
    return f"{type(exc).__name__}: {said}" if said else type(exc).__name__
