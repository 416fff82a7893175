"""
What goes wrong with TLS, told apart by OpenSSL's codes; whom we speak to, and which settings help, add the edges.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from enum import Enum


class CertificateFault(Enum):
    """
    What is wrong with a server's certificate, as the rest of a sentence that begins with it.
    """

    UNTRUSTED = "is signed by an authority unknown here"
    TOO_EARLY = "is not valid yet; check this machine's clock"
    EXPIRED = "has expired; its owner must renew it, or this machine's clock is wrong"
    OTHER_HOST = "is of another host"
    OTHER = "is not good"


class HandshakeFault(Enum):
    """
    Why there is no connection, as the rest of a sentence that begins with the server.
    """

    WANTS_OURS = "asks for a client certificate"
    DISLIKES_OURS = "refuses our client certificate"
    OURS_EXPIRED = "says that our client certificate has expired"
    BROKEN_OFF = "broke off the TLS handshake"
    NO_TLS = "does not speak TLS"

    @property
    def is_of_our_certificate(self) -> bool:
        """
        Whether the server said that it is the certificate we show, or do not show.
        """
        return self in {HandshakeFault.WANTS_OURS, HandshakeFault.DISLIKES_OURS, HandshakeFault.OURS_EXPIRED}


#: By OpenSSL's verify code (source: openssl/x509_vfy.h).
VERIFY_CODES: Mapping[int, CertificateFault] = {
    2: CertificateFault.UNTRUSTED,
    9: CertificateFault.TOO_EARLY,
    10: CertificateFault.EXPIRED,
    18: CertificateFault.UNTRUSTED,
    19: CertificateFault.UNTRUSTED,
    20: CertificateFault.UNTRUSTED,
    21: CertificateFault.UNTRUSTED,
    62: CertificateFault.OTHER_HOST,
    64: CertificateFault.OTHER_HOST,
}
#: By OpenSSL's reason (source: openssl/sslerr.h; RFC 8446, 6.2).
REASONS: Mapping[str, HandshakeFault] = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": HandshakeFault.WANTS_OURS,
    "SSLV3_ALERT_BAD_CERTIFICATE": HandshakeFault.DISLIKES_OURS,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": HandshakeFault.OURS_EXPIRED,
    "SSLV3_ALERT_CERTIFICATE_REVOKED": HandshakeFault.DISLIKES_OURS,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": HandshakeFault.DISLIKES_OURS,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": HandshakeFault.DISLIKES_OURS,
    "TLSV1_ALERT_UNKNOWN_CA": HandshakeFault.DISLIKES_OURS,
    # TLS 1.2 says this for a missing client certificate, and for much else.
    "SSLV3_ALERT_HANDSHAKE_FAILURE": HandshakeFault.BROKEN_OFF,
    "WRONG_VERSION_NUMBER": HandshakeFault.NO_TLS,
}


def tls_error(exc: BaseException) -> ssl.SSLError | None:
    """
    What OpenSSL said, in what a connection or a call raised; None when it is not about TLS.

    The innermost one: libraries raise SSLErrors of their own around it, without its codes.
    """
    return next((one for one in reversed(list(causes(exc))) if isinstance(one, ssl.SSLError)), None)


def handshake_fault(exc: ssl.SSLError) -> HandshakeFault | None:
    """
    Why there is no connection; None when it is none of the reasons that we know more about.
    """
    # One that was not raised by OpenSSL has no reason at all.
    return REASONS.get(getattr(exc, "reason", None) or "")


def certificate_words(exc: ssl.SSLCertVerificationError, remedies: Mapping[CertificateFault, str]) -> str:
    """
    What is wrong with the server's certificate, with the remedy and OpenSSL's own words.
    """
    fault = VERIFY_CODES.get(exc.verify_code, CertificateFault.OTHER)
    return f"{_with_remedy(fault.value, remedies.get(fault))}. OpenSSL says: {exc.verify_message}"


def handshake_words(fault: HandshakeFault, remedies: Mapping[HandshakeFault, str]) -> str:
    """
    Why there is no connection, with the remedy.
    """
    return _with_remedy(fault.value, remedies.get(fault))


def causes(exc: BaseException | None) -> Iterator[BaseException]:
    """
    The exception, its cause, and so on.
    """
    while exc is not None:
        yield exc
        exc = exc.__cause__


def _with_remedy(words: str, remedy: str | None) -> str:
    return words if remedy is None else f"{words}; {remedy}"
