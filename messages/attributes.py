"""
CloudEvents attributes and AMQP properties: reading them from untrusted headers, and what is valid in them.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeGuard

from messages.characters import control_problem, is_whole
from messages.faults import FieldError, kind, quoted
from messages.strict_json import MAX_INT64, MIN_INT64

REQUEST_TYPE = "vpn.vpnservice.create.v1"
UNNAMED_SOURCE = "unnamed"
"""The source of a plain message without `app_id`."""

SPECVERSION = "1.0"
STRUCTURED = "application/cloudevents+json"
JSON_CONTENT = "application/json"

MAX_HEADERS_BYTES = 16_384
MAX_ID_BYTES = 255  # the id becomes a correlation_id, which is a short string (AMQP 0-9-1, 4.2.5.3)
MAX_TRACESTATE = 512  # W3C Trace Context, 3.3.1.5

RFC3339 = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"

CORE_ATTRIBUTES = frozenset(
    ("specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data", "data_base64")
)
OWN_EXTENSIONS = frozenset(("expirytime", "follow", "traceparent", "tracestate"))
"""Extensions this contract gives a meaning to; they are not copied to the events."""

FOLLOW_VALUES = ("none", "settled", "active")

# CloudEvents bindings write the prefix in three ways: RabbitMQ binding and most clients `ce-`; AMQP binding, 3.1.3.1
# `cloudEvents:` and, where JMS forbids the colon, `cloudEvents_`. Names are compared without case, as its readers do.
_PREFIXES = ("ce-", "cloudevents:", "cloudevents_")
_OWN_NAME = re.compile(r"[a-z0-9]{1,64}")
_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
_RFC3339 = re.compile(RFC3339)


def read_headers(headers: Mapping[str, object], errors: list[FieldError]) -> dict[str, object]:
    """
    The CloudEvents attributes among the headers, by their own names, values as they came (bytes as text).
    """
    found: dict[str, object] = {}
    size_bytes = 0
    for header, value in headers.items():
        if not isinstance(header, str) or value is None:
            continue
        lower = header.lower()
        if lower.startswith("x-"):  # the broker's and the retry ladder's, not the sender's
            continue
        if size_bytes <= MAX_HEADERS_BYTES:
            size_bytes += _size_bytes(header) + _size_bytes(value)
        if lower.startswith(_PREFIXES):
            name = lower[3:] if lower[2] == "-" else lower[12:]
            _add(found, name, value, errors)
    if size_bytes > MAX_HEADERS_BYTES:
        errors.append(_too_large())

    return found


def check_size(attributes: Mapping[str, object], errors: list[FieldError]) -> None:
    """
    Holds the attributes of a structured message to the limit that headers have.
    """
    size_bytes = 0
    for name, value in attributes.items():
        size_bytes += _size_bytes(name) + _size_bytes(value)
        if size_bytes > MAX_HEADERS_BYTES:
            errors.append(_too_large())
            return


def _add(found: dict[str, object], name: str, value: object, errors: list[FieldError]) -> None:
    if isinstance(value, (bytes, bytearray)):
        value = _decoded(bytes(value))
    if name in found and found[name] != value:
        message = f"is given twice with different values: keep one header for {quoted(name)}"
        errors.append(
            FieldError(f"ce-{name}" if _OWN_NAME.fullmatch(name) else "headers", "duplicate_attribute", message)
        )
        return
    found[name] = value


def _decoded(value: bytes) -> object:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _too_large() -> FieldError:
    return FieldError("headers", "headers_too_large", f"must be at most {MAX_HEADERS_BYTES} bytes together")


def _size_bytes(value: object) -> int:
    """
    About how many bytes a header value takes; stops counting when it is over the limit.
    """
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode(errors="replace"))
    size_bytes = 0
    waiting = [value]
    # A stack and not recursion: tables can be nested deeper than Python calls. Each turn adds, so it ends.
    while waiting and size_bytes <= MAX_HEADERS_BYTES:
        item = waiting.pop()
        if isinstance(item, str):
            size_bytes += len(item.encode(errors="replace"))
        elif isinstance(item, (bytes, bytearray)):
            size_bytes += len(item)
        elif isinstance(item, Mapping):
            waiting.extend(item.keys())
            waiting.extend(item.values())
        elif isinstance(item, (list, tuple)):
            waiting.extend(item)
        size_bytes += 1

    return size_bytes


def text_problem(value: object) -> tuple[str, str] | None:
    """
    Code and message when this is not text of 1 to 255 UTF-8 bytes without control characters, else None.
    """
    if isinstance(value, str):
        is_plain = value.isascii() and value.isprintable() and 0 < len(value) <= MAX_ID_BYTES
        return None if is_plain else _string_problem(value)
    if isinstance(value, bytes):
        return "not_utf8", "must be UTF-8"

    return "wrong_type", f"must be a string, got {kind(value)}"


def _string_problem(text: str) -> tuple[str, str] | None:
    if not text:
        return "too_short", f"must be 1 to {MAX_ID_BYTES} bytes, got 0"
    if not is_whole(text):
        return "invalid_unicode", "holds half of a surrogate pair: send whole characters"
    size_bytes = len(text.encode())
    if size_bytes > MAX_ID_BYTES:
        return "too_long", f"must be 1 to {MAX_ID_BYTES} bytes, got {size_bytes}"
    control = control_problem(text)

    return ("control_character", control) if control else None


def media_type(content_type: object) -> str:
    """
    The content type without parameters, in lower case; empty when there is none.
    """
    return content_type.partition(";")[0].strip().lower() if isinstance(content_type, str) else ""


def checked_text(value: object, path: str, errors: list[FieldError]) -> str | None:
    """
    The value when it is valid text of 1 to 255 bytes; else None and an error.
    """
    if isinstance(value, bytearray):
        value = bytes(value)
    if isinstance(value, bytes):
        value = _decoded(value)
    problem = text_problem(value)
    if problem is None:
        return str(value)
    errors.append(FieldError(path, *problem))

    return None


def extensions_of(attributes: Mapping[str, object]) -> dict[str, str | bool | int]:
    """
    The extension attributes to copy: valid names that have no meaning here, and values every client can carry.
    """
    return {
        name: value
        for name, value in attributes.items()
        if name not in CORE_ATTRIBUTES and name not in OWN_EXTENSIONS and is_extension_name(name) and is_portable(value)
    }


def is_extension_name(name: str) -> bool:
    """
    Whether CloudEvents allows the name: a-z and 0-9 (CloudEvents 1.0, attribute naming), here up to 64 of them.
    """
    return _OWN_NAME.fullmatch(name) is not None


def is_portable(value: object) -> TypeGuard[str | bool | int]:
    """
    Whether the value is a string that is UTF-8, a boolean or an integer of 64 bits.
    """
    if isinstance(value, str):
        return is_whole(value)

    return isinstance(value, int) and MIN_INT64 <= value <= MAX_INT64


def time_of(value: object) -> datetime | None:
    """
    The moment in UTC that an RFC 3339 text or an AMQP timestamp names, or None when it is neither.
    """
    if isinstance(value, datetime) and value.tzinfo is None:  # AMQP clients give timestamps as such, in UTC
        return value.replace(tzinfo=UTC)
    try:
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        if not isinstance(value, str) or not _RFC3339.fullmatch(value):
            return None
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):  # a day that is not in the calendar; a year before 1 or after 9999 in UTC
        return None


def rfc3339(moment: datetime) -> str:
    """
    The moment as this contract writes times: RFC 3339 in UTC, with `Z` and always microseconds.
    """
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def trace_of(headers: Mapping[str, object], attributes: Mapping[str, object]) -> tuple[str | None, str | None]:
    """
    `traceparent` and `tracestate` (W3C Trace Context), each None when absent; both None when malformed.

    The headers of the transport win over the CloudEvents extension: they name the span that published this message.
    """
    for source in (headers, attributes):
        parent = _plain_text(source.get("traceparent"))
        if parent is not None and _is_traceparent(parent):
            state = _plain_text(source.get("tracestate"))
            return parent, state if state and len(state) <= MAX_TRACESTATE else None

    return None, None


def _is_traceparent(text: str) -> bool:
    match = _TRACEPARENT.fullmatch(text)

    # Version 00 has nothing after the flags; later ones may (W3C Trace Context, 2.2.3).
    return match is not None and len(text) <= MAX_ID_BYTES and (match[1] != "00" or match[2] is None)


def _plain_text(value: object) -> str | None:
    if isinstance(value, (bytes, bytearray)):
        value = _decoded(bytes(value))
    if isinstance(value, str) and value.isascii() and value.isprintable():
        return value

    return None
