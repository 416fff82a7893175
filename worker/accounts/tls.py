"""
The files for TLS, tried at the start rather than at the first call.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from worker.accounts.findings import Findings
from worker.accounts.source import Given


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """
    What connections to the cloud use beside the system's own; all PEM.

    Attributes:
        ca_file: certificates of the authorities to trust instead of the system's.
        cert_file: our own certificate, for clouds that ask for one; with the key unless `key_file` has it.
        key_file: its private key, not encrypted.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


def tls_files(given: Mapping[str, Given], findings: Findings) -> TlsFiles:
    """
    The files, each tried.

    Args:
        given: what is said about `api_ca_file`, `api_cert_file` and `api_key_file`.
        findings: gets what is wrong with them.
    """
    paths = {key: _path(piece, findings) for key, piece in given.items()}
    files = TlsFiles(paths.get("api_ca_file"), paths.get("api_cert_file"), paths.get("api_key_file"))
    if files.ca_file is not None:
        _try_authorities(given["api_ca_file"].place, files.ca_file, findings)
    if files.cert_file is not None:
        # A key that cannot be read was told already: the certificate cannot be tried without it.
        if files.key_file is not None or "api_key_file" not in given:
            _try_certificate(given, files.cert_file, files.key_file, findings)
    elif "api_key_file" in given and "api_cert_file" not in given:
        findings.fault(given["api_key_file"].place, "is a key without its certificate; give that as well")
    return files


def _path(piece: Given, findings: Findings) -> Path | None:
    path = Path(str(piece.value)).expanduser()
    try:
        with path.open("rb"):
            return path
    except IsADirectoryError:
        findings.fault(piece.place, f"{path} is a folder; name one file with all certificates")
    except OSError as exc:
        findings.fault(piece.place, f"the file {path} cannot be read: {exc.strerror}")
    return None


def _try_authorities(place: str, path: Path, findings: Findings) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except (ssl.SSLError, OSError):
        findings.fault(place, f"the file {path} has no certificate in PEM form")


def _try_certificate(given: Mapping[str, Given], cert: Path, key: Path | None, findings: Findings) -> None:
    place, key_place = given["api_cert_file"].place, given.get("api_key_file", given["api_cert_file"]).place
    try:
        # With a password for the key, wrong or not, OpenSSL does not ask for one at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(cert, key, password="")
    except ssl.SSLError as exc:
        if exc.reason == "KEY_VALUES_MISMATCH":
            findings.fault(key_place, f"the key in {key or cert} does not fit the certificate in {cert}")
        elif not _holds(cert, b"-----BEGIN CERTIFICATE-----"):
            findings.fault(place, f"the file {cert} has no certificate in PEM form")
        elif _holds(key or cert, b"ENCRYPTED"):
            findings.fault(key_place, f"the key in {key or cert} is encrypted; give it without a passphrase")
        elif not _holds(key or cert, b"PRIVATE KEY-----"):
            findings.fault(key_place, f"the file {key or cert} has no private key in PEM form")
        else:
            findings.fault(place, f"the certificate in {cert} or its key in {key or cert} is damaged")
    except OSError as exc:
        findings.fault(place, f"the certificate cannot be loaded: {exc.strerror}")


def _holds(path: Path, mark: bytes) -> bool:
    try:
        return mark in path.read_bytes()
    except OSError:
        return False
