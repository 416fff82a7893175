"""
Signatures of calls with an access key, SDK-HMAC-SHA256 (cloud API family, AK/SK).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

from yarl import URL

from worker.cloud.call import CONTENT_TYPE, Call

_ALGORITHM = "SDK-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """
    What a call is signed with.

    Attributes:
        access_key: AK; sent.
        secret_key: SK; never sent.
        security_token: of temporary keys; sent and signed.
        project_id: sent as X-Project-Id and signed.
    """

    access_key: str
    secret_key: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)
    project_id: str | None = None


def signed_headers(call: Call, key: SigningKey, at: datetime) -> dict[str, str]:
    """
    The headers that authenticate one call at one moment, to be sent beside Content-Type and Host.

    Args:
        call: with the URL and the body exactly as they are sent.
        key: whose signature it is.
        at: aware; the cloud refuses what is more than 15 minutes off its own time.
    """
    sent = {"X-Sdk-Date": at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")}
    if key.project_id:
        sent["X-Project-Id"] = key.project_id
    if key.security_token:
        sent["X-Security-Token"] = key.security_token
    host = call.url.host_port_subcomponent or ""  # as aiohttp writes it: with the port only where it is not the usual
    signed = {"content-type": call.headers.get("Content-Type", CONTENT_TYPE), "host": host}
    signed |= {name.lower(): value for name, value in sent.items()}
    names = ";".join(sorted(signed))
    request = "\n".join(
        (
            call.method.upper(),
            _path(call.url),
            _query(call.url),
            *(f"{name}:{signed[name]}" for name in sorted(signed)),
            "",
            names,
            hashlib.sha256(call.body).hexdigest(),
        )
    )
    text = f"{_ALGORITHM}\n{sent['X-Sdk-Date']}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.new(key.secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()
    sent["Authorization"] = f"{_ALGORITHM} Access={key.access_key}, SignedHeaders={names}, Signature={signature}"
    return sent


def _path(url: URL) -> str:
    # The cloud reads the path, decodes it and encodes it anew, so how it was sent does not matter.
    path = "/".join(quote(segment, safe="~") for segment in url.path.split("/"))
    return path if path.endswith("/") else f"{path}/"


def _query(url: URL) -> str:
    # Sorted before they are encoded, as the cloud's own SDK does (huaweicloudsdkcore 3.1.219).
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in sorted(url.query.items()))
