"""
One request of the ledger, told in full.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime

from worker.cli.record_advice import what_next
from worker.cli.record_table import row_of, trouble_of
from worker.cli.tables import written
from worker.cli.words import json_lines, printable
from worker.core.answers import Service
from worker.core.following import Follow
from worker.core.job import Outcome
from worker.core.records import Record


def record_text(record: Record, now: datetime) -> str:
    """
    Everything about a request, for a person.

    Args:
        record: as the ledger has it.
        now: aware UTC.
    """
    row, rest = row_of(record), _rest(record)
    times = {"recorded_at": row["recorded_at"], "updated_at": row["updated_at"]} | _times(record)
    facts = {
        "request": row["request"],
        "source": row["source"],
        "state": row["state"],
        "next": what_next(record, now),
        **{name: row[name] for name in ("service", "status", "code", "message", "http_status", "api_request_id")},
        "api_code": rest["api_code"],
        "in the way": rest["existing_service_id"],
        "attempts": row["attempts"],
        "replays": row["replays"],
        **{name.removesuffix("_at"): moment for name, moment in times.items()},
    }
    lines = [_line(name, value) for name, value in facts.items() if value is not None]
    lines += ["asked", *_indented(json_lines(record.job.wanted))]
    lines += _outcome_lines(record.job.outcome)
    return "\n".join(lines + (_follow_lines(record.follow) if record.follow else []))


def record_json(record: Record, now: datetime) -> str:
    """
    Everything about a request, as one line of JSON.

    Args:
        record: as the ledger has it.
        now: aware UTC.
    """
    told = row_of(record) | _times(record) | _rest(record) | {"next": what_next(record, now)}
    return json.dumps(told, default=str)


def _times(record: Record) -> dict[str, object]:
    job = record.job
    return {
        "first_seen_at": written(job.first_seen_at),
        "first_sent_at": written(job.first_sent_at),
        "due_at": written(job.due_at),
        "deadline_at": written(job.deadline_at),
        "expires_at": written(job.expires_at),
        "occurred_at": written(job.outcome.occurred_at) if job.outcome else None,
    }


def _rest(record: Record) -> dict[str, object]:
    outcome, trouble = record.job.outcome, trouble_of(record)
    return {
        "api_code": trouble.api_code if trouble else None,
        "is_retryable": outcome.is_retryable if outcome else None,
        "is_dead_letter": outcome.is_dead_letter if outcome else None,
        "existing_service_id": outcome.existing_service_id if outcome else None,
        "looks": record.job.looks,
        "asked": record.job.wanted,
        "vpnservice": _shown(outcome.service) if outcome and outcome.service else None,
        "evidence": [_shown(service) for service in outcome.evidence] if outcome else [],
    }


def _outcome_lines(outcome: Outcome | None) -> list[str]:
    if outcome is None:
        return []
    lines: list[str] = []
    if outcome.service is not None:
        how = "found by a look-up" if outcome.reconciled else "as the cloud answered"
        lines += [f"service, {how}", *_indented(json_lines(_shown(outcome.service)))]
    for service in outcome.evidence:
        lines += ["evidence", *_indented(json_lines(_shown(service)))]
    return lines


def _follow_lines(follow: Follow) -> list[str]:
    facts = {
        "until": follow.target.value,
        "status": follow.status,
        "changes": follow.changes,
        "is over": "yes" if follow.is_over else "no",
        "ended by": follow.ending.value if follow.ending else None,
        "begun": written(follow.begun_at),
        "changed": written(follow.changed_at),
        "deadline": written(follow.deadline_at),
    }
    return ["followed", *_indented(_line(name, value, 9) for name, value in facts.items() if value is not None)]


def _shown(service: Service) -> Mapping[str, object]:
    # A person may have named it without the cloud being asked: then its id is all there is.
    return {"id": service.id, "status": service.status} | dict(service.attributes)


def _line(name: str, value: object, width: int = 14) -> str:
    return f"{name.replace('_', ' '):<{width}} {printable(str(value))}"


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)
