"""
Texts of others on a person's terminal.
"""

from __future__ import annotations


def printable(text: str) -> str:
    """
    The text with control characters escaped, so that it can neither forge a line nor drive a terminal.
    """
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
