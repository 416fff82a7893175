"""
OpenSSL's codes, and the kinds of trouble that they are told as.
"""

from __future__ import annotations

import _ssl
import ssl

import pytest

from worker.accounts.tls_faults import (
    REASONS,
    CertificateFault,
    HandshakeFault,
    certificate_words,
    handshake_fault,
    handshake_words,
    tls_error,
)
from worker.broker.tls import CERTIFICATE_REMEDIES as BROKER_CERTIFICATE
from worker.broker.tls import HANDSHAKE_REMEDIES as BROKER_HANDSHAKE
from worker.cloud.silence import CERTIFICATE_REMEDIES as CLOUD_CERTIFICATE
from worker.cloud.silence import HANDSHAKE_REMEDIES as CLOUD_HANDSHAKE


def unverified(code: int) -> ssl.SSLCertVerificationError:
    """
    As Python raises it for a certificate that OpenSSL finds fault with.
    """
    exc = ssl.SSLCertVerificationError(1, "certificate verify failed")
    exc.verify_code, exc.verify_message = code, "what OpenSSL says"
    return exc


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (20, "is signed by an authority unknown here; trust it"),
        (9, "is not valid yet; check this machine's clock"),
        (10, "has expired; its owner must renew it, or this machine's clock is wrong"),
        (62, "is of another host"),
        (79, "is not good"),
    ],
)
def test_a_certificate_is_told_by_its_code_with_the_remedy_that_there_is(code: int, words: str) -> None:
    said = certificate_words(unverified(code), {CertificateFault.UNTRUSTED: "trust it"})

    assert f"{words}. OpenSSL says: what OpenSSL says" == said


@pytest.mark.parametrize("reason", REASONS)
def test_openssl_knows_each_reason(reason: str) -> None:
    """
    A misspelt one would never be met.
    """
    assert reason in _ssl.err_codes_to_names.values()


def test_the_innermost_error_is_the_one_that_openssl_raised() -> None:
    inner, outer = ssl.SSLError(1, "inner"), ssl.SSLError(1, "outer")
    outer.__cause__ = inner

    assert inner is tls_error(outer)
    assert handshake_fault(outer) is None
    assert tls_error(OSError("something else")) is None


@pytest.mark.parametrize(
    ("certificate", "handshake"), [(BROKER_CERTIFICATE, BROKER_HANDSHAKE), (CLOUD_CERTIFICATE, CLOUD_HANDSHAKE)]
)
def test_each_edge_has_a_remedy_for_all_that_a_setting_can_help(
    certificate: dict[CertificateFault, str], handshake: dict[HandshakeFault, str]
) -> None:
    assert {CertificateFault.UNTRUSTED, CertificateFault.OTHER_HOST} == set(certificate)
    for fault in HandshakeFault:
        assert handshake_words(fault, handshake).startswith(f"{fault.value}; ")
