"""
Flags that say which dead letters are meant.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import typer

from messages.attributes import time_of
from worker.core.letters import REASONS, LetterFilter

_AGO = re.compile(r"(\d{1,9})([smhd])")
_T = re.compile(r"(?<=\d) (?=\d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def letter_filter(since: str | None, until: str | None, **exact: str | None) -> LetterFilter:
    """
    The filter from flags.

    Args:
        since, until: as typed.
        exact: the other fields of LetterFilter.

    Raises:
        typer.BadParameter: a time cannot be read, or a text is empty, which would mean every letter.
    """
    for name, text in exact.items():
        if text == "":
            raise typer.BadParameter("must not be empty", param_hint=f"--{name}")
    reason = exact.get("reason")
    if reason is not None and reason not in REASONS and not reason.startswith("broker_"):
        raise typer.BadParameter(f"must be one of {', '.join(REASONS)}", param_hint="--reason")
    now = datetime.now(UTC)
    return LetterFilter(since=_moment(since, now, "--since"), until=_moment(until, now, "--until"), **exact)


def check_chosen(wanted: LetterFilter, *, is_all: bool) -> None:
    """
    Raises typer.BadParameter unless the flags say which letters, one way and not both.
    """
    if wanted.is_empty and not is_all:
        raise typer.BadParameter("say which letters (--reason, --request, --since, ...), or --all")
    if is_all and not wanted.is_empty:
        raise typer.BadParameter("--all means every letter; leave it out to choose some")


def _moment(text: str | None, now: datetime, flag: str) -> datetime | None:
    if text is None:
        return None
    ago = _AGO.fullmatch(text.strip())
    try:
        moment = now - timedelta(seconds=int(ago[1]) * _SECONDS[ago[2]]) if ago else time_of(_T.sub("T", text.strip()))
    except OverflowError:
        moment = None
    if moment is None:
        raise typer.BadParameter(
            "must be a time like 2026-01-31T12:00:00Z, or how long ago: 90s, 15m, 2h, 3d", param_hint=flag
        )
    return moment
