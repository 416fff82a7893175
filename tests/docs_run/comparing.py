"""
Whether a command said what its page shows, save for what is another each time.
"""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

#: What varies, and the word that stands for it in both texts; the first that fits wins.
MASKS = (
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", "<time>"),
    (r"(?<![\d:])\d\d:\d\d:\d\d(?![\d:])", "<time>"),
    (_UUID, "<id>"),
    (r"\b[0-9a-f]{8}(\.{3}|…)", "<id>"),
    (r"\b(?=[0-9a-f]*\d)[0-9a-f]{12,}\b", "<id>"),
    (r"(?<=127\.0\.0\.1:)\d+|(?<=localhost:)\d+", "<port>"),
    (r"(?<=\bpid)(\W{1,3})\d+", r"\1<pid>"),
    (r'(?<=_s": )[\d.e-]+|(?<=_ms": )[\d.e-]+', "<span>"),
    (r"(?<![\w.])\d+(\.\d+)? ?(ms|s)\b|(?<![\w.])\d+[mhd]\b", "<span>"),
    (r"(?<![\w.])[\d.]+ (KiB|MiB|GiB|KB|MB|GB)\b", "<size>"),
    (r"(?<![\d.])\d+\.\d+\.\d+(?![\d.])", "<version>"),
    (r"(?<=PostgreSQL )[\d.]+|(?<=RabbitMQ )[\d.]+", "<version>"),
)
_BROKEN_ID = re.compile(r"\b[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{1,11}\b")
_REST_OF_ID = re.compile(r"(\s+)[0-9a-f]{1,11}\b")
_ANY_LINES = frozenset({"...", "…"})
_ANY_TEXT = re.compile(r"\.{3}|…")


def masked(line: str) -> str:
    """
    The line with a word for everything that varies, and one blank where there are several.
    """
    for pattern, word in MASKS:
        line = re.sub(pattern, word, line)
    return re.sub(r"\s+", " ", re.sub(r"[─━═-]{4,}", "────", line)).rstrip()


def difference(shown: Sequence[str], said: Sequence[str], *, may_go_on: bool = False) -> str:
    """
    What the page shows (-) and what was said (+), as a readable diff; empty where they agree.

    Args:
        shown: lines of the page; `...` alone stands for any lines, within a line for any text.
        said: what the command wrote.
        may_go_on: more may follow behind what is shown.
    """
    wanted = [_Line(line) for line in _whole(shown)]
    if may_go_on:
        wanted.append(_Line("..."))
    return _aligned(wanted, [masked(line) for line in _whole(_trimmed(said))])


class _Line:
    """
    A line of a page as a pattern.
    """

    def __init__(self, line: str) -> None:
        self.is_gap = line.strip() in _ANY_LINES
        self.text = masked(line)
        parts = [re.escape(part) for part in _ANY_TEXT.split(self.text)]
        self._pattern = re.compile(".*?".join(parts))

    def fits(self, line: str) -> bool:
        return self._pattern.fullmatch(line) is not None


def _aligned(wanted: Sequence[_Line], given: Sequence[str]) -> str:
    """
    Both texts line by line, with the fewest differences there can be; empty without one.
    """
    rows, columns = len(wanted) + 1, len(given) + 1
    # The price of what is left of both texts from here on; where a gap swallows a line that is free.
    price = [[0] * columns for _ in range(rows)]
    for at, line in product(reversed(range(rows)), reversed(range(columns))):
        price[at][line] = min((rest for rest, *_ in _moves(wanted, given, price, at, line)), default=0)
    if price[0][0] == 0:
        return ""
    lines, at, line = [], 0, 0
    while (at, line) != (len(wanted), len(given)):
        _, words, at, line = min(_moves(wanted, given, price, at, line), key=lambda move: move[0])
        lines += [words] if words else []
    return "\n".join(lines)


def _moves(
    wanted: Sequence[_Line], given: Sequence[str], price: Sequence[Sequence[int]], at: int, line: int
) -> Iterator[tuple[int, str, int, int]]:
    """
    Every way to go on: what all of it costs, what the diff says, and where it leads.
    """
    if at < len(wanted) and wanted[at].is_gap:
        yield price[at + 1][line], "  ...", at + 1, line
        if line < len(given):
            yield price[at][line + 1], "", at, line + 1
        return
    if at < len(wanted) and line < len(given) and wanted[at].fits(given[line]):
        yield price[at + 1][line + 1], f"  {given[line]}", at + 1, line + 1
    if line < len(given):
        yield price[at][line + 1] + 1, f"+ {given[line]}", at, line + 1
    if at < len(wanted):
        yield price[at + 1][line] + 1, f"- {wanted[at].text}", at + 1, line


def _whole(lines: Sequence[str]) -> list[str]:
    """
    The lines with no id broken in two, as the cells of a narrow table have them.
    """
    whole = list(lines)
    for number, line in enumerate(whole[:-1]):
        if (broken := _BROKEN_ID.search(line)) and (rest := _REST_OF_ID.match(whole[number + 1])):
            whole[number] = line.replace(broken[0], "<id>")
            whole[number + 1] = rest[1] + whole[number + 1][rest.end() :]
    return whole


def _trimmed(lines: Sequence[str]) -> list[str]:
    kept = [line.rstrip() for line in lines]
    while kept and not kept[-1]:
        kept.pop()
    return kept
