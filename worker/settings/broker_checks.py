"""
What the settings for RabbitMQ must be like together: its URL, the files of TLS, and the management API.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr, ValidationInfo
from yarl import URL

from worker.accounts.remarks import Remarks
from worker.accounts.source import Given
from worker.accounts.tls import tls_files
from worker.settings.variables import variable

#: The settings of TLS, and how aiormq calls them in a URL.
_TLS = {"amqp_ca_file": "cafile", "amqp_cert_file": "certfile", "amqp_key_file": "keyfile"}


def is_authorities(path: Path | None) -> Path | None:
    """
    Certificates to trust, if given.
    """
    if path is not None:
        _refuse_bad(amqp_ca_file=path)
    return path


def is_certificate(path: Path | None, read: ValidationInfo) -> Path | None:
    """
    Our certificate with its key, if given.
    """
    key = read.data.get("amqp_key_file")
    if path is not None:
        _refuse_bad(amqp_cert_file=path, **({} if key is None else {"amqp_key_file": key}))
    elif key is not None:
        raise ValueError(f"is needed as well: {variable('amqp_key_file')} is the key of a certificate")
    return path


def _refuse_bad(**files: Path) -> None:
    remarks = Remarks()
    tls_files({name: Given(str(path), variable(name)) for name, path in files.items()}, remarks, "amqp")
    for fault in remarks.faults:
        raise ValueError(fault.words)


def with_tls_files(amqp_url: SecretStr, read: ValidationInfo) -> SecretStr:
    """
    The URL with the files of TLS in it: so they reach every connection, whoever opens it.
    """
    url = URL(amqp_url.get_secret_value())
    given = {key: path for key in _TLS if (path := read.data.get(key)) is not None}
    if given and url.scheme != "amqps":
        raise ValueError(f"must begin with amqps:// when {variable(next(iter(given)))} is set")
    is_external = url.query.get("auth", "").upper() == "EXTERNAL"
    if is_external and "amqp_cert_file" not in given and "certfile" not in url.query and "amqp_cert_file" in read.data:
        raise ValueError(f"auth=EXTERNAL logs in with our certificate: set {variable('amqp_cert_file')} and amqps://")
    if not given:
        return amqp_url
    return SecretStr(str(url.update_query({_TLS[key]: str(path.expanduser()) for key, path in given.items()})))


def is_management(url: SecretStr | None) -> SecretStr | None:
    """
    Where the management API is, with a user who may look.
    """
    if url is None:
        return None
    try:
        read = URL(url.get_secret_value())
    except ValueError:
        read = URL()
    if read.scheme not in {"http", "https"} or not read.host or not read.user or read.query_string or "@" in read.path:
        raise ValueError(
            "must look like http://user:password@host:15672 (or https://); "
            "write / @ : in user or password as %2F %40 %3A"
        )
    return url
