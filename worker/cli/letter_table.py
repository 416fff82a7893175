"""
Dead letters as tables for people and lines for programs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

import typer

from worker.cli.tables import WORDS, cell, print_table
from worker.core.letters import DeadLetter, kind_of_error
from worker.shown.letters import letter_row
from worker.shown.times import clock, written


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
                times = {"oldest": written(group.oldest), "newest": written(group.newest)}
                typer.echo(json.dumps(told | times))
            return
        rows = [
            (cell(reason), cell(error), str(group.letters), clock(group.oldest), clock(group.newest))
            for (reason, error), group in ordered
        ]
        print_table(("reason", WORDS, "letters", "oldest", "newest"), rows)


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
        self._rows.append((letter_row(letter), letter.died_at))

    def print(self, *, is_json: bool) -> None:
        """
        Prints a row a letter, in the order of the queue.
        """
        if is_json:
            for row, _ in self._rows:
                typer.echo(json.dumps(row))
            return
        names = ("letter", "reason", "request", "source", "attempts", "replays", "last_error")
        rows = [(clock(died_at), *(cell(row[name]) for name in names)) for row, died_at in self._rows]
        print_table(("died at", *(name.replace("_", " ") for name in names)), rows)
