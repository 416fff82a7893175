"""
Tables: what is an id stays whole, what is a sentence gives way, and nothing drives a terminal.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from worker.cli.tables import cell, print_table
from worker.shown.times import age

UUID = "66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa"
NAMES = ("request", "source", "service", "attempts", "last error")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("is_short", [True, False])
def test_ids_stay_whole_however_wide_the_row(capsys: pytest.CaptureFixture[str], is_short: bool) -> None:
    """
    `dead list --each | grep ID` found nothing where the id was folded into two lines.
    """
    long = "x" * 120
    print_table(NAMES, [(UUID, long, UUID, "17", "no")], is_short=is_short)

    assert [UUID, long, UUID, "17", "no"] == lines(capsys)[2].split()


def test_a_row_is_one_line_when_its_words_may_be_shortened(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(NAMES, [(UUID, "/shop", UUID, "1", "word " * 100), (UUID, "/shop", UUID, "2", "short")], is_short=True)
    head, rule, first, second = lines(capsys)

    assert head.startswith("request  ")
    assert {"─"} == set(rule)
    assert first.endswith("…")
    assert first.count("word") >= 7
    assert second.endswith("  short")


def test_else_long_words_are_folded_and_none_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    words = " ".join(f"word-{number}" for number in range(60))
    print_table(NAMES, [("order-1", "/shop", "s-1", "1", words)])
    printed = lines(capsys)

    assert max(map(len, printed)) <= 140
    assert words.split() == [word for line in printed for word in line.split() if word.startswith("word-")]


def test_a_terminal_is_filled_and_no_more(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "20")
    print_table(NAMES, [("order-1", "/shop", "s-1", "1", "word " * 100)], is_short=True)

    assert 97 <= len(lines(capsys)[2]) <= 100


def test_brackets_are_no_markup_and_wide_characters_keep_the_columns(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("request", "source", "last error"), [("注文", "/a", "[red]x[/red]"), ("b", "/b", "y")])
    first, second = lines(capsys)[2:]

    assert "注文     /a      [red]x[/red]" == first
    assert "b        /b      y" == second


def test_no_rows_are_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(NAMES, [])

    assert [] == lines(capsys)


def test_a_cell_can_neither_break_a_line_nor_drive_a_terminal() -> None:
    assert "a\\nb\\x1b[2J\\u2028\\udcff" == cell("a\nb\x1b[2J\u2028\udcff")


@pytest.mark.parametrize(
    ("age_s", "expected"),
    [(-5, "0s"), (0, "0s"), (59.9, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (86_399, "23h"), (200_000, "2d")],
)
def test_an_age_is_in_its_largest_whole_unit(age_s: float, expected: str) -> None:
    assert expected == age(NOW - timedelta(seconds=age_s), NOW)
