"""
The optional mark at the end of a service's description, by which a look-up knows its own (design: Looking).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from worker.core.job import RequestKey

_LONGEST_DESCRIPTION = 255  # doc: Table 1, description
_LONGEST_ID = 64
_MARK = re.compile(r"\[req:[^\[\]\s]+\]\Z")


def mark_for(key: RequestKey, wanted: Mapping[str, object]) -> str | None:
    """
    What to append to the description of a request's service.

    Args:
        key: of the request.
        wanted: the attributes the request set, as sent.

    Returns:
        ` [req:<id>]`, or with 32 hex digits of source and id where the id is no short plain text; None when the
        description has no room for it: such a service is known by its attributes alone.
    """
    given = wanted.get("description")
    mark = f"[req:{_name(key)}]"
    if isinstance(given, str) and given:
        mark = f" {mark}"
        return mark if len(given) + len(mark) <= _LONGEST_DESCRIPTION else None
    return mark


def marked(wanted: Mapping[str, object], mark: str) -> str:
    """
    The description with its mark.
    """
    given = wanted.get("description")
    return f"{given if isinstance(given, str) else ''}{mark}"


def has_mark(shown: Mapping[str, object], mark: str) -> bool:
    """
    Whether the description of a service, as the cloud shows it, ends with the mark.
    """
    description = shown.get("description")
    return isinstance(description, str) and description.endswith(mark.lstrip())


def has_any_mark(shown: Mapping[str, object]) -> bool:
    """
    Whether the description of a service ends with a mark of any request.
    """
    description = shown.get("description")
    return isinstance(description, str) and _MARK.search(description) is not None


def _name(key: RequestKey) -> str:
    is_plain = len(key.id) <= _LONGEST_ID and key.id.isascii() and key.id.isprintable()
    if is_plain and not set(key.id) & set("[] \"'<>\\"):
        return key.id
    return hashlib.sha256(f"{key.source}\n{key.id}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
