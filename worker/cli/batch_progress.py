"""
How far a batch has come: a bar at a terminal, else a line now and then.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Self, TypeVar

import typer

from worker.shown.texts import printable

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

    from worker.batch.running import Progress

T = TypeVar("T")
_LOOK_S = 0.25
_LINE_S = 10.0
_COUNTED_AT_ONCE = 1000


def count_words(counts: dict[str, int]) -> str:
    """
    How many orders there are of each state, in words; those that nothing was heard of are left out.
    """
    return ", ".join(
        f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count and name != "waiting"
    )


class Reporter:
    """
    Talks on standard error; use as a context manager.
    """

    def __init__(self) -> None:
        self._bars: Bars | None = None
        self._last_line_at = time.monotonic()
        self._trouble: str | None = None
        self._asked_again = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """
        Takes the bar away; what is said next stands in a line of its own.
        """
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def counting(self, rows: Iterable[T], name: str) -> Iterator[T]:
        """
        The rows, counted as they are read.
        """
        if not sys.stderr.isatty():
            yield from rows
            return
        bars = self._opened()
        task = bars.add_task(f"checking {printable(name)}", total=None)
        for count, row in enumerate(rows, 1):
            if count % _COUNTED_AT_ONCE == 0:
                bars.update(task, completed=count)
            yield row
        bars.remove_task(task)

    async def follow(self, progress: Callable[[], Progress]) -> None:
        """
        Shows how far it is until it is cancelled.
        """
        while True:
            now = progress()
            if sys.stderr.isatty():
                self._draw(now)
            self._tell_changes(now)
            await asyncio.sleep(_LOOK_S)

    def _draw(self, now: Progress) -> None:
        bars = self._opened()
        if not bars.tasks:
            bars.add_task("confirmed", total=now.total)
            bars.add_task("outcomes", total=now.total)
        sent, told = bars.tasks
        words = count_words(now.counts)
        bars.update(sent.id, completed=now.confirmed)
        bars.update(told.id, completed=now.told, description=words or "outcomes", visible=bool(words))

    def _tell_changes(self, now: Progress) -> None:
        if now.trouble != self._trouble:
            self._say(now.trouble or "It goes on.")
            self._trouble = now.trouble
        if now.asked_again != self._asked_again:
            again = now.asked_again - self._asked_again
            self._say(f"Events may have been missed: {again} orders without an outcome are sent again under their ids.")
            self._asked_again = now.asked_again
        if self._bars is None and time.monotonic() - self._last_line_at >= _LINE_S:
            told = count_words(now.counts)
            self._say(f"{now.confirmed} of {now.total} confirmed{', ' if told else ''}{told}")

    def _say(self, words: str) -> None:
        self._last_line_at = time.monotonic()
        if self._bars is None:
            typer.echo(printable(words), err=True)
        else:
            self._bars.console.print(printable(words), markup=False, highlight=False)

    def _opened(self) -> Bars:
        if self._bars is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bars = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bars.start()
        return self._bars
