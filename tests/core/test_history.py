"""
A request's history, and what a job remembers for it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from worker.core.absorb import absorb_create, absorb_list
from worker.core.answers import Busy, Created, Listed, Service, Trouble, Unknown
from worker.core.history import history
from worker.core.job import Job, Past, RequestKey, intend
from worker.core.past import KEPT, after_create, after_look, remember
from worker.core.policy import Policy
from worker.core.records import Record

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
POLICY = Policy()
LOST = Unknown(Trouble("timeout", "No answer came.", None, None, None))
BUSY = Busy(Trouble("busy", "The cloud is busy.", 503, "Busy", "req-1"))


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def fresh() -> Job:
    return Job(RequestKey("/shop", "order-1"), "d", "router", NOW, at(86_400))


def told(job: Job) -> list[tuple[str, datetime]]:
    return [(moment.what, moment.at) for moment in history(Record(job, NOW, NOW))]


def test_the_straight_way_is_told_without_a_past() -> None:
    sent = intend(fresh(), at(1))
    answer = Created(Service("s-1", "PENDING_CREATE", {}))
    done = after_create(absorb_create(sent, answer, at(2), 0.5, POLICY), answer, at(2))

    assert () == done.past
    assert [("arrived", at(0)), ("sent", at(1)), ("decided", at(2))] == told(done)


def test_each_detour_is_a_step_of_its_own() -> None:
    sent = intend(fresh(), at(1))
    waiting = after_create(absorb_create(sent, BUSY, at(2), 0.5, POLICY), BUSY, at(2))
    again = intend(waiting, at(5))
    lost = after_create(absorb_create(again, LOST, at(6), 0.5, POLICY), LOST, at(6))
    nothing = Listed(())
    looked = after_look(absorb_list(lost, nothing, frozenset(), at(8), 0.5, POLICY), nothing, at(8))

    assert [("answered", 503, "req-1"), ("answered", None, None), ("looked", None, None)] == [
        (one.what, one.http_status, one.api_request_id) for one in looked.past
    ]
    assert ["arrived", "answered", "sent", "answered", "looked", "looked"] == [what for what, _ in told(looked)]


def test_the_past_is_bounded_and_says_so() -> None:
    job = fresh()
    for number in range(KEPT + 12):
        job = remember(job, Past(at(number), "answered", f"{number} {'x' * 5_000}", number))

    assert (KEPT, 12) == (len(job.past), job.forgotten)
    assert all(len(one.words) <= 300 for one in job.past)
    assert "12 older steps are not kept." in [moment.words for moment in history(Record(job, NOW, NOW))]


def test_the_same_again_is_counted() -> None:
    job = fresh()
    for number in range(4):
        job = remember(job, Past(at(number), "looked", "Not found.", 1))
    (step,) = job.past

    assert (at(0), 4, at(3)) == (step.at, step.times, step.last_at)


def test_nothing_is_decided_by_the_past() -> None:
    """
    Jobs are compared when a save is repeated and when the core's scenes are merged.
    """
    job = fresh()

    assert job == replace(job, past=(Past(NOW, "answered", "words"),), forgotten=3)
