"""
Rows from CSV: comma, semicolon or tab, quoted cells over several lines, with or without a byte order mark.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import BinaryIO

from messages.characters import is_whole
from messages.faults import quoted
from worker.batch.columns import BODY, Columns
from worker.batch.lines import MAX_LINE_BYTES, LineTooLongError, bounded_lines
from worker.batch.rows import Fault, Row

_DELIMITERS = (",", ";", "\t")
_NOT_UTF8 = "must be UTF-8: save the file again as CSV UTF-8"


def csv_rows(file: str, stream: BinaryIO, columns: Columns) -> Iterator[Row | Fault]:
    """
    A row or its faults for every record; the first line that is not empty names the columns.

    Cells that are empty are left out, and records without any other.
    """
    table = _Table(file, columns)
    try:
        yield from table.rows(line.decode("utf-8", "surrogateescape") for line in bounded_lines(stream))
    except LineTooLongError as exc:
        yield table.fault(
            exc.line, "row", "body_too_large", f"is over {MAX_LINE_BYTES} bytes; nothing was read after it"
        )
    except csv.Error as exc:
        # What follows an open quote was swallowed with it.
        message = f"must be CSV: {exc}; is a quote open that begins here? Nothing was read after it"
        yield table.fault(table.line, "row", "no_end", message)


class _Table:
    def __init__(self, file: str, columns: Columns) -> None:
        self._file = file
        self._columns = columns
        self.line = 1

    def fault(self, line: int, path: str, code: str, message: str) -> Fault:
        return Fault(self._file, line, path, code, message)

    def rows(self, lines: Iterator[str]) -> Iterator[Row | Fault]:
        skipped, first = 0, next(lines, None)
        while first is not None and not first.strip():
            skipped, first = skipped + 1, next(lines, None)
        if first is None:
            return
        reader = csv.reader(chain([first], lines), delimiter=_delimiter(first, self._columns), strict=True)
        self.line = skipped + 1
        names = [name.strip() for name in next(reader)]
        wrong = list(self._wrong_names(names))
        yield from wrong
        known = {index: name for index, name in enumerate(names) if name in self._columns.is_known}
        self.line = skipped + reader.line_num + 1
        for cells in reader:
            if any(cells):
                yield from self._row(names, known, cells)
            self.line = skipped + reader.line_num + 1

    def _wrong_names(self, names: Sequence[str]) -> Iterator[Fault]:
        for index, name in enumerate(names):
            if not is_whole(name):
                yield self.fault(self.line, "row", "not_utf8", _NOT_UTF8)
            elif name == BODY:
                yield self.fault(
                    self.line, name, "unknown_field", "is no column of CSV: give each of its fields a column"
                )
            elif name in names[:index]:
                yield self.fault(self.line, name or "row", "duplicate_key", f"two columns are named {quoted(name)}")
            elif name not in self._columns.is_known:
                yield self.fault(self.line, name or "row", "unknown_field", self._columns.unknown(name))

    def _row(self, names: Sequence[str], known: dict[int, str], cells: list[str]) -> Iterator[Row | Fault]:
        if len(cells) > len(names) and any(cells[len(names) :]):
            message = (
                f"has {len(cells)} cells, and the header names {len(names)}; put a cell with the delimiter into quotes"
            )
            yield self.fault(self.line, "row", "unknown_field", message)
            return
        values = {known[index]: cell for index, cell in enumerate(cells) if cell and index in known}
        broken = [name for name, cell in values.items() if not is_whole(cell)]
        for name in broken:
            yield self.fault(self.line, name, "not_utf8", _NOT_UTF8)
        if not broken:
            yield Row(self._file, self.line, values, is_text=True)


def _delimiter(header: str, columns: Columns) -> str:
    """
    The one with which most names are known; the comma where none helps.
    """

    def known_with(delimiter: str) -> int:
        try:
            cells = next(csv.reader([header], delimiter=delimiter))
        except csv.Error:
            return 0
        return sum(cell.strip() in columns.is_known for cell in cells)

    return max(_DELIMITERS, key=known_with)
