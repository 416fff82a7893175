"""
What can be wrong with a request, in words for the person who has to put it right.

The codes are ours and part of the contract: programs may decide by them, the messages may be reworded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

MAX_ECHO_CHARACTERS = 64  # of the input in a message: enough to recognise it, too little to fill a log
MAX_ERRORS = 100  # 64 KiB hold some 10,000 unknown fields; nobody reads them and the event has to stay small

CODES = MappingProxyType(
    {
        # the body as bytes
        "body_too_large": "The body is over 64 KiB.",
        "not_utf8": "The text is not UTF-8, or it starts with a byte order mark.",
        "not_json": "The body is not JSON (RFC 8259), or is empty, or holds NaN or Infinity.",
        "too_deep": "The JSON is nested more than 20 levels deep.",
        "duplicate_key": "An object names the same key twice.",
        # the fields of the body
        "missing": "Something mandatory is not there.",
        "unknown_field": "The field is not one of the API.",
        "project_id_unsupported": "The API does not support project_id (doc: notes under Table 1).",
        "wrong_type": "The value has another JSON or AMQP type than the contract says.",
        "too_short": "The text has fewer characters than allowed.",
        "too_long": "The text has more characters (properties and attributes: UTF-8 bytes) than allowed.",
        "control_character": "The text holds a control character (C0, DEL or C1).",
        "invalid_unicode": "The text holds half of a surrogate pair.",
        "not_true": "admin_state_up can only be true (doc: Table 1, admin_state_up).",
        "not_ipv4": "The text is not an IPv4 address in dotted decimal form.",
        "out_of_range": "The number is outside the allowed range or beyond 64 bits.",
        # headers, attributes and properties
        "headers_too_large": "The headers, or the attributes of a structured message, are over 16 KiB.",
        "id_missing": "The message has no id, so repeating it could create a second service.",
        "id_reused": "The same source and id came before with another body.",
        "type_unsupported": "The CloudEvents type is not one this worker takes.",
        "specversion_unsupported": "The CloudEvents version is not 1.0.",
        "content_type_unsupported": "The content type is not JSON.",
        "data_base64_unsupported": "The body came as data_base64 and not as data.",
        "duplicate_attribute": "Two headers give the same attribute different values.",
        "not_a_time": "The text is not a time as RFC 3339 writes it, with an offset.",
        "unsupported_value": "The value is not one of the few that are allowed.",
        # what is valid, and yet not served by this worker
        "cloud_refuses": "The cloud that this worker serves takes no such field, or not this value.",
        "tenant_unknown": "This worker has no account for the tenant.",
        "tenant_forbidden": "The publisher may not ask for the tenant.",
        # about the list itself
        "too_many_errors": "There are more errors than are shown.",
    }
)
"""Every code with its meaning: the one table."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """
    One thing that is wrong with a request.

    Args:
        path: where: `vpnservice.name` in the body (also of a structured message), `body` for the body as a whole,
            `ce-id` for a CloudEvents attribute in either mode, `message_id` for an AMQP property, `headers`.
        code: one of `CODES`.
        message: what to do about it; ends without a full stop, holds no control character.
    """

    path: str
    code: str
    message: str


def id_reused(path: str, identity: str) -> FieldError:
    """
    The error for a source and id that came before with another body.
    """
    message = f"the id {quoted(identity)} was used before with another body: send a new request under a new id"

    return FieldError(path, "id_reused", message)


def quoted(text: str) -> str:
    """
    The text in quotes, safe to show: at most 64 characters, everything unprintable escaped.
    """
    return f'"{escaped(text)}"'


def escaped(text: str) -> str:
    """
    The text, safe to show: at most 64 characters (the last three then dots), everything unprintable escaped.
    """
    shown = "".join(c if c.isprintable() else _escape(c) for c in text[: MAX_ECHO_CHARACTERS + 1])
    if len(shown) <= MAX_ECHO_CHARACTERS:
        return shown

    return shown[: MAX_ECHO_CHARACTERS - 3] + "..."


def kind(value: object) -> str:
    """
    What a JSON or AMQP value is called in a message: "a string", "a number", ...
    """
    if value is None:
        return "null"

    return _KINDS.get(type(value), "something else")


def shown(value: object) -> str:
    """
    A value of any kind for a message: text in quotes, else what it is.
    """
    return quoted(value) if isinstance(value, str) else kind(value)


def nearest_known(name: str, known: Sequence[str]) -> str | None:
    """
    The known name that looks most like this one, or None when none does.
    """
    # The cut bounds the cost: the comparison is quadratic in the length.
    matches = get_close_matches(name[:MAX_ECHO_CHARACTERS].lower(), known, n=1, cutoff=0.6)

    return matches[0] if matches else None


def capped(errors: Sequence[FieldError]) -> tuple[FieldError, ...]:
    """
    The errors; when there are more than 100, the first 99 and one that says so.
    """
    if len(errors) <= MAX_ERRORS:
        return tuple(errors)
    shown = tuple(errors[: MAX_ERRORS - 1])
    rest = FieldError("body", "too_many_errors", "more errors are not shown: repair these first")

    return (*shown, rest)


def _escape(character: str) -> str:
    return f"\\u{ord(character):04x}"


_KINDS = {
    bool: "a boolean",
    int: "an integer",
    float: "a number with a fraction or exponent",
    str: "a string",
    bytes: "bytes",
    list: "a list",
    dict: "an object",
}
