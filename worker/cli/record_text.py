"""
One request of the ledger, told in full.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from worker.core.following import Follow
from worker.core.history import history
from worker.core.job import Outcome
from worker.core.records import Record
from worker.shown.records import facts_of, service_of, times_of
from worker.shown.texts import json_lines, printable
from worker.shown.times import written


def record_text(record: Record, now: datetime) -> str:
    """
    Everything about a request, for a person.

    Args:
        record: as the ledger has it.
        now: aware UTC.
    """
    told = facts_of(record, now)
    times = {"recorded_at": told["recorded_at"], "updated_at": told["updated_at"]} | times_of(record)
    facts = {
        "request": told["request"],
        "source": told["source"],
        "state": told["state"],
        "next": told["next"],
        **{name: told[name] for name in ("service", "status", "code", "message", "http_status", "api_request_id")},
        "api_code": told["api_code"],
        "in the way": told["existing_service_id"],
        "attempts": told["attempts"],
        "replays": told["replays"],
        **{name.removesuffix("_at"): moment for name, moment in times.items()},
    }
    lines = [_line(name, value) for name, value in facts.items() if value is not None]
    lines += ["history", *_indented(_history_lines(record))]
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
    return json.dumps(facts_of(record, now), default=str)


def _history_lines(record: Record) -> Iterator[str]:
    for moment in history(record):
        detail = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in (moment.detail or {}).items())
        more = f" ({detail})" if detail else ""
        yield f"{written(moment.at)}  {moment.what:<9} {printable(moment.words + more)}"


def _outcome_lines(outcome: Outcome | None) -> list[str]:
    if outcome is None:
        return []
    lines: list[str] = []
    if outcome.service is not None:
        how = "found by a look-up" if outcome.reconciled else "as the cloud answered"
        lines += [f"service, {how}", *_indented(json_lines(service_of(outcome.service)))]
    for service in outcome.evidence:
        lines += ["evidence", *_indented(json_lines(service_of(service)))]
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


def _line(name: str, value: object, width: int = 14) -> str:
    return f"{name.replace('_', ' '):<{width}} {printable(str(value))}"


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)
