"""
Keeps what we sent to prove who we are out of what is told of the answer: clouds, and what stands before them, quote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from worker.cloud.transport import Call

_MASK = "***"
#: Shorter ones would tear holes into words that have nothing to do with them.
_LEAST_LENGTH = 4
#: Where credentials stand in a call (cloud API family, Authentication; Identity API v3, the body of a login).
_HEADERS = ("X-Auth-Token", "X-Security-Token", "Authorization")
_PARTS = re.compile(r"\b(?:Access|Signature)=([^,\s]+)")
_LOGIN = b'{"auth":'
_FIELDS = frozenset({"password", "secret"})


def masked(text: str, call: Call | None) -> str:
    """
    The text without the secrets of the call that it answers.

    Args:
        text: what the cloud or a library said.
        call: as it was sent; None for none.
    """
    if call is None:
        return text
    # The longest first: one may be part of another.
    for secret in sorted(set(_secrets(call)), key=len, reverse=True):
        if len(secret) >= _LEAST_LENGTH:
            text = text.replace(secret, _MASK)
    return text


def _secrets(call: Call) -> Iterator[str]:
    for name in _HEADERS:
        value = call.headers.get(name, "")
        yield value
        yield from _PARTS.findall(value)
    if call.body.startswith(_LOGIN):
        yield from _in_login(orjson.loads(call.body), is_secret=False)


def _in_login(part: object, *, is_secret: bool) -> Iterator[str]:
    if isinstance(part, dict):
        for name, value in part.items():
            yield from _in_login(value, is_secret=name in _FIELDS)
    elif is_secret and isinstance(part, str):
        yield part
