"""
What people type after a flag, read the same way by every command.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

import typer

from messages.attributes import time_of

_AGO = re.compile(r"(\d{1,9})([smhd])")
_T = re.compile(r"(?<=\d) (?=\d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def check_not_empty(texts: Mapping[str, str | None]) -> None:
    """
    Raises typer.BadParameter for an empty text: a variable that was never set would mean everything.

    Args:
        texts: what was typed, by the flag's name; None where it was not given.
    """
    for name, text in texts.items():
        if text == "":
            raise typer.BadParameter("must not be empty", param_hint=f"--{name}")


def moment(text: str | None, now: datetime, flag: str) -> datetime | None:
    """
    The moment that somebody typed, as a time or as how long ago; None when it was not given.

    Args:
        text: as typed.
        now: aware UTC.
        flag: whose it is, for the words of a refusal.

    Raises:
        typer.BadParameter: it cannot be read.
    """
    if text is None:
        return None
    ago = _AGO.fullmatch(text.strip())
    try:
        read = now - timedelta(seconds=int(ago[1]) * _SECONDS[ago[2]]) if ago else time_of(_T.sub("T", text.strip()))
    except OverflowError:
        read = None
    if read is None:
        raise typer.BadParameter(
            "must be a time like 2026-01-31T12:00:00Z, or how long ago: 90s, 15m, 2h, 3d", param_hint=flag
        )
    return read
