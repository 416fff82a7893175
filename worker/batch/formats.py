"""
Which format a file has, and its rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

from messages.strict_json import MAX_BODY_BYTES
from worker.batch.columns import IDENTITIES, Columns
from worker.batch.csv_rows import csv_rows
from worker.batch.json_rows import is_one_object, json_array, json_lines
from worker.batch.lines import BYTE_ORDER_MARK
from worker.batch.rows import Fault, Row

Format = Literal["jsonl", "csv", "json"]

#: Enough for the largest request, and to know that it is larger.
HEAD_BYTES = MAX_BODY_BYTES + 1
_SUFFIXES: dict[str, Format] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "csv"}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def format_of(name: str, head: bytes) -> Format | None:
    """
    The format of many orders that a file has by its suffix, else by how it begins.

    Args:
        name: of the file.
        head: its first `HEAD_BYTES`, or all of it.

    Returns:
        None for the body of a single request, as the API has it, and for what is no format known here.
    """
    if named := _SUFFIXES.get(Path(name).suffix.lower()):
        return named
    text = head.removeprefix(BYTE_ORDER_MARK).lstrip()
    if text.startswith(b"["):
        return "json"
    first, _, rest = text.partition(b"\n")
    if text.startswith(b"{"):
        if (whole := is_one_object(text)) is not None:
            return "json" if any(column in whole for column in IDENTITIES) else None
        return "jsonl" if rest.strip() and first.rstrip().endswith(b"}") else None
    return "csv" if _is_header(first) else None


def rows_of(name: str, stream: BinaryIO, form: Format, columns: Columns) -> Iterator[Row | Fault]:
    """
    The rows of a file in its order, each read when it is asked for.
    """
    match form:
        case "jsonl":
            return json_lines(name, stream)
        case "json":
            return json_array(name, stream)
        case "csv":
            return csv_rows(name, stream, columns)


def utf16_fault(name: str, head: bytes) -> Fault | None:
    """
    What to say of a file that Windows programs call Unicode.
    """
    if not head.startswith(_UTF16):
        return None
    return Fault(name, 1, "row", "not_utf8", "must be UTF-8, and this is UTF-16: save the file again as UTF-8")


def _is_header(line: bytes) -> bool:
    text = line.decode("utf-8", "replace")
    cells = (cell.strip().strip('"') for separator in ",;\t" for cell in text.split(separator))
    return not Columns().is_known.isdisjoint(cells)
