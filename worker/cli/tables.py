"""
Tables for people, and what stands in their cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from worker.shown.texts import printable

if TYPE_CHECKING:
    from rich.table import Table

#: The column whose cells are sentences; it alone gives way when there is no room.
WORDS = "last error"

#: Width of a table that goes to a file or another program, unless its ids need more.
_FILE_WIDTH = 140
#: Of the words, there and on a terminal.
_LEAST_FILE_WORDS = 40
_LEAST_WORDS = 12
#: Between two columns; there is half of it behind the last.
_GAP = 2
_NUMBERS = frozenset({"letters", "attempts", "replays", "age"})


def print_table(names: Sequence[str], rows: Sequence[Sequence[str]], *, is_short: bool = False) -> None:
    """
    Prints a table. An id is never broken, since somebody will copy it: rather is a line longer than the terminal.

    Args:
        names: of the columns.
        rows: their cells, printable; none prints nothing.
        is_short: a row is one line, its last error cut off; else that is folded.
    """
    from rich.console import Console

    if not rows:
        return
    console = Console(highlight=False)
    room, least = (console.width, _LEAST_WORDS) if console.is_terminal else (_FILE_WIDTH, _LEAST_FILE_WORDS)
    widths = _widths(names, rows, room, least)
    console.width = sum(widths) + _GAP * len(widths) - 1
    with console.capture() as printed:
        console.print(_table(names, rows, widths, is_short=is_short))
    # Not by rich, which ends with 1 where a reader such as `head` has gone.
    typer.echo("\n".join(line.rstrip() for line in printed.get().splitlines()))


def cell(value: object) -> str:
    """
    A value as a table shows it; nothing for None.
    """
    return "" if value is None else printable(str(value))


def _widths(names: Sequence[str], rows: Sequence[Sequence[str]], room: int, least: int) -> list[int]:
    """
    Of every column what its cells need; of the words what is left of `room`, and `least` all the same.
    """
    from rich.cells import cell_len

    columns = zip(names, *rows, strict=True)
    widths = [max(cell_len(text) for text in column) for column in columns]
    if WORDS in names:
        place = names.index(WORDS)
        left = room - (sum(widths) - widths[place] + _GAP * len(widths) - 1)
        widths[place] = min(widths[place], max(left, least))
    return widths


def _table(names: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int], *, is_short: bool) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for name, width in zip(names, widths, strict=True):
        table.add_column(
            name,
            justify="right" if name in _NUMBERS else "left",
            width=width,
            no_wrap=is_short or name != WORDS,
            overflow="ellipsis" if is_short else "fold",
        )
    for row in rows:
        table.add_row(*(Text(text) for text in row))  # as Text: brackets in an error are no markup
    return table
