"""
A fact is logged once and given to every hook; whoever notes it is never disturbed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from structlog.testing import capture_logs

from worker.facts import Fact, hooked, note


@dataclass(frozen=True, slots=True)
class Happened(Fact):
    """
    Something.
    """

    where: str
    why: str | None = None
    how_often: int = 1

    EVENT: ClassVar[str | None] = "thing.happened"
    UNLOGGED: ClassVar[frozenset[str]] = frozenset({"how_often"})


@dataclass(frozen=True, slots=True)
class Counted(Fact):
    """
    Something that is too frequent for a line.
    """


def test_a_fact_is_one_line_with_what_is_known() -> None:
    with capture_logs() as lines:
        note(Happened("here"))
        note(Counted())

    assert [{"event": "thing.happened", "log_level": "info", "where": "here"}] == lines


def test_every_hook_hears_it_as_long_as_it_is_hooked() -> None:
    first: list[Fact] = []
    second: list[Fact] = []
    with hooked(first.append):
        with hooked(second.append):
            note(Counted())
        note(Counted())
    note(Counted())

    assert (2, 1) == (len(first), len(second))


def test_a_hook_that_fails_disturbs_neither_the_noting_nor_other_hooks() -> None:
    def fail(_: Fact) -> None:
        raise ValueError("a fault of ours")

    heard: list[Fact] = []
    with capture_logs() as lines, hooked(fail), hooked(heard.append):
        note(Counted())

    assert [Counted()] == heard
    assert [("fact.not_heeded", "Counted")] == [(line["event"], line["kind"]) for line in lines]
