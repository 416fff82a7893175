"""
The files for TLS, tried at the start rather than at the first call.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from worker.accounts.remarks import Remarks
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


def tls_files(given: Mapping[str, Given], remarks: Remarks, whose: str = "api") -> TlsFiles:
    """
    The files, each tried.

    Args:
        given: what is said about `api_ca_file`, `api_cert_file` and `api_key_file`.
        remarks: gets what is wrong with them.
        whose: what the names begin with instead of `api`.
    """
    ca, cert, key = (f"{whose}_{what}_file" for what in ("ca", "cert", "key"))
    paths = {name: _path(piece, remarks) for name, piece in given.items()}
    files = TlsFiles(paths.get(ca), paths.get(cert), paths.get(key))
    if files.ca_file is not None:
        _try_authorities(given[ca].place, files.ca_file, remarks)
    if files.cert_file is not None:
        # A key that cannot be read was told already: the certificate cannot be tried without it.
        if files.key_file is not None or key not in given:
            places = given[cert].place, given.get(key, given[cert]).place
            _try_certificate(places, files.cert_file, files.key_file, remarks)
    elif key in given and cert not in given:
        remarks.fault(given[key].place, "is a key without its certificate; give that as well")
    return files


def _path(piece: Given, remarks: Remarks) -> Path | None:
    path = Path(str(piece.value)).expanduser()
    try:
        with path.open("rb"):
            return path
    except IsADirectoryError:
        remarks.fault(piece.place, f"{path} is a folder; name one file with all certificates")
    except OSError as exc:
        remarks.fault(piece.place, f"the file {path} cannot be read: {exc.strerror}")
    return None


def _try_authorities(place: str, path: Path, remarks: Remarks) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except (ssl.SSLError, OSError):
        remarks.fault(place, f"the file {path} has no certificate in PEM form")


def _try_certificate(places: tuple[str, str], cert: Path, key: Path | None, remarks: Remarks) -> None:
    place, key_place = places
    try:
        # With a password for the key, wrong or not, OpenSSL does not ask for one at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(cert, key, password="")
    except ssl.SSLError as exc:
        if exc.reason == "KEY_VALUES_MISMATCH":
            remarks.fault(key_place, f"the key in {key or cert} does not fit the certificate in {cert}")
        elif not _holds(cert, b"-----BEGIN CERTIFICATE-----"):
            remarks.fault(place, f"the file {cert} has no certificate in PEM form")
        elif _holds(key or cert, b"ENCRYPTED"):
            remarks.fault(key_place, f"the key in {key or cert} is encrypted; give it without a passphrase")
        elif not _holds(key or cert, b"PRIVATE KEY-----"):
            remarks.fault(key_place, f"the file {key or cert} has no private key in PEM form")
        else:
            remarks.fault(place, f"the certificate in {cert} or its key in {key or cert} is damaged")
    except OSError as exc:
        remarks.fault(place, f"the certificate cannot be loaded: {exc.strerror}")


def _holds(path: Path, mark: bytes) -> bool:
    try:
        return mark in path.read_bytes()
    except OSError:
        return False
