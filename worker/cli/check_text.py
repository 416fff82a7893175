"""
What `vpn-worker check` found, as it is shown. It needs nothing that another distribution could have replaced.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import NamedTuple

import typer

from worker.shown.texts import printable
from worker.terminals import wants_colours

#: How a state is marked, and its colour at a terminal.
_MARKS = {
    "ok": ("ok", typer.colors.GREEN),
    "warning": ("warning", typer.colors.YELLOW),
    "fault": ("FAULT", typer.colors.RED),
    "unseen": ("unseen", typer.colors.CYAN),
}
_WIDTH = 9


class Told(NamedTuple):
    """
    One finding: of which area, about what, how it is, in words, and what to do.
    """

    area: str
    subject: str
    state: str
    words: str
    remedy: str = ""


def show(findings: Iterable[Told], *, json_lines: bool) -> None:
    """
    Prints each finding, as a line of JSON or as a line for people with the remedy below.
    """
    for finding in findings:
        if json_lines:
            typer.echo(json.dumps(finding._asdict()))
            continue
        mark, colour = _MARKS[finding.state]
        shown = mark.ljust(_WIDTH)
        if wants_colours(sys.stdout):
            shown = typer.style(shown, fg=colour)
        typer.echo(f"{shown}{printable(finding.subject)}: {printable(finding.words)}")
        if finding.remedy:
            typer.echo(f"{' ' * _WIDTH}{printable(finding.remedy)}")


def summary(findings: Iterable[Told]) -> str:
    """
    How many there are of each state, in words.
    """
    states = [finding.state for finding in findings]
    counts = {state: states.count(state) for state in ("fault", "warning", "ok", "unseen")}
    plural = {state: "s" if count != 1 else "" for state, count in counts.items()}
    words = [f"{counts['fault']} fault{plural['fault']}", f"{counts['warning']} warning{plural['warning']}"]
    words.append(f"{counts['ok']} ok")
    if counts["unseen"]:
        words.append(f"{counts['unseen']} could not be looked at")
    return f"{', '.join(words)}."
