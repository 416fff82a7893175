"""
Pieces of Markdown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

_CODE = re.compile(r"(`[^`]*`)")


def table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """
    A table; what would end a cell is escaped.
    """
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    return "\n".join([*lines, *(f"| {' | '.join(map(_cell, row))} |" for row in rows)])


def code(text: object) -> str:
    """
    The text as code; nothing for nothing.
    """
    return f"`{text}`" if str(text) else ""


def json_block(value: object) -> str:
    """
    A value as a block of JSON.
    """
    return f"```json\n{json.dumps(value, indent=2, ensure_ascii=False)}\n```"


def one_line(text: str | None) -> str:
    """
    A docstring's first paragraph as one line.
    """
    return " ".join((text or "").strip().partition("\n\n")[0].split())


def _cell(text: str) -> str:
    # Outside of code, `<id>` would be taken for HTML.
    pieces = _CODE.split(text)
    shown = "".join(piece if piece.startswith("`") else piece.replace("<", "&lt;") for piece in pieces)
    return shown.replace("|", "\\|").strip().replace("\n", "<br>")
