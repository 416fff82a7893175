"""
The live numbers.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from worker.console.numbers import Numbers
from worker.facts.calls import ApiRequestEnded
from worker.facts.requests import DeliveryTaken, OutcomeTold, RequestRejected

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def told(outcome: str, critical_s: float) -> OutcomeTold:
    return OutcomeTold(
        outcome=outcome,
        service_id=None,
        status=None,
        attempts=1,
        reconciled=False,
        code=None,
        http_status=None,
        api_request_id=None,
        total_s=critical_s,
        critical_s=critical_s,
    )


def numbers() -> Numbers:
    return Numbers(lambda: NOW)


def series(counted: Numbers) -> Any:
    return counted.told()["series"]


def test_outcomes_and_calls_are_counted_by_step_and_in_all() -> None:
    counted = numbers()
    for fact in (told("created", 1.0), told("failed", 3.0), RequestRejected("schema", 1, 2.0), DeliveryTaken(False)):
        counted.heed(fact)
    counted.step(7, 1, 3)
    for status in (201, 404, 429, 503, 401, None):
        counted.heed(ApiRequestEnded("api", "POST", status, 0.1))
    counted.heed(ApiRequestEnded("identity", "POST", 503, 0.1))
    counted.heed(told("created", 9.0))
    counted.step(None, None, 0)
    said, columns = counted.told(), series(counted)

    assert {"created": 2, "failed": 1, "rejected": 1, "in_doubt": 0} == said["outcomes"]
    assert {"calls": 6, "errors": 3, "throttled": 1} == said["api"]
    assert ([1, 1], [1, 0], [1, 0]) == (columns["created"], columns["failed"], columns["rejected"])
    assert ([7, None], [3, 0]) == (columns["waiting"], columns["in_flight"])
    assert ([2.0, 9.0], [3.0, 9.0]) == (columns["critical_time_p50_s"], columns["critical_time_p95_s"])
    assert ([0, 6], [0, 4]) == (columns["api_calls"], columns["api_errors"])
    assert (None, None) == (said["waiting"], said["dead"])


def test_a_step_without_outcomes_has_no_times() -> None:
    counted = numbers()
    counted.step(0, 0, 0)

    assert [None] == series(counted)["critical_time_p50_s"]


def test_a_quarter_of_an_hour_is_kept_however_much_happens() -> None:
    counted = numbers()
    for _ in range(5_000):
        counted.heed(told("created", 1.0))
    held = len(counted._times)
    for _ in range(1_000):
        counted.step(0, 0, 0)

    assert 180 == len(series(counted)["at"])
    assert held <= 2_000
