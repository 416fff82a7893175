"""
One HTTP call to the cloud, before it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from yarl import URL

#: Sent with every call, also with those that have no body: it is among the signed headers (cloud API family, AK/SK).
CONTENT_TYPE = "application/json"

#: What is longer is no answer to any call but a list of everything.
MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Call:
    """
    One HTTP call, before it is authenticated.

    Attributes:
        method: GET, POST or DELETE.
        url: with its query.
        body: JSON, or empty.
        headers: beside those that every call has.
        most_bytes: of its answer; a longer one counts as none.
        target: api, or identity for the service that gives tokens; for counting.
        template: the URL's path with names for what differs between requests, as far as it is known; for traces.
        resends: how often it was sent before; for traces.
    """

    method: str
    url: URL
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    most_bytes: int = MOST_BYTES
    target: str = "api"
    template: str = ""
    resends: int = 0
