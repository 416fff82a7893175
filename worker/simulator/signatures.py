"""
The signature `SDK-HMAC-SHA256` of a request, worked out for ourselves (cloud-api.md, Authentication: AK/SK).
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, unquote

ALGORITHM = "SDK-HMAC-SHA256"
_AUTHORIZATION = re.compile(rf"{ALGORITHM} Access=([^,\s]+), ?SignedHeaders=([^,\s]+), ?Signature=([0-9a-f]{{64}})")


@dataclass(frozen=True, slots=True)
class Authorization:
    """
    The header `Authorization`, read.
    """

    access_key: str
    signed_headers: tuple[str, ...]
    signature: str


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """
    What a signature covers.

    Attributes:
        method: in capitals.
        target: path and query as sent.
        headers: by lower-case name; those that are signed must be there.
        body: what was received.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


def read_authorization(text: str) -> Authorization | None:
    """
    The parts of the header, or None when it does not have the form.
    """
    match = _AUTHORIZATION.fullmatch(text)
    return Authorization(match[1], tuple(match[2].split(";")), match[3]) if match else None


def read_sdk_date(text: str) -> float | None:
    """
    `X-Sdk-Date` in seconds since the epoch, or None when it does not have the form.
    """
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def signature(secret_key: str, request: SignedRequest, signed_headers: Sequence[str]) -> str:
    """
    The right signature, in hexadecimal.
    """
    canonical = canonical_request(request, signed_headers)
    to_sign = f"{ALGORITHM}\n{request.headers['x-sdk-date']}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    return hmac.new(secret_key.encode(), to_sign.encode(), hashlib.sha256).hexdigest()


def canonical_request(request: SignedRequest, signed_headers: Sequence[str]) -> str:
    """
    The request in the one form that both sides sign.
    """
    path, _, query = request.target.partition("?")
    lines = "".join(f"{name}:{request.headers[name].strip()}\n" for name in sorted(signed_headers))
    names = ";".join(sorted(signed_headers))
    digest = hashlib.sha256(request.body).hexdigest()
    return "\n".join((request.method, _canonical_path(path), _canonical_query(query), lines, names, digest))


def _canonical_path(path: str) -> str:
    encoded = "/".join(quote(unquote(segment), safe="~") for segment in path.split("/"))
    return encoded if encoded.endswith("/") else f"{encoded}/"


def _canonical_query(query: str) -> str:
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in pairs)
