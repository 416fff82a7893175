"""
Jobs as rows and back: the columns that queries need, and a JSON document for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import orjson

from worker.core.answers import Service, Trouble
from worker.core.job import Doubt, Job, Outcome, OutcomeKind, Past, Phase, RequestKey

#: Fields of a job that are moments.
_TIMES = ("first_seen_at", "deadline_at", "expires_at", "first_sent_at", "sent_at", "doubt_since", "due_at")
#: Fields of a job that JSON holds as they are.
_PLAIN = ("wanted", "attempts", "looks", "may_own", "strikes", "delayed_told", "mark", "follow", "replays")
#: Fields of a step in a job's past, as they stand in its document.
_PAST = tuple(field.name for field in fields(Past))


@dataclass(frozen=True, slots=True)
class Row:
    """
    What a row says of a job: the columns that queries need, and `doc` for the rest.
    """

    source: str
    id: str
    digest: str
    router_id: str
    tenant_id: str | None
    order_id: str | None
    phase: str
    outcome: str | None
    service_id: str | None
    attempts: int
    doc: str


def to_row(job: Job) -> Row:
    """
    The row of a job; raises ValueError or TypeError for one that no database can hold.
    """
    return Row(
        source=job.key.source,
        id=job.key.id,
        digest=job.digest,
        router_id=job.router_id,
        tenant_id=_text(job.wanted.get("tenant_id")),
        order_id=_text(job.wanted.get("order_id")),
        phase=job.phase.value,
        outcome=job.outcome.kind.value if job.outcome else None,
        service_id=job.service_id,
        attempts=job.attempts,
        doc=to_doc(job),
    )


def to_doc(job: Job) -> str:
    """
    The JSON document of a job: what has no column of its own, nulls left out.
    """
    doc: dict[str, Any] = {name: getattr(job, name) for name in _PLAIN}
    doc |= {name: moment for name in _TIMES if (moment := getattr(job, name)) is not None}
    if job.doubt is not None:
        doc["doubt"] = job.doubt.value
    if job.trouble is not None:
        doc["trouble"] = _trouble_doc(job.trouble)
    if job.outcome is not None:
        doc["outcome"] = _outcome_doc(job.outcome)
    if job.past or job.forgotten:
        # Only of jobs that left the straight way: all others cost no byte more.
        doc["past"] = [{name: value for name in _PAST if (value := getattr(one, name)) is not None} for one in job.past]
        doc["forgotten"] = job.forgotten
    return orjson.dumps(doc).decode()


def from_row(key: RequestKey, digest: str, router_id: str, phase: str, doc: str) -> Job:
    """
    The job of a row; the exact inverse of `to_doc` and the columns.
    """
    read: dict[str, Any] = orjson.loads(doc)
    times: dict[str, Any] = {name: datetime.fromisoformat(read[name]) for name in _TIMES if name in read}
    return Job(
        key=key,
        digest=digest,
        router_id=router_id,
        phase=Phase(phase),
        doubt=Doubt(read["doubt"]) if "doubt" in read else None,
        trouble=Trouble(**read["trouble"]) if "trouble" in read else None,
        outcome=_outcome(read["outcome"]) if "outcome" in read else None,
        past=tuple(_past(step) for step in read.get("past", ())),
        forgotten=read.get("forgotten", 0),
        **times,
        # An older version wrote fewer; what it did not know has its default.
        **{name: read[name] for name in _PLAIN if name in read},
    )


def _past(step: dict[str, Any]) -> Past:
    moments = {name: datetime.fromisoformat(step[name]) for name in ("at", "last_at") if step.get(name)}
    return Past(**(step | moments))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _trouble_doc(trouble: Trouble) -> dict[str, Any]:
    return {
        "code": trouble.code,
        "message": trouble.message,
        "http_status": trouble.http_status,
        "api_code": trouble.api_code,
        "api_request_id": trouble.api_request_id,
    }


def _service_doc(service: Service) -> dict[str, Any]:
    return {
        "id": service.id,
        "status": service.status,
        "attributes": service.attributes,
        "created_at": service.created_at,
    }


def _service(doc: dict[str, Any]) -> Service:
    created_at = doc["created_at"]
    return Service(
        doc["id"], doc["status"], doc["attributes"], datetime.fromisoformat(created_at) if created_at else None
    )


def _outcome_doc(outcome: Outcome) -> dict[str, Any]:
    return {
        "kind": outcome.kind.value,
        "occurred_at": outcome.occurred_at,
        "service": _service_doc(outcome.service) if outcome.service else None,
        "trouble": _trouble_doc(outcome.trouble) if outcome.trouble else None,
        "is_retryable": outcome.is_retryable,
        "reconciled": outcome.reconciled,
        "existing_service_id": outcome.existing_service_id,
        "evidence": [_service_doc(one) for one in outcome.evidence],
        "is_dead_letter": outcome.is_dead_letter,
        "api_request_id": outcome.api_request_id,
    }


def _outcome(doc: dict[str, Any]) -> Outcome:
    return Outcome(
        kind=OutcomeKind(doc["kind"]),
        occurred_at=datetime.fromisoformat(doc["occurred_at"]),
        service=_service(doc["service"]) if doc["service"] else None,
        trouble=Trouble(**doc["trouble"]) if doc["trouble"] else None,
        is_retryable=doc["is_retryable"],
        reconciled=doc["reconciled"],
        existing_service_id=doc["existing_service_id"],
        evidence=tuple(_service(one) for one in doc["evidence"]),
        is_dead_letter=doc["is_dead_letter"],
        api_request_id=doc.get("api_request_id"),  # version 0.1.0 did not keep it
    )
