"""
Requests of the ledger as a table for people and lines for programs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import typer

from worker.cli.tables import WORDS, cell, print_table
from worker.core.following import Follow
from worker.core.records import Record
from worker.shown.records import row_of, trouble_of
from worker.shown.times import age

_NAMES = ("request", "source", "state", "service", "status", "followed", "age", "attempts", WORDS)


def print_records(records: Sequence[Record], now: datetime, *, is_json: bool) -> None:
    """
    Prints a row a request, in the order given.

    Args:
        records: a page of them.
        now: aware UTC, for their ages.
        is_json: a line of JSON each, instead of a table.
    """
    if not is_json:
        print_table(_NAMES, [_cells(record, now) for record in records], is_short=True)
        return
    for record in records:
        typer.echo(json.dumps(row_of(record)))


def _followed(follow: Follow) -> str:
    if not follow.is_over:
        return "yes"
    return follow.ending.value if follow.ending else "over"


def _cells(record: Record, now: datetime) -> tuple[str, ...]:
    job, trouble = record.job, trouble_of(record)
    followed = "" if record.follow is None else _followed(record.follow)
    told = (job.key.id, job.key.source, record.state, job.service_id, record.status, followed)
    words = f"{trouble.code}: {trouble.message}" if trouble else None
    return (*map(cell, told), age(record.recorded_at, now), cell(job.attempts), cell(words))
