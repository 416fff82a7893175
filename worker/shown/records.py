"""
A request of the ledger as values with names.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from worker.core.answers import Service, Trouble
from worker.core.following import Follow
from worker.core.history import history
from worker.core.records import Record
from worker.shown.advice import what_next
from worker.shown.times import written


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


def facts_of(record: Record, now: datetime) -> dict[str, object]:
    """
    Everything about a request.

    Args:
        record: as the ledger has it.
        now: aware UTC.
    """
    return (
        row_of(record)
        | times_of(record)
        | _rest(record)
        | {
            "next": what_next(record, now),
            "history": history_of(record),
        }
    )


def history_of(record: Record) -> list[dict[str, object]]:
    """
    What became of a request, step by step, the oldest first.
    """
    return [
        {"at": written(moment.at), "what": moment.what, "words": moment.words, "detail": moment.detail}
        for moment in history(record)
    ]


def times_of(record: Record) -> dict[str, object]:
    """
    The moments of a request.
    """
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
        "vpnservice": service_of(outcome.service) if outcome and outcome.service else None,
        "evidence": [service_of(service) for service in outcome.evidence] if outcome else [],
    }


def service_of(service: Service) -> Mapping[str, object]:
    """
    The cloud's object, its id and status first.
    """
    # A person may have named it without the cloud being asked: then its id is all there is.
    return {"id": service.id, "status": service.status} | dict(service.attributes)
