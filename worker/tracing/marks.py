"""
What facts say about the span at hand: one row a kind. The same facts are counted and logged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.trace import Span, StatusCode

from worker.core.causes import Cause
from worker.facts import Fact
from worker.facts.broker import PublishEnded
from worker.facts.calls import ApiAnswered, ApiRequestEnded
from worker.facts.requests import (
    DeadLettered,
    DeliveryProcessed,
    OutcomeTold,
    RequestJoined,
    RequestRejected,
    RetryScheduled,
    StrangerMet,
    UnknownMet,
    UnknownResolved,
)

_WORDS_LIMIT = 256


def failed(span: Span, error_type: str, words: str | None = None) -> None:
    """
    What the span is about did not succeed.

    Args:
        span: which.
        error_type: one of few: a code, a class of exceptions.
        words: for people; never a secret.
    """
    span.set_attribute("error.type", error_type)
    span.set_status(StatusCode.ERROR, words[:_WORDS_LIMIT] if words else error_type)


def _known(told: Mapping[str, str | float | None]) -> dict[str, str | float]:
    return {name: value for name, value in told.items() if value is not None}


def _tell_outcome(span: Span, fact: OutcomeTold) -> None:
    told = {
        "vpn_worker.outcome": fact.outcome,
        "vpn_worker.service.id": fact.service_id,
        "vpn_worker.service.status": fact.status,
        "vpn_worker.attempts": fact.attempts,
        "vpn_worker.reconciled": fact.reconciled,
        "vpn_worker.api.request.id": fact.api_request_id,
    }
    span.set_attributes(_known(told))
    if fact.outcome != "created":
        failed(span, fact.code or fact.outcome)


def _tell_rejection(span: Span, fact: RequestRejected) -> None:
    span.set_attribute("vpn_worker.outcome", "rejected")
    failed(span, "rejected", fact.reason)


def _tell_retry(span: Span, fact: RetryScheduled) -> None:
    span.set_attributes({"vpn_worker.retry.rung": fact.rung, "vpn_worker.retry.cause": fact.cause})
    if fact.cause == Cause.CRASHED.value:
        failed(span, fact.cause)


def _tell_publish(span: Span, fact: PublishEnded) -> None:
    span.set_attributes({"vpn_worker.publish.kind": fact.kind, "vpn_worker.publish.result": fact.result})
    if fact.result != "acked":
        failed(span, fact.result)


def _tell_call(span: Span, fact: ApiRequestEnded) -> None:
    told = {"vpn_worker.api.target": fact.target, "http.response.status_code": fact.status}
    span.set_attributes(_known(told))
    if fact.error is not None:
        failed(span, fact.error)
    elif fact.status is not None and fact.status >= 400:
        failed(span, str(fact.status))


def _tell_answer(span: Span, fact: ApiAnswered) -> None:
    told = {"call": fact.call, "answer": fact.answer, "api_request_id": fact.api_request_id, "code": fact.code}
    span.add_event("api.answered", _known(told))


#: What each kind of fact does to the span at hand.
TOLD: dict[type[Fact], Callable[[Span, Any], None]] = {
    DeliveryProcessed: lambda span, fact: span.set_attribute("vpn_worker.verdict", fact.verdict),
    OutcomeTold: _tell_outcome,
    RequestRejected: _tell_rejection,
    RequestJoined: lambda span, _: span.set_attribute("vpn_worker.joined", value=True),
    RetryScheduled: _tell_retry,
    DeadLettered: lambda span, fact: span.set_attribute("vpn_worker.dead_letter.reason", fact.reason),
    StrangerMet: lambda span, _: span.add_event("request.unknown_redelivery"),
    UnknownMet: lambda span, _: span.add_event("answer.unknown"),
    UnknownResolved: lambda span, fact: span.add_event("answer.resolved", {"resolution": fact.resolution}),
    PublishEnded: _tell_publish,
    ApiRequestEnded: _tell_call,
    ApiAnswered: _tell_answer,
}
