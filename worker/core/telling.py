"""
Outcomes as events: the same outcome always gives the same event.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from messages.attributes import rfc3339
from messages.envelope import Rejection
from messages.events import (
    ErrorInfo,
    VpnServiceCreated,
    VpnServiceCreateDelayed,
    VpnServiceCreateFailed,
    VpnServiceCreateInDoubt,
    VpnServiceCreateRejected,
    VpnServiceEvent,
    VpnServiceStatusChanged,
    error_fields,
)
from worker.core.answers import Trouble
from worker.core.following import GONE, Change
from worker.core.job import Job, Outcome, OutcomeKind


def outcome_event(job: Job, outcome: Outcome) -> VpnServiceEvent:
    """
    The event that tells a job's outcome: created, failed or in doubt.
    """
    facts: dict[str, Any] = {
        "request_id": job.key.id,
        "request_source": job.key.source,
        "attempts": job.attempts,
        "reconciled": outcome.reconciled,
        "occurred_at": outcome.occurred_at,
        "error": _error(outcome) if outcome.trouble else None,
    }
    if outcome.service is not None:
        created_at = outcome.service.created_at
        facts |= {
            "service_id": outcome.service.id,
            "status": outcome.service.status,
            "vpnservice": dict(outcome.service.attributes) or None,
            "created_at": rfc3339(created_at) if created_at else None,
        }
    match outcome.kind:
        case OutcomeKind.CREATED:
            return VpnServiceCreated(**facts)
        case OutcomeKind.FAILED:
            return VpnServiceCreateFailed(**facts)
        case OutcomeKind.IN_DOUBT:
            return VpnServiceCreateInDoubt(**facts, evidence=[dict(one.attributes) for one in outcome.evidence])


def status_event(change: Change) -> VpnServiceStatusChanged:
    """
    The event that tells a change of a followed service, or that following it ended.
    """
    follow, service = change.follow, change.service
    created_at = service.created_at if service else None
    return VpnServiceStatusChanged(
        request_id=follow.id,
        request_source=follow.source,
        service_id=follow.service_id,
        status=follow.status,
        previous_status=change.previous_status,
        is_final=change.is_final,
        deadline_reached=change.deadline_reached,
        vpnservice=dict(service.attributes) if service else None,
        created_at=rfc3339(created_at) if created_at else None,
        # A service that failed is there, and in the way of another.
        error=_info(change.trouble, is_retryable=follow.status == GONE) if change.trouble else None,
        attempts=follow.attempts,
        reconciled=follow.reconciled,
        occurred_at=change.occurred_at,
    )


def delayed_event(job: Job, now: datetime) -> VpnServiceEvent:
    """
    The event that tells, once, that a request waits long.
    """
    trouble = job.trouble or Trouble("waiting", "The request waits for its turn.")
    return VpnServiceCreateDelayed(
        request_id=job.key.id,
        request_source=job.key.source,
        attempts=job.attempts,
        occurred_at=now,
        reason=trouble.message,
        next_attempt_at=job.due_at,
        error=_info(trouble, is_retryable=True),
    )


def rejected_event(rejection: Rejection, now: datetime) -> VpnServiceEvent:
    """
    The event that tells what is wrong with a message, every field error with its path.
    """
    count = len(rejection.errors)
    first = rejection.errors[0]
    more = f" (and {count - 1} more)" if count > 1 else ""
    return VpnServiceCreateRejected(
        request_id=rejection.id,
        request_source=rejection.source,
        occurred_at=now,
        error=ErrorInfo(
            code="invalid_request",
            message=f"{first.path}: {first.message}{more}",
            is_retryable=False,
            fields=error_fields(rejection.errors),
        ),
    )


def _error(outcome: Outcome) -> ErrorInfo | None:
    if outcome.trouble is None:
        return None
    return _info(outcome.trouble, is_retryable=outcome.is_retryable, existing_service_id=outcome.existing_service_id)


def _info(trouble: Trouble, *, is_retryable: bool, existing_service_id: str | None = None) -> ErrorInfo:
    return ErrorInfo(
        code=trouble.code,
        message=trouble.message,
        http_status=trouble.http_status,
        api_code=trouble.api_code,
        api_request_id=trouble.api_request_id,
        is_retryable=is_retryable,
        existing_service_id=existing_service_id,
    )
