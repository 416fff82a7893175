"""
Texts of others on a person's terminal.
"""

from __future__ import annotations

import json
from collections.abc import Iterator


def printable(text: str) -> str:
    """
    The text with control characters escaped, so that it can neither forge a line nor drive a terminal.
    """
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def json_lines(value: object) -> Iterator[str]:
    """
    A value as indented JSON, line by line, for a person.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return (printable(line) for line in text.split("\n"))
