"""
Rows from JSON Lines and from a JSON array, in bounded memory and with their lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from messages.faults import FieldError, kind
from messages.strict_json import MAX_BODY_BYTES, parse
from worker.batch.lines import BYTE_ORDER_MARK, LineTooLongError, bounded_lines
from worker.batch.rows import Fault, Row

_CHUNK_BYTES = 64 * 1024
_MARK = re.compile(rb'["\\\[\]{},\n]')
_SPACE = b" \t\r\n"


def json_lines(file: str, stream: BinaryIO) -> Iterator[Row | Fault]:
    """
    A row or its faults for every line that is not empty.
    """
    try:
        for number, line in enumerate(bounded_lines(stream), 1):
            text = line.strip(_SPACE)
            if text:
                yield from _rows(file, number, text)
    except LineTooLongError as exc:
        yield Fault(
            file, exc.line, "row", "body_too_large", f"is over {MAX_BODY_BYTES} bytes; nothing was read after it"
        )


def json_array(file: str, stream: BinaryIO) -> Iterator[Row | Fault]:
    """
    A row or its faults for every element; the file may also hold one object.
    """
    yield from _Elements(file, stream).rows()


def _rows(file: str, line: int, text: bytes) -> Iterator[Row | Fault]:
    errors: list[FieldError] = []
    value = parse(text, errors)
    for error in errors:
        yield _fault(file, line, text, error)
    if not errors:
        if isinstance(value, dict):
            yield Row(file, line, value)
        else:
            yield Fault(
                file, line, "row", "wrong_type", f"must be an object with the order's fields, got {kind(value)}"
            )


def _fault(file: str, line: int, text: bytes, error: FieldError) -> Fault:
    path = "row" if error.path == "body" else error.path
    if error.code == "not_json":
        # The parser counts lines from the beginning of the row, a person from that of the file.
        try:
            json.loads(text)
        except json.JSONDecodeError as exc:
            return Fault(file, line + exc.lineno - 1, path, error.code, f"must be JSON: {exc.msg}, column {exc.colno}")
    return Fault(file, line, path, error.code, error.message)


class _Elements:
    """
    The elements of an array that is read piece by piece; their ends are found without parsing.
    """

    def __init__(self, file: str, stream: BinaryIO) -> None:
        self._file = file
        self._stream = stream
        self._line = 1
        self._depth = 0
        self._is_in_string = False
        self._escaped_at = -1
        self._text = bytearray()
        self._first_line = 1
        self._begun_at = 0
        self._is_over = False
        self._after_comma = False

    def rows(self) -> Iterator[Row | Fault]:
        """
        Every element, then what is wrong with the array itself.
        """
        base = 0
        while chunk := self._stream.read(_CHUNK_BYTES):
            piece = chunk.removeprefix(BYTE_ORDER_MARK) if base == 0 else chunk
            yield from self._parts(piece, base)
            base += len(piece)
        yield from self._end()

    def _parts(self, chunk: bytes, base: int) -> Iterator[Row | Fault]:
        kept = 0
        for match in _MARK.finditer(chunk):
            at, mark = match.start(), match.group()
            if mark == b"\n":
                self._keep(chunk[kept:at])
                kept = at
                self._line += 1
            elif self._is_in_string:
                self._in_string(mark, base + at)
            elif mark == b'"':
                self._is_in_string = True
            elif self._moves(mark):
                self._keep(chunk[kept:at])
                kept = at + 1
                yield from self._separated(mark)
        self._keep(chunk[kept:])

    def _in_string(self, mark: bytes, at: int) -> None:
        if at == self._escaped_at:
            return
        if mark == b"\\":
            self._escaped_at = at + 1
        elif mark == b'"':
            self._is_in_string = False

    def _moves(self, mark: bytes) -> bool:
        """
        Follows the depth; whether the mark belongs to the array itself and not to an element.
        """
        if mark in b"[{":
            self._depth += 1
            if self._depth != 1 or mark != b"[" or self._text:
                return False
            self._begun_at = self._begun_at or self._line
            return True
        if not self._begun_at:
            return False  # one object, or no JSON
        if mark in b"]}":
            self._depth -= 1
            return self._depth == 0 and mark == b"]"
        return self._depth == 1

    def _keep(self, piece: bytes) -> None:
        if not self._text:
            # White space before an element is no part of it, however much there is.
            piece = piece.lstrip(_SPACE)
            self._first_line = self._line
        # One byte over the limit is enough to be told as too large.
        self._text += piece[: MAX_BODY_BYTES + 1 - len(self._text)]

    def _separated(self, mark: bytes) -> Iterator[Row | Fault]:
        if mark == b"[":
            return
        text, line = bytes(self._text).strip(_SPACE), self._first_line
        self._text.clear()
        is_last = mark == b"]"
        if self._is_over:
            yield Fault(self._file, line, "row", "not_json", "must be one array, and nothing after it")
        elif text:
            yield from _rows(self._file, line, text)
        elif not is_last or self._after_comma:
            yield Fault(
                self._file, self._line, "row", "not_json", "must be JSON: there is nothing at a comma; take it out"
            )
        self._after_comma = not is_last
        self._is_over = self._is_over or is_last

    def _end(self) -> Iterator[Row | Fault]:
        text = bytes(self._text).strip(_SPACE)
        if text and self._is_over:
            yield Fault(self._file, self._first_line, "row", "not_json", "must be one array, and nothing after it")
        elif text:
            yield from _rows(self._file, self._first_line, text)
        if self._begun_at and not self._is_over:
            yield Fault(
                self._file, self._begun_at, "row", "no_end", "must be JSON: the array that begins here has no end"
            )


def is_one_object(head: bytes) -> dict[str, Any] | None:
    """
    The object, where these bytes are one JSON object and nothing else.
    """
    try:
        value = json.loads(head)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
