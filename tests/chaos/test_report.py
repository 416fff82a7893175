"""
The page of a chaos run keeps the words around its tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos.report import BEGIN, END, history, write_page
from tests.chaos.rules import Violation

if TYPE_CHECKING:
    from pathlib import Path


def test_only_what_is_between_the_marks_is_written_anew(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_page(page, "new")
    write_page(page, "newer")

    assert f"before\n{BEGIN}\nnewer\n{END}\nafter\n" == page.read_text()


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("words")

    with pytest.raises(ValueError, match="no lines"):
        write_page(page, "new")
    assert "words" == page.read_text()


def test_the_history_of_a_request_is_in_the_order_of_time(tmp_path: Path) -> None:
    first, second = tmp_path / "worker-0.001.log", tmp_path / "worker-1.001.log"
    first.write_text('{"timestamp":"2026-01-01T10:00:02Z","event":"two","id":"7-1"}\n{"event":"other","id":"7-2"}\n')
    second.write_text('{"timestamp":"2026-01-01T10:00:01Z","event":"one","id":"7-1"}\n')
    lines = history(Violation("lost", "7-1", ""), [first, second])

    assert ["worker-1.001", "worker-0.001"] == [line.split()[0] for line in lines]
