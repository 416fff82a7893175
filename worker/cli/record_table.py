"""
Requests of the ledger as a table for people and lines for programs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import typer

from worker.cli.tables import WORDS, age, cell, print_table, written
from worker.core.answers import Trouble
from worker.core.following import Follow
from worker.core.records import Record

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


def row_of(record: Record) -> dict[str, object]:
    """
    What is told of a request in one line.
    """
    job, follow, trouble = record.job, record.follow, trouble_of(record)
    outcome = job.outcome
    return {
        "request": job.key.id,
        "source": job.key.source,
        "state": record.state,
        "service": job.service_id,
        "status": record.status,
        "tenant": job.tenant_id,
        "order": job.wanted.get("order_id"),
        "router": job.router_id,
        "recorded_at": written(record.recorded_at),
        "updated_at": written(record.updated_at),
        "attempts": job.attempts,
        "replays": job.replays,
        "code": trouble.code if trouble else None,
        "message": trouble.message if trouble else None,
        "api_request_id": (outcome.api_request_id if outcome else None)
        or (trouble.api_request_id if trouble else None),
        "http_status": trouble.http_status if trouble else None,
        "reconciled": outcome.reconciled if outcome else False,
        "followed": follow is not None and not follow.is_over,
        "follow": _follow_row(follow) if follow else None,
    }


def trouble_of(record: Record) -> Trouble | None:
    """
    What went wrong: why its outcome is what it is, or the latest trouble while there is none.
    """
    outcome = record.job.outcome
    return outcome.trouble if outcome else record.job.trouble


def _follow_row(follow: Follow) -> dict[str, object]:
    return {
        "target": follow.target.value,
        "status": follow.status,
        "changes": follow.changes,
        "is_over": follow.is_over,
        "ending": follow.ending.value if follow.ending else None,
        "begun_at": written(follow.begun_at),
        "changed_at": written(follow.changed_at),
        "deadline_at": written(follow.deadline_at),
    }


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
