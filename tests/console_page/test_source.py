"""
What the page's own files must never do.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import worker.console

STATIC = Path(worker.console.__file__).parent / "static"
#: Ways to have text read as markup or as a program, and what the page's policy would refuse.
FORBIDDEN = (
    r"\b(inner|outer)HTML\b|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|setHTML",
    r"\beval\(|new Function|setTimeout\(\s*[\"'`]|javascript:",
    r"\son\w+\s*=\s*[\"']|\sstyle\s*=\s*[\"']|<style|\.style\b",
    r"<script(?![^>]*\ssrc=)|localStorage|sessionStorage|document\.cookie",
    r"[\"'(]https?://(?!www\.w3\.org/2000/svg)|[\"'(=]//[a-z]",
)


@pytest.mark.parametrize("file", sorted(STATIC.iterdir()), ids=lambda file: file.name)
def test_no_file_reads_text_as_markup_or_program_or_comes_from_elsewhere(file: Path) -> None:
    text = re.sub(r'xmlns="[^"]*"', "", file.read_text(encoding="utf-8"))
    found = [match.group() for pattern in FORBIDDEN for match in re.finditer(pattern, text)]

    assert [] == found


def test_the_page_is_small() -> None:
    assert sum(file.stat().st_size for file in STATIC.iterdir()) < 100_000
