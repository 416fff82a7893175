"""
The one decision: what a job does next.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.core.samples import LUCK, NOW, POLICY, a_job, a_sent_job, a_service, a_trouble, after
from worker.core.absorb import absorb_create, absorb_list
from worker.core.answers import Busy, CreateAnswer, Listed, Misconfigured, Throttled, Unknown
from worker.core.job import Doubt, Job, Outcome, OutcomeKind, Phase, conclude, intend, recover
from worker.core.steps import Conclude, Look, Post, Rest, Shelve, Step, Tell, next_step


def a_looking_job(doubt: Doubt = Doubt.UNKNOWN, **changes: Any) -> Job:
    job = a_sent_job(phase=Phase.LOOKING, doubt=doubt, doubt_since=NOW, may_own=doubt is not Doubt.CONFLICT)
    return replace(job, **changes)


def concluded(step: Step) -> Outcome:
    assert isinstance(step, Conclude)
    return step.outcome


def test_a_fresh_job_is_posted() -> None:
    assert Post() == next_step(a_job(), NOW, POLICY)


def test_a_job_that_was_interrupted_after_its_intent_looks_before_it_posts() -> None:
    assert Look() == next_step(a_sent_job(), after(1), POLICY)


@pytest.mark.parametrize("doubt", list(Doubt))
def test_a_job_in_doubt_looks(doubt: Doubt) -> None:
    assert Look() == next_step(a_looking_job(doubt), after(1), POLICY)


def test_a_job_with_an_outcome_only_tells_it_whatever_the_time() -> None:
    outcome = Outcome(OutcomeKind.CREATED, NOW, service=a_service())
    done = conclude(a_sent_job(expires_at=after(1)), outcome)

    assert Tell(outcome) == next_step(done, after(1e7), POLICY)


def test_a_short_wait_is_spent_in_memory() -> None:
    assert Rest(5.0) == next_step(a_job(due_at=after(5)), NOW, POLICY)


def test_a_longer_wait_is_spent_on_a_rung() -> None:
    assert Shelve(5.1, tell=False) == next_step(a_job(due_at=after(5.1)), NOW, POLICY)


def test_what_is_due_now_is_done_now() -> None:
    assert Post() == next_step(a_job(due_at=NOW), NOW, POLICY)


def test_a_long_wait_is_told_once() -> None:
    waiting = a_job(due_at=after(61))

    assert Shelve(61, tell=True) == next_step(waiting, NOW, POLICY)
    assert Shelve(61, tell=False) == next_step(replace(waiting, delayed_told=True), NOW, POLICY)


def test_a_wait_ends_at_the_deadline() -> None:
    """
    A cloud that asks for an hour must not carry a request past the moment it promised to give up.
    """
    job = a_job(due_at=after(3600), deadline_at=after(100))

    assert Shelve(100, tell=True) == next_step(job, NOW, POLICY)
    assert OutcomeKind.FAILED is concluded(next_step(job, after(100), POLICY)).kind


def test_a_job_past_its_deadline_that_was_never_sent_failed_and_keeps_its_message() -> None:
    job = a_job(attempts=4, trouble=a_trouble(425, "VPN.0030", "busy"))

    outcome = concluded(next_step(job, job.deadline_at, POLICY))

    assert OutcomeKind.FAILED is outcome.kind
    assert outcome.is_retryable
    assert outcome.is_dead_letter
    assert outcome.trouble is not None
    assert ("deadline_exceeded", 425, "VPN.0030") == (
        outcome.trouble.code,
        outcome.trouble.http_status,
        outcome.trouble.api_code,
    )
    assert "after 4 attempts. Last trouble: The cloud stumbled." in outcome.trouble.message


def test_a_job_past_its_deadline_that_may_exist_is_in_doubt_with_what_the_cloud_said() -> None:
    job = a_looking_job(looks=1, trouble=a_trouble(503, "X", "server_error"))

    outcome = concluded(next_step(job, job.deadline_at, POLICY))

    assert OutcomeKind.IN_DOUBT is outcome.kind
    assert outcome.is_dead_letter
    assert outcome.trouble is not None
    assert ("in_doubt", 503, "X", "req-1") == (
        outcome.trouble.code,
        outcome.trouble.http_status,
        outcome.trouble.api_code,
        outcome.trouble.api_request_id,
    )


@pytest.mark.parametrize("doubt", [Doubt.UNKNOWN, Doubt.STRANGER])
def test_a_job_that_may_exist_gets_one_look_after_its_deadline(doubt: Doubt) -> None:
    """
    A worker that was down over the deadline must not park what one look would settle.
    """
    job = a_looking_job(doubt)

    assert Look() == next_step(job, job.deadline_at, POLICY)


def test_a_failed_look_after_the_deadline_is_the_last() -> None:
    job = a_looking_job(Doubt.UNKNOWN)

    looked = absorb_list(job, Busy(a_trouble(503)), frozenset(), job.deadline_at, LUCK, POLICY)

    assert OutcomeKind.IN_DOUBT is concluded(next_step(looked, job.deadline_at, POLICY)).kind


def test_a_cloud_that_asks_all_for_calm_leaves_the_job_its_look() -> None:
    job = a_looking_job(Doubt.UNKNOWN)

    looked = absorb_list(job, Throttled(a_trouble(429)), frozenset(), job.deadline_at, LUCK, POLICY)

    assert job == replace(looked, due_at=job.due_at, trouble=job.trouble)


def test_an_expired_request_fails_before_it_is_sent() -> None:
    outcome = concluded(next_step(a_job(expires_at=NOW), NOW, POLICY))

    assert OutcomeKind.FAILED is outcome.kind
    assert outcome.trouble is not None
    assert "expired" == outcome.trouble.code
    assert not outcome.is_dead_letter


@pytest.mark.parametrize("doubt", [Doubt.UNKNOWN, Doubt.STRANGER])
def test_expiry_is_no_failure_while_the_service_may_exist(doubt: Doubt) -> None:
    assert Look() == next_step(a_looking_job(doubt, expires_at=NOW), after(1), POLICY)


def test_expiry_is_no_failure_while_a_conflict_may_be_with_our_own_service() -> None:
    assert Look() == next_step(a_looking_job(Doubt.CONFLICT, may_own=True, expires_at=NOW), after(1), POLICY)


def test_expiry_is_a_failure_when_a_conflict_can_only_be_with_another_service() -> None:
    step = next_step(a_looking_job(Doubt.CONFLICT, may_own=False, expires_at=NOW), after(1), POLICY)

    assert OutcomeKind.FAILED is concluded(step).kind


def test_a_job_that_is_recovered_twice_is_recovered_once() -> None:
    once = recover(a_sent_job())

    assert once == recover(once)


PAST_S = POLICY.request_deadline_s + 7_200


def an_overdue_job(**changes: Any) -> Job:
    """
    Due a minute before its deadline; then came an outage that outlasted it.
    """
    return a_job(attempts=4, due_at=after(POLICY.request_deadline_s - 60), trouble=a_trouble(425), **changes)


@pytest.mark.parametrize(("late_s", "is_held_up"), [(0.0, False), (60.0, False), (60.001, True), (7_200.0, True)])
def test_a_request_that_comes_late_through_no_fault_of_its_own_gets_one_more_try(
    *, late_s: float, is_held_up: bool
) -> None:
    job = a_job(due_at=after(POLICY.request_deadline_s))

    step = next_step(job, after(POLICY.request_deadline_s + late_s), POLICY)

    assert is_held_up is (Post() == step)
    assert is_held_up or OutcomeKind.FAILED is concluded(step).kind


def test_a_request_that_was_never_due_is_over_at_its_deadline() -> None:
    assert OutcomeKind.FAILED is concluded(next_step(a_job(), after(PAST_S), POLICY)).kind


DENIALS: dict[str, CreateAnswer] = {
    "busy": Busy(a_trouble(425)),
    "busy_for_an_hour": Busy(a_trouble(425), retry_after_s=3_600.0),
    "unsent": Busy(a_trouble(None), was_sent=False),
}


def after_one_more_try(answer: CreateAnswer) -> Job:
    assert Post() == next_step(an_overdue_job(), after(PAST_S), POLICY)
    return absorb_create(intend(an_overdue_job(), after(PAST_S)), answer, after(PAST_S + 1), LUCK, POLICY)


@pytest.mark.parametrize("name", ["busy", "busy_for_an_hour", "unsent"])
def test_one_more_try_is_exactly_one(name: str) -> None:
    answer = DENIALS[name]
    outcome = concluded(next_step(after_one_more_try(answer), after(PAST_S + 2), POLICY))

    assert (OutcomeKind.FAILED, True) == (outcome.kind, outcome.is_dead_letter)


@pytest.mark.parametrize("name", ["busy", "busy_for_an_hour", "unsent"])
def test_one_more_try_is_exactly_one_however_late_it_is_looked_at_again(name: str) -> None:
    """
    Every slow restart would give a request another try for ever.
    """
    answer = DENIALS[name]
    outcome = concluded(next_step(after_one_more_try(answer), after(PAST_S + 7_200), POLICY))

    assert (OutcomeKind.FAILED, True) == (outcome.kind, outcome.is_dead_letter)


@pytest.mark.parametrize("answer", [Throttled(a_trouble(429)), Misconfigured(a_trouble(401))])
def test_an_answer_that_says_nothing_about_the_request_is_not_its_last_try(answer: CreateAnswer) -> None:
    assert Post() == next_step(after_one_more_try(answer), after(PAST_S + 7_200), POLICY)


def test_one_more_try_with_a_lost_answer_gets_its_look_and_no_other() -> None:
    lost = absorb_create(
        intend(an_overdue_job(), after(PAST_S)), Unknown(a_trouble(None)), after(PAST_S + 30), LUCK, POLICY
    )

    assert lost.due_at is not None
    assert Look() == next_step(lost, lost.due_at, POLICY)

    looked = absorb_list(lost, Listed(()), frozenset(), lost.due_at, LUCK, POLICY)

    assert OutcomeKind.IN_DOUBT is concluded(next_step(looked, lost.due_at, POLICY)).kind


def test_a_look_that_an_outage_held_up_over_the_deadline_is_made_once_more() -> None:
    job = a_looking_job(looks=7, due_at=after(POLICY.request_deadline_s - 60))

    assert Look() == next_step(job, after(PAST_S), POLICY)

    looked = absorb_list(job, Busy(a_trouble(503)), frozenset(), after(PAST_S), LUCK, POLICY)

    assert OutcomeKind.IN_DOUBT is concluded(next_step(looked, after(PAST_S), POLICY)).kind


def test_an_expired_request_gets_no_more_try_however_it_was_held_up() -> None:
    step = next_step(an_overdue_job(expires_at=after(POLICY.request_deadline_s)), after(PAST_S), POLICY)

    assert OutcomeKind.FAILED is concluded(step).kind
