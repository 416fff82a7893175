"""
Keeps what we sent to prove who we are out of what is told of the answer: clouds, and what stands before them, quote it.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

import orjson

from worker.cloud.call import Call

_MASK = "***"
#: Shorter ones would tear holes into words that have nothing to do with them.
_LEAST_LENGTH = 4
#: Where credentials stand in a call (cloud API family, Authentication; Identity API v3, the body of a login).
_HEADERS = ("X-Auth-Token", "X-Security-Token", "Authorization")
_PARTS = re.compile(r"\b(?:Access|Signature)=([^,\s]+)")
_LOGIN = b'{"auth":'
_PERCENT = re.compile("%[0-9A-F]{2}")
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
    written = {form for secret in _secrets(call) if len(secret) >= _LEAST_LENGTH for form in _forms(secret)}
    # The longest first: one may be part of another.
    for form in sorted(written, key=len, reverse=True):
        text = text.replace(form, _MASK)
    return text


def _forms(secret: str) -> Iterator[str]:
    """
    A secret as it may be quoted: as it is, in JSON (also in JSON within JSON), in a URL, and in HTML.
    """
    yield secret
    for in_json in _in_json(secret):
        yield in_json
        yield from _in_json(in_json)
    for in_url in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield in_url
        yield _PERCENT.sub(lambda found: found[0].lower(), in_url)
    yield html.escape(secret)
    yield html.escape(secret, quote=False)
    yield html.escape(secret).replace("&#x27;", "&#39;")


def _in_json(text: str) -> Iterator[str]:
    # Writers differ in whether they escape what is not ASCII, and the slash (RFC 8259, 7).
    for is_ascii in (True, False):
        written = json.dumps(text, ensure_ascii=is_ascii)[1:-1]
        yield written
        yield written.replace("/", "\\/")


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
