"""
Dead letters as tables for people and lines for programs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import typer

from messages.attributes import rfc3339
from worker.cli.words import printable
from worker.core.letters import DeadLetter, kind_of_error, router_of

if TYPE_CHECKING:
    from rich.table import Table

#: Width of a table that goes to a file or another program.
_FILE_WIDTH = 140


@dataclass(slots=True)
class _Group:
    letters: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None

    def add(self, died_at: datetime | None) -> None:
        self.letters += 1
        if died_at is not None:
            self.oldest = min(self.oldest or died_at, died_at)
            self.newest = max(self.newest or died_at, died_at)


class Tally:
    """
    Letters counted by reason and kind of error; keeps the counts, not the letters.
    """

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], _Group] = {}

    def add(self, letter: DeadLetter) -> None:
        """
        Counts a letter.
        """
        key = (letter.reason, kind_of_error(letter.last_error))
        self._groups.setdefault(key, _Group()).add(letter.died_at)

    def print(self, *, is_json: bool) -> None:
        """
        Prints a row a group, the largest first.
        """
        ordered = sorted(self._groups.items(), key=lambda item: (-item[1].letters, item[0]))
        if is_json:
            for (reason, error), group in ordered:
                told = {"reason": reason, "error": error, "letters": group.letters}
                times = {"oldest": _written(group.oldest), "newest": _written(group.newest)}
                typer.echo(json.dumps(told | times))
            return
        rows = [
            (printable(reason), printable(error), str(group.letters), _clock(group.oldest), _clock(group.newest))
            for (reason, error), group in ordered
        ]
        _print(("reason", "last error", "letters", "oldest", "newest"), rows)


class Rows:
    """
    Letters listed one by one; keeps what is shown of them, not their bodies.
    """

    def __init__(self) -> None:
        self._rows: list[tuple[dict[str, object], datetime | None]] = []

    def add(self, letter: DeadLetter) -> None:
        """
        Lists a letter.
        """
        self._rows.append((row_of(letter), letter.died_at))

    def print(self, *, is_json: bool) -> None:
        """
        Prints a row a letter, in the order of the queue.
        """
        if is_json:
            for row, _ in self._rows:
                typer.echo(json.dumps(row))
            return
        names = ("letter", "reason", "request", "source", "attempts", "replays", "last_error")
        rows = [(_clock(died_at), *(_cell(row[name]) for name in names)) for row, died_at in self._rows]
        _print(("died at", *(name.replace("_", " ") for name in names)), rows)


def row_of(letter: DeadLetter) -> dict[str, object]:
    """
    What is told of a letter in one line.
    """
    asked = letter.asked()
    return {
        "letter": letter.id,
        "reason": letter.reason,
        "request": asked.id,
        "source": asked.source,
        "router": router_of(asked),
        "died_at": _written(letter.died_at),
        "attempts": letter.attempts,
        "replays": letter.replays,
        "last_error": letter.last_error,
    }


def _print(names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_FILE_WIDTH)
    if rows:
        console.print(_table(names, rows))


def _table(names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for name in names:
        is_number = name in {"letters", "attempts", "replays"}
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # as Text: brackets in an error are no markup
    return table


def _cell(value: object) -> str:
    return "" if value is None else printable(str(value))


def _clock(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z" if moment else ""


def _written(moment: datetime | None) -> str | None:
    return rfc3339(moment) if moment else None
