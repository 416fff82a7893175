"""
What came of a benchmark, for people: tables in Markdown, and a line for each claim.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """
    Something that must hold.

    Attributes:
        words: what.
        is_true: whether it does.
        said: what was found.
    """

    words: str
    is_true: bool
    said: str

    def line(self) -> str:
        """
        The claim and its verdict.
        """
        return f"{'yes' if self.is_true else 'NO '}  {self.words}: {self.said}"


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """
    A table whose first column is text, and the others are figures.
    """
    lines = [list(heads), *([shown(cell) for cell in row] for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(heads))]
    written = [f"| {' | '.join(_padded(line, widths))} |" for line in lines]
    rule = "|".join("-" * (width + 1) + (":" if place else "-") for place, width in enumerate(widths))
    return "\n".join([written[0], f"|{rule}|", *written[1:]])


def shown(value: object) -> str:
    """
    A cell: fractions with two digits, nothing as a dash.
    """
    if value is None:
        return "-"
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _padded(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
