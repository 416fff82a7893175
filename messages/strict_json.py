"""
JSON as strict as a contract needs it: UTF-8, no duplicate keys, no NaN, 64-bit integers, 20 levels at most.
"""

import json
import re
from collections import Counter
from typing import Any, NoReturn

from messages.faults import MAX_ERRORS, FieldError, escaped, quoted

MAX_BODY_BYTES = 65_536
MAX_DEPTH = 20

ABSENT = object()
"""What `parse` gives when there is nothing to go on with: null is a value."""

_MAX_DIGITS = 20  # of a signed 64-bit integer, with its sign
MIN_INT64, MAX_INT64 = -(2**63), 2**63 - 1
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# A string, closed or not, or a bracket. Possessive, so that no input makes it look at a byte twice.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)


def parse(body: bytes, errors: list[FieldError]) -> Any:
    """
    The JSON value of a body, or `ABSENT`. Never raises.

    Args:
        body: any bytes.
        errors: what is wrong is appended here. A value may come with errors (a duplicate key, an integer beyond
            64 bits): then it serves to find what else is wrong.
    """
    text = _text(body, errors)
    if text is None:
        return ABSENT
    try:
        return _FAST.decode(text)
    except _NotStrictError:
        return _with_paths(text, errors)
    except json.JSONDecodeError as error:
        where = f"{error.msg} (line {error.lineno}, column {error.colno})" if text.strip() else "it is empty"
        errors.append(FieldError("body", "not_json", f"must be JSON: {where}"))
    except _NotJsonError as error:
        errors.append(FieldError("body", "not_json", str(error)))

    return ABSENT


def _text(body: bytes, errors: list[FieldError]) -> str | None:
    """
    The body as text when size, encoding and depth allow to parse it.
    """
    if len(body) > MAX_BODY_BYTES:
        message = f"must be at most {MAX_BODY_BYTES} bytes, got {len(body)}"
        errors.append(FieldError("body", "body_too_large", message))
        return None
    if body.startswith(_BYTE_ORDER_MARK):
        errors.append(FieldError("body", "not_utf8", "must be UTF-8 without a byte order mark: leave it out"))
        return None
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        errors.append(FieldError("body", "not_utf8", f"must be UTF-8: wrong byte at position {error.start + 1}"))
        return None
    if _is_too_deep(body):
        errors.append(FieldError("body", "too_deep", f"must be nested at most {MAX_DEPTH} levels deep"))
        return None

    return text


def _is_too_deep(body: bytes) -> bool:
    # Counting is enough for every honest body, and the parser's recursion is never put to the test.
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH:
        return False
    depth = 0
    for token in _TOKEN.finditer(body):
        if token.group() in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif token.group() in b"]}":
            depth -= 1

    return False


class _NotStrictError(Exception):
    """The JSON breaks a rule of ours that needs a second reading to say where."""


class _NotJsonError(Exception):
    """The text holds what Python reads and RFC 8259 does not know."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _NotStrictError

    return made


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS or not MIN_INT64 <= int(digits) <= MAX_INT64:
        raise _NotStrictError

    return int(digits)


def _constant(name: str) -> NoReturn:
    message = f"must be JSON: {name} is not a JSON number"
    raise _NotJsonError(message)


class _HugeInteger(int):
    """Stands for an integer beyond 64 bits, whose digits nobody needs."""

    __slots__ = ()


class _DoubledObject(dict[str, Any]):
    """An object with duplicate keys: the last value of each, and the keys that came twice."""

    doubled: tuple[str, ...] = ()


def _marked_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    marked = _DoubledObject(made)
    counts = Counter(key for key, _ in pairs)
    marked.doubled = tuple(key for key, count in counts.items() if count > 1)

    return marked


def _marked_integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS or not MIN_INT64 <= int(digits) <= MAX_INT64:
        return _HugeInteger()

    return int(digits)


def _with_paths(text: str, errors: list[FieldError]) -> Any:
    """
    The value, read again with marks at what is wrong, so that each error tells its path.
    """
    try:
        value = _MARKING.decode(text)
    except json.JSONDecodeError as error:
        where = f"{error.msg} (line {error.lineno}, column {error.colno})"
        errors.append(FieldError("body", "not_json", f"must be JSON: {where}"))
        return ABSENT
    except _NotJsonError as error:
        errors.append(FieldError("body", "not_json", str(error)))
        return ABSENT
    _collect(value, "", errors)

    return value


def _collect(value: Any, path: str, errors: list[FieldError]) -> None:
    # At most 20 levels: `_is_too_deep` has seen to that.
    if len(errors) > MAX_ERRORS:
        return
    if isinstance(value, _HugeInteger):
        errors.append(FieldError(path or "body", "out_of_range", "must be an integer of at most 64 bits"))
    elif isinstance(value, dict):
        for key in value.doubled if isinstance(value, _DoubledObject) else ():
            message = f"stands in the object twice: keep one {quoted(key)}"
            errors.append(FieldError(_joined(path, key), "duplicate_key", message))
        for key, member in value.items():
            _collect(member, _joined(path, key), errors)
    elif isinstance(value, list):
        for index, member in enumerate(value):
            _collect(member, _joined(path, str(index)), errors)


def _joined(path: str, key: str) -> str:
    return f"{path}.{escaped(key)}" if path else escaped(key)


_FAST = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_constant=_constant)
_MARKING = json.JSONDecoder(object_pairs_hook=_marked_object, parse_int=_marked_integer, parse_constant=_constant)
