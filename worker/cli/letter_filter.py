"""
Flags that say which dead letters are meant.
"""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from worker.cli.flag_values import check_not_empty, moment
from worker.core.letters import REASONS, LetterFilter


def letter_filter(since: str | None, until: str | None, **exact: str | None) -> LetterFilter:
    """
    The filter from flags.

    Args:
        since, until: as typed.
        exact: the other fields of LetterFilter.

    Raises:
        typer.BadParameter: a time cannot be read, or a text is empty, which would mean every letter.
    """
    check_not_empty(exact)
    reason = exact.get("reason")
    if reason is not None and reason not in REASONS and not reason.startswith("broker_"):
        raise typer.BadParameter(f"must be one of {', '.join(REASONS)}", param_hint="--reason")
    now = datetime.now(UTC)
    return LetterFilter(since=moment(since, now, "--since"), until=moment(until, now, "--until"), letters=None, **exact)


def check_chosen(wanted: LetterFilter, *, is_all: bool) -> None:
    """
    Raises typer.BadParameter unless the flags say which letters, one way and not both.
    """
    if wanted.is_empty and not is_all:
        raise typer.BadParameter("say which letters (--reason, --request, --since, ...), or --all")
    if is_all and not wanted.is_empty:
        raise typer.BadParameter("--all means every letter; leave it out to choose some")
