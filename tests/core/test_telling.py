"""
Outcomes as events.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from messages.envelope import Rejection
from messages.events import VpnServiceCreateDelayed, VpnServiceCreateFailed, VpnServiceCreateInDoubt
from messages.faults import FieldError
from tests.core.samples import NOW, a_sent_job, a_service, a_trouble, after
from worker.core.job import Outcome, OutcomeKind, conclude
from worker.core.telling import delayed_event, outcome_event, rejected_event


def test_created_tells_the_clouds_object_word_for_word() -> None:
    service = a_service("s-7", created_at=datetime(2020, 8, 5, 12, 36, 35, 921257, UTC), odd={"kept": [1, None]})
    outcome = Outcome(OutcomeKind.CREATED, after(2), service=service, reconciled=True)

    event = outcome_event(a_sent_job(attempts=3), outcome)

    assert "vpn.vpnservice.created.v1" == event.type
    assert ("order-1", "shop") == (event.request_id, event.request_source)
    assert ("s-7", "PENDING_CREATE", service.attributes) == (event.service_id, event.status, event.vpnservice)
    assert ("2020-08-05T12:36:35.921257Z", after(2)) == (event.created_at, event.occurred_at)
    assert (3, True, None) == (event.attempts, event.reconciled, event.error)


def test_failed_tells_why_and_whether_a_retry_can_help() -> None:
    outcome = Outcome(
        OutcomeKind.FAILED,
        NOW,
        trouble=a_trouble(409, "VPN.0031", "conflict"),
        is_retryable=True,
        existing_service_id="theirs",
    )

    event = outcome_event(a_sent_job(), outcome)

    assert isinstance(event, VpnServiceCreateFailed)
    assert event.error is not None
    assert {
        "code": "conflict",
        "message": "The cloud stumbled.",
        "http_status": 409,
        "api_code": "VPN.0031",
        "api_request_id": "req-1",
        "existing_service_id": "theirs",
        "is_retryable": True,
        "fields": [],
    } == event.error.model_dump()
    assert (None, None, None) == (event.service_id, event.status, event.vpnservice)


def test_a_failure_tells_the_id_of_what_it_left_behind() -> None:
    outcome = Outcome(OutcomeKind.FAILED, NOW, service=a_service(status="ERROR"), trouble=a_trouble())

    event = outcome_event(a_sent_job(), outcome)

    assert ("s-1", "ERROR") == (event.service_id, event.status)


def test_in_doubt_tells_the_evidence() -> None:
    services = (a_service("s-1"), a_service("s-2"))
    outcome = Outcome(OutcomeKind.IN_DOUBT, NOW, trouble=a_trouble(), evidence=services)

    event = outcome_event(a_sent_job(), outcome)

    assert isinstance(event, VpnServiceCreateInDoubt)
    assert [dict(one.attributes) for one in services] == event.evidence


@pytest.mark.parametrize("kind", list(OutcomeKind))
def test_the_same_outcome_is_always_the_same_event(kind: OutcomeKind) -> None:
    outcome = Outcome(kind, NOW, service=a_service(), trouble=a_trouble())
    done = conclude(a_sent_job(), outcome)

    assert outcome_event(done, outcome) == outcome_event(done, outcome)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({}, "The request waits for its turn."), ({"trouble": a_trouble()}, "The cloud stumbled.")],
)
def test_delayed_tells_why_it_waits_and_until_when(changes: dict[str, Any], reason: str) -> None:
    event = delayed_event(a_sent_job(due_at=after(600), **changes), after(60))

    assert isinstance(event, VpnServiceCreateDelayed)
    assert (reason, after(600), after(60)) == (event.reason, event.next_attempt_at, event.occurred_at)
    assert event.error is not None
    assert event.error.is_retryable


def test_rejected_tells_every_field_error() -> None:
    errors = (
        FieldError("vpnservice.router_id", "missing", "is mandatory"),
        FieldError("vpnservice.name", "too_long", "is too long"),
    )
    rejection = Rejection("shop", "order-1", "order-1", None, errors, "d" * 64)

    event = rejected_event(rejection, NOW)

    assert event.error is not None
    assert ("invalid_request", False) == (event.error.code, event.error.is_retryable)
    assert "vpnservice.router_id: is mandatory (and 1 more)" == event.error.message
    assert [(one.path, one.code, one.message) for one in errors] == [
        (field.path, field.code, field.message) for field in event.error.fields
    ]
