"""
What the readers of every format give: rows and faults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """
    One order as it stands in a file.

    Attributes:
        file: as the user named it, `-` for standard input.
        line: where it begins, from 1.
        values: by column.
        is_text: every value is text, as in CSV; else they have the types of JSON.
    """

    file: str
    line: int
    values: Mapping[str, object]
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One thing that is wrong in a file.

    Attributes:
        file, line: where, as in a row.
        path: which column or field; `row` for all of it.
        code: one of messages.faults.CODES, or one of this room: no_orders, no_end, unreadable, id_repeated.
        message: what to do about it; ends without a full stop.
    """

    file: str
    line: int
    path: str
    code: str
    message: str


def first_of(*names: str) -> str:
    """
    Names for a sentence: `a`, `a or b`, `a, b or c`.
    """
    return " or ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else names[0]
