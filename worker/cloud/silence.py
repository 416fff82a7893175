"""
What it means that a call has no answer: whether it was sent, why there is none, and what to mend.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import aiohttp

from worker.cloud.call import Call
from worker.cloud.masking import masked
from worker.cloud.options import TransportOptions
from worker.cloud.reply import NoReply
from worker.cloud.wire import one_line

_WORDS_LIMIT = 300

_UNTRUSTED = "is signed by an authority unknown here; if it is the right server, set VPN_WORKER_API_CA_FILE"
_OTHER_HOST = "is of another host; check the host name in the URL"
#: What is wrong with a server's certificate, by OpenSSL's verify code (source: openssl/x509_vfy.h).
_CERTIFICATE_WORDS = {
    2: _UNTRUSTED,
    9: "is not valid yet; check this machine's clock",
    10: "has expired; its owner must renew it, or this machine's clock is wrong",
    18: _UNTRUSTED,
    19: _UNTRUSTED,
    20: _UNTRUSTED,
    21: _UNTRUSTED,
    62: _OTHER_HOST,
    64: _OTHER_HOST,
}
_WANTS_OURS = "The server asks for a client certificate; set VPN_WORKER_API_CERT_FILE"
_DISLIKES_OURS = "The server refuses our client certificate; check VPN_WORKER_API_CERT_FILE"
#: What a server says of our certificate, by OpenSSL's reason (source: openssl/sslerr.h; RFC 8446, 6.2). With TLS 1.3
#: it may come after the request was written, but the server has read nothing of it: nothing was done.
_ALERT_WORDS = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _WANTS_OURS,
    "SSLV3_ALERT_BAD_CERTIFICATE": _DISLIKES_OURS,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": _DISLIKES_OURS,
    "SSLV3_ALERT_CERTIFICATE_REVOKED": _DISLIKES_OURS,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _DISLIKES_OURS,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": _DISLIKES_OURS,
    "TLSV1_ALERT_UNKNOWN_CA": _DISLIKES_OURS,
}
#: What else goes wrong before there is a connection, and is no proof of a wrong setting.
_TLS_WORDS = {
    # TLS 1.2 says this for a missing client certificate, and for much else.
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the server broke off the TLS handshake; it may ask for a client certificate"
    " (VPN_WORKER_API_CERT_FILE), or for other TLS versions than ours",
    "WRONG_VERSION_NUMBER": "the server does not speak TLS; check scheme and port of the URL",
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
    # The innermost: the library's own exceptions are SSLErrors as well, without what OpenSSL said.
    tls = next((one for one in reversed(list(_causes(exc))) if isinstance(one, ssl.SSLError)), None)
    reason = getattr(tls, "reason", None) or ""
    if isinstance(tls, ssl.SSLCertVerificationError):
        wrong = _CERTIFICATE_WORDS.get(tls.verify_code, "is not good")
        words = f"The server's certificate {wrong}. OpenSSL says: {tls.verify_message}"
        return NoReply(is_sent=False, words=one_line(words, _WORDS_LIMIT), config_fault="certificate_refused")
    if reason in _ALERT_WORDS and (progress.is_new_connection or not progress.is_sent):
        words = f"{_ALERT_WORDS[reason]} ({reason})"
        return NoReply(is_sent=False, words=words, config_fault="client_certificate_refused")
    if isinstance(exc, aiohttp.ClientHttpProxyError):
        return _refused_by_proxy(exc.status)
    if isinstance(exc, ValueError):
        # A header or URL that cannot be written. Its words may hold the secret that is wrong.
        words = f"{type(exc).__name__}: the request cannot be written; check the credentials and the URL"
        return NoReply(is_sent=progress.is_sent, words=words, config_fault="request_unwritable")
    # The library quotes what it cannot read.
    words = masked(_words(exc, reason, options), call)
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


def _words(exc: Exception, reason: str, options: TransportOptions) -> str:
    if isinstance(exc, aiohttp.ConnectionTimeoutError):
        said = f"no connection within {options.connect_timeout_s:g} s"
    elif isinstance(exc, aiohttp.SocketTimeoutError):
        said = f"no piece of an answer for {options.read_timeout_s:g} s"
    elif isinstance(exc, TimeoutError):
        said = f"no whole answer within {options.total_timeout_s:g} s"
    else:
        said = _TLS_WORDS.get(reason) or str(exc)
    return f"{type(exc).__name__}: {said}" if said else type(exc).__name__


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    while exc is not None:
        yield exc
        exc = exc.__cause__
