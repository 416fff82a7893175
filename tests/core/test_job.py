"""
A job's pure moves: opened, sent, recovered, concluded.
"""

from __future__ import annotations

from tests.core.samples import NOW, a_job, a_sent_job, a_service, after
from worker.core.job import (
    Doubt,
    Outcome,
    OutcomeKind,
    Phase,
    conclude,
    intend,
    open_job,
    recover,
    start_looking,
    unsent,
)


def test_a_first_delivery_is_opened_with_its_intent() -> None:
    job = open_job(a_job(), NOW, is_redelivered=False)

    assert (Phase.SENT, 1, NOW, NOW) == (job.phase, job.attempts, job.first_sent_at, job.sent_at)


def test_a_first_delivery_that_must_wait_for_its_turn_is_opened_without_intent() -> None:
    assert a_job(due_at=NOW) == open_job(a_job(), NOW, is_redelivered=False, may_post=False)


def test_an_unknown_redelivery_is_opened_looking_whoever_may_post() -> None:
    assert Phase.LOOKING is open_job(a_job(), NOW, is_redelivered=True, may_post=False).phase


def test_an_unknown_redelivery_is_opened_looking() -> None:
    """
    The worker that had it may have sent it, and the ledger with its intent is lost.
    """
    job = open_job(a_job(), NOW, is_redelivered=True, published_at=after(-9))

    assert (Phase.LOOKING, Doubt.STRANGER, NOW) == (job.phase, job.doubt, job.doubt_since)
    assert (0, after(-9), True) == (job.attempts, job.first_sent_at, job.may_own)


def test_a_publishers_clock_ahead_of_ours_bounds_nothing() -> None:
    """
    Our own service would look older than its request, and be taken for somebody else's.
    """
    job = open_job(a_job(), NOW, is_redelivered=True, published_at=after(9))

    assert job.first_sent_at is None


def test_an_expired_request_is_opened_without_intent() -> None:
    expired = a_job(expires_at=NOW)

    assert a_job(expires_at=NOW, due_at=NOW) == open_job(expired, NOW, is_redelivered=False)


def test_an_expired_redelivery_is_looked_for_all_the_same() -> None:
    """
    It may have been created in time by a worker that died before it could tell.
    """
    job = open_job(a_job(expires_at=NOW), NOW, is_redelivered=True)

    assert (Phase.LOOKING, Doubt.STRANGER) == (job.phase, job.doubt)


def test_an_intent_counts_an_attempt_and_keeps_the_first_moment() -> None:
    job = intend(a_sent_job(due_at=after(3)), after(5))

    assert (2, NOW, after(5), None) == (job.attempts, job.first_sent_at, job.sent_at, job.due_at)


def test_an_intent_that_was_not_carried_out_is_taken_back() -> None:
    job = unsent(intend(a_sent_job(), after(5)), after(6), delay_s=9.0)

    assert (Phase.READY, 1, after(15)) == (job.phase, job.attempts, job.due_at)


def test_a_job_found_sent_is_in_doubt_since_its_intent_and_looks_at_once() -> None:
    job = recover(a_sent_job())

    assert (Phase.LOOKING, Doubt.UNKNOWN, NOW, NOW) == (job.phase, job.doubt, job.doubt_since, job.due_at)
    assert job.may_own
    assert 1 == job.attempts


def test_recovering_leaves_every_other_phase_alone() -> None:
    looking = start_looking(a_sent_job(), Doubt.CONFLICT, NOW, 1.0)
    done = conclude(a_sent_job(), Outcome(OutcomeKind.FAILED, NOW))

    assert [a_job(), looking, done] == [recover(job) for job in (a_job(), looking, done)]


def test_a_conflict_alone_owns_nothing_but_an_earlier_doubt_is_kept() -> None:
    first = start_looking(a_sent_job(), Doubt.CONFLICT, NOW, 0.0)
    later = start_looking(a_sent_job(may_own=True), Doubt.CONFLICT, NOW, 0.0)

    assert (False, True) == (first.may_own, later.may_own)


def test_a_job_owns_the_service_of_its_outcome() -> None:
    created = conclude(a_sent_job(), Outcome(OutcomeKind.CREATED, NOW, service=a_service("s-9")))

    assert "s-9" == created.service_id
    assert a_job().service_id is None
    assert conclude(a_job(), Outcome(OutcomeKind.FAILED, NOW)).service_id is None
