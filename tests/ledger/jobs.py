"""
Jobs to record: plain ones, and every shape a job can have.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from worker.core.answers import Service, Trouble
from worker.core.job import Doubt, Job, Outcome, OutcomeKind, Past, Phase, RequestKey, conclude

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def after(delay_s: float) -> datetime:
    """
    The moment `delay_s` seconds after NOW.
    """
    return NOW + timedelta(seconds=delay_s)


def a_job(request_id: str = "order-1", **changes: Any) -> Job:
    """
    A job as it is first claimed, its intent written, on a router of its own.
    """
    job = Job(
        key=RequestKey("shop", request_id),
        digest="d" * 64,
        router_id=f"router-of-{request_id}",
        wanted={"router_id": f"router-of-{request_id}"},
        first_seen_at=NOW,
        deadline_at=after(86_400),
        phase=Phase.SENT,
        attempts=1,
    )
    return replace(job, **changes)


def failed(job: Job) -> Job:
    """
    The job as the cloud refused it.
    """
    return conclude(job, Outcome(OutcomeKind.FAILED, NOW, trouble=Trouble("refused", "no")))


def in_doubt(job: Job) -> Job:
    """
    The job as it waits for a person.
    """
    return conclude(job, Outcome(OutcomeKind.IN_DOUBT, NOW, trouble=Trouble("not_found", "it may exist")))


def created(job: Job, service_id: str) -> Job:
    """
    The job with a service of its own.
    """
    service = Service(service_id, "PENDING_CREATE", {"id": service_id})
    return conclude(job, Outcome(OutcomeKind.CREATED, after(1), service=service))


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
# What a cloud or a clock of this century can say; year 1 would be years before any request.
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
TROUBLES = st.builds(
    Trouble,
    code=TEXTS,
    message=TEXTS,
    http_status=st.none() | st.integers(100, 599),
    api_code=st.none() | TEXTS,
    api_request_id=st.none() | TEXTS,
)
SERVICES = st.builds(
    Service,
    id=TEXTS,
    status=st.none() | TEXTS,
    attributes=st.dictionaries(TEXTS, JSON, max_size=4),
    created_at=st.none() | MOMENTS,
)
OUTCOME_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "kind": st.sampled_from(OutcomeKind),
    "occurred_at": MOMENTS,
    "service": st.none() | SERVICES,
    "trouble": st.none() | TROUBLES,
    "is_retryable": st.booleans(),
    "reconciled": st.booleans(),
    "existing_service_id": st.none() | TEXTS,
    "evidence": st.lists(SERVICES, max_size=2).map(tuple),
    "is_dead_letter": st.booleans(),
    "api_request_id": st.none() | TEXTS,
}
OUTCOMES = st.builds(Outcome, **OUTCOME_FIELDS)
COUNTS = st.integers(0, 2**31 - 1)
PASTS = st.builds(
    Past,
    at=MOMENTS,
    what=TEXTS,
    words=TEXTS,
    attempts=COUNTS,
    code=st.none() | TEXTS,
    http_status=st.none() | st.integers(100, 599),
    api_request_id=st.none() | TEXTS,
    answer=st.none() | TEXTS,
    times=COUNTS,
    last_at=st.none() | MOMENTS,
)
JOB_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "key": st.builds(RequestKey, TEXTS, TEXTS),
    "digest": TEXTS,
    "router_id": TEXTS,
    "first_seen_at": MOMENTS,
    "deadline_at": MOMENTS,
    "wanted": st.dictionaries(TEXTS, JSON, max_size=4)
    | st.fixed_dictionaries({"tenant_id": st.none() | TEXTS, "order_id": st.none() | TEXTS}),
    "expires_at": st.none() | MOMENTS,
    "phase": st.sampled_from(Phase),
    "attempts": COUNTS,
    "first_sent_at": st.none() | MOMENTS,
    "sent_at": st.none() | MOMENTS,
    "doubt": st.none() | st.sampled_from(Doubt),
    "doubt_since": st.none() | MOMENTS,
    "looks": COUNTS,
    "may_own": st.booleans(),
    "strikes": COUNTS,
    "due_at": st.none() | MOMENTS,
    "trouble": st.none() | TROUBLES,
    "delayed_told": st.booleans(),
    "mark": st.none() | TEXTS,
    "follow": st.none() | TEXTS,
    "replays": COUNTS,
    "outcome": st.none() | OUTCOMES,
    "past": st.lists(PASTS, max_size=2).map(tuple),
    "forgotten": COUNTS,
}
JOBS = st.builds(Job, **JOB_FIELDS)
