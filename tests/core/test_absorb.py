"""
What an answer of the cloud makes of a job.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.core.samples import LUCK, NOW, POLICY, a_job, a_sent_job, a_service, a_trouble, after
from worker.core.absorb import absorb_create, absorb_list
from worker.core.answers import (
    Busy,
    Conflict,
    CreateAnswer,
    Created,
    ListAnswer,
    Listed,
    Misconfigured,
    Refused,
    Service,
    Throttled,
    Trouble,
    Unknown,
)
from worker.core.job import Blame, Doubt, Job, Outcome, OutcomeKind, Phase, intend, recover, start_looking
from worker.core.policy import Policy, WhenNotFound
from worker.core.steps import Look, Shelve, next_step

IN_DOUBT = replace(POLICY, when_not_found=WhenNotFound.IN_DOUBT)
NOBODY: frozenset[str] = frozenset()


def answered(answer: CreateAnswer, job: Job | None = None, now: datetime = NOW) -> Job:
    return absorb_create(job or a_sent_job(), answer, now, LUCK, POLICY)


def looked(job: Job, *services: Service, now: datetime = NOW, policy: Policy = POLICY) -> Job:
    return absorb_list(job, Listed(services), NOBODY, now, LUCK, policy)


def a_looking_job(doubt: Doubt = Doubt.UNKNOWN, **changes: Any) -> Job:
    job = start_looking(a_sent_job(trouble=a_trouble(None, code="answer_lost")), doubt, NOW, 0.0)
    return replace(job, **changes)


def outcome_of(job: Job) -> Outcome:
    assert job.phase is Phase.DONE
    assert job.outcome is not None
    return job.outcome


class TestAnswersToACreate:
    def test_created_is_the_outcome_with_the_service(self) -> None:
        outcome = outcome_of(answered(Created(a_service()), now=after(1)))

        assert Outcome(OutcomeKind.CREATED, after(1), service=a_service()) == outcome

    def test_created_in_status_error_is_a_failure_that_keeps_the_id(self) -> None:
        """
        ERROR is a failure with an id (cloud API family, Life of a service).
        """
        outcome = outcome_of(answered(Created(a_service(status="ERROR"))))

        assert (OutcomeKind.FAILED, True, False) == (outcome.kind, outcome.is_retryable, outcome.reconciled)
        assert outcome.service is not None
        assert "s-1" == outcome.service.id
        assert outcome.trouble is not None
        assert "service_error" == outcome.trouble.code

    def test_an_unknown_status_is_created_and_kept(self) -> None:
        outcome = outcome_of(answered(Created(a_service(status="FROZEN"))))

        assert OutcomeKind.CREATED is outcome.kind
        assert outcome.service is not None
        assert "FROZEN" == outcome.service.status

    def test_refused_is_a_failure_that_no_retry_helps(self) -> None:
        trouble = a_trouble(400, "BadRequest", "refused")

        assert Outcome(OutcomeKind.FAILED, NOW, trouble=trouble) == outcome_of(answered(Refused(trouble)))

    def test_busy_waits_and_posts_again(self) -> None:
        job = answered(Busy(a_trouble(425)), a_sent_job(strikes=2))

        assert (Phase.READY, 1, 0, after(0.5)) == (job.phase, job.attempts, job.strikes, job.due_at)

    def test_busy_waits_as_long_as_it_was_told_to(self) -> None:
        job = answered(Busy(a_trouble(425), retry_after_s=77.0))

        assert after(77) == job.due_at

    @pytest.mark.parametrize("answer", [Throttled(a_trouble(429)), Misconfigured(a_trouble(401))])
    def test_what_befalls_every_request_alike_spends_no_attempt(self, answer: CreateAnswer) -> None:
        """
        Due from that moment on: who holds it up then is the process, not the request.
        """
        job = answered(answer, intend(a_sent_job(), after(5)), now=after(6))

        assert (Phase.READY, 1, after(6)) == (job.phase, job.attempts, job.due_at)

    @pytest.mark.parametrize(
        "answer",
        [
            Misconfigured(a_trouble(401), is_account_only=True),
            Busy(a_trouble(None), was_sent=False, is_account_only=True),
        ],
    )
    @pytest.mark.parametrize("blame", Blame)
    def test_the_trouble_of_one_account_lets_its_requests_wait_on_a_rung_at_no_cost(
        self, answer: CreateAnswer, blame: Blame
    ) -> None:
        """
        The queue is everybody's, so they cannot wait there; and nobody is to blame but who looks after the account.
        """
        job = absorb_create(a_sent_job(attempts=3), answer, NOW, LUCK, POLICY, blame)

        assert (Phase.READY, 2, after(120), None) == (job.phase, job.attempts, job.due_at, job.outcome)
        assert Shelve(120.0, tell=True) == next_step(job, NOW, POLICY)

    def test_what_was_not_even_sent_spends_no_attempt_and_is_tried_again_soon(self) -> None:
        unsent = Busy(a_trouble(None, code="unreachable"), was_sent=False)
        job = a_sent_job(attempts=9, strikes=2)

        again = answered(unsent, job, now=after(6))

        assert (Phase.READY, 8, 0, after(8)) == (again.phase, again.attempts, again.strikes, again.due_at)

    def test_a_request_that_is_never_sent_never_comes_to_a_rung(self) -> None:
        """
        A cloud out of reach trips the kill switch: the queue waits, and no rung is spent.
        """
        unsent, job, now = Busy(a_trouble(None), was_sent=False), a_sent_job(), NOW
        for _ in range(20):
            job = answered(unsent, job, now)

            assert (Phase.READY, 0) == (job.phase, job.attempts)
            assert job.due_at is not None
            assert job.due_at - now <= timedelta(seconds=POLICY.quick_wait_s)

            now = job.due_at
            job = intend(job, now)

    def test_while_all_fail_an_unknown_answer_is_no_strike_against_this_one(self) -> None:
        once = answered(Unknown(a_trouble(500)))
        again = intend(once, after(200))

        spared = absorb_create(again, Unknown(a_trouble(500)), after(201), LUCK, POLICY, Blame.CLOUD)

        assert (Phase.LOOKING, 1) == (spared.phase, spared.strikes)

    def test_a_lost_answer_is_looked_into_soon(self) -> None:
        job = answered(Unknown(a_trouble(None)), now=after(30))

        assert (Phase.LOOKING, Doubt.UNKNOWN, after(30), True) == (job.phase, job.doubt, job.doubt_since, job.may_own)
        assert job.due_at is not None
        assert after(30.25) <= job.due_at <= after(30.5)

    def test_the_same_unknown_answer_counts_strikes_and_another_begins_anew(self) -> None:
        once = answered(Unknown(a_trouble(500)))
        twice = answered(Unknown(a_trouble(500)), intend(once, after(200)))
        other = answered(Unknown(a_trouble(503)), intend(twice, after(400)))

        assert [1, 2, 1] == [once.strikes, twice.strikes, other.strikes]

    def test_a_conflict_is_looked_into_at_once(self) -> None:
        job = answered(Conflict(a_trouble(409)))

        assert (Phase.LOOKING, Doubt.CONFLICT, False) == (job.phase, job.doubt, job.may_own)
        assert Look() == next_step(job, NOW, POLICY)


class TestLooks:
    def test_our_own_service_is_created_and_reconciled(self) -> None:
        outcome = outcome_of(looked(a_looking_job(), a_service(status="DOWN"), now=after(9)))

        assert Outcome(OutcomeKind.CREATED, after(9), service=a_service(status="DOWN"), reconciled=True) == outcome

    def test_our_own_half_made_service_is_a_failure_with_its_id(self) -> None:
        outcome = outcome_of(looked(a_looking_job(), a_service(status="ERROR")))

        assert (OutcomeKind.FAILED, True, True) == (outcome.kind, outcome.is_retryable, outcome.reconciled)
        assert outcome.service is not None
        assert "s-1" == outcome.service.id

    def test_a_conflict_after_a_lost_answer_finds_our_own_late_service(self) -> None:
        """
        The POST of which the answer was lost succeeded in the end, and the next one met its service.
        """
        lost = answered(Unknown(a_trouble(None)))
        given_up = looked(lost, now=after(POLICY.reconcile_window_s))
        again = intend(given_up, after(200))
        met = answered(Conflict(a_trouble(409)), again, after(201))

        outcome = outcome_of(looked(met, a_service(created_at=after(199)), now=after(202)))

        assert (OutcomeKind.CREATED, True) == (outcome.kind, outcome.reconciled)
        assert outcome.service is not None
        assert "s-1" == outcome.service.id

    def test_a_conflict_after_a_lost_answer_is_no_failure_while_lists_show_nothing(self) -> None:
        """
        The cloud says that there is a service, and it may be ours: neither a failure nor another POST is right.
        """
        since = after(200)
        job = answered(Conflict(a_trouble(409)), a_sent_job(may_own=True), since)
        ends_at = since + timedelta(seconds=POLICY.reconcile_window_s)

        for _ in range(10):
            job = looked(job, now=since)
        outcome = outcome_of(looked(job, now=ends_at))

        assert Phase.LOOKING is job.phase
        assert (OutcomeKind.IN_DOUBT, True) == (outcome.kind, outcome.is_dead_letter)

    def test_a_conflict_with_another_service_fails_with_its_id(self) -> None:
        job = answered(Conflict(a_trouble(409, "VpnServiceExists")))

        outcome = outcome_of(looked(job, a_service("theirs", name="theirs")))

        assert (OutcomeKind.FAILED, "theirs", None) == (outcome.kind, outcome.existing_service_id, outcome.service)
        assert not outcome.is_retryable
        assert outcome.trouble is not None
        assert ("conflict", 409, "VpnServiceExists") == (
            outcome.trouble.code,
            outcome.trouble.http_status,
            outcome.trouble.api_code,
        )
        assert "theirs" in outcome.trouble.message

    def test_an_equal_service_that_was_there_before_a_plain_conflict_is_not_ours(self) -> None:
        outcome = outcome_of(looked(answered(Conflict(a_trouble(409))), a_service("theirs")))

        assert (OutcomeKind.FAILED, "theirs") == (outcome.kind, outcome.existing_service_id)

    def test_a_conflict_with_nothing_is_believed_after_three_looks(self) -> None:
        job = answered(Conflict(a_trouble(409)))

        for _ in range(POLICY.conflict_looks - 1):
            job = looked(job)
        outcome = outcome_of(looked(job))

        assert (OutcomeKind.FAILED, True) == (outcome.kind, outcome.is_retryable)

    def test_two_services_that_fit_are_left_to_a_person_with_the_evidence(self) -> None:
        both = (a_service("s-1"), a_service("s-2"))

        outcome = outcome_of(looked(a_looking_job(), *both))

        assert (OutcomeKind.IN_DOUBT, both, True) == (outcome.kind, outcome.evidence, outcome.is_dead_letter)

    @pytest.mark.parametrize("services", [(), (a_service("theirs", name="theirs"),)])
    def test_not_found_is_not_not_created_before_the_window_is_over(self, services: tuple[Service, ...]) -> None:
        job = looked(a_looking_job(), *services, now=after(POLICY.reconcile_window_s - 0.1))

        assert (Phase.LOOKING, 1) == (job.phase, job.looks)

    def test_the_last_look_falls_on_the_end_of_the_window(self) -> None:
        job = looked(a_looking_job(looks=9), now=after(POLICY.reconcile_window_s - 1))

        assert after(POLICY.reconcile_window_s) == job.due_at

    def test_after_the_window_the_request_is_posted_again(self) -> None:
        job = looked(a_looking_job(), now=after(POLICY.reconcile_window_s))

        assert (Phase.READY, None, 0, 1, True) == (job.phase, job.doubt, job.looks, job.attempts, job.may_own)
        assert job.due_at is not None

    def test_after_the_window_it_is_left_in_doubt_where_nothing_forbids_a_second_service(self) -> None:
        job = looked(a_looking_job(), now=after(POLICY.reconcile_window_s), policy=IN_DOUBT)

        outcome = outcome_of(job)

        assert (OutcomeKind.IN_DOUBT, True) == (outcome.kind, outcome.is_dead_letter)
        assert outcome.trouble is not None
        assert "answer_lost" == outcome.trouble.code
        assert outcome.trouble.message.startswith("The service may exist: ")
        assert outcome.trouble.message.endswith(a_trouble(None).message)

    def test_an_interrupted_post_is_left_in_doubt_with_words_of_its_own(self) -> None:
        job = looked(recover(a_sent_job()), now=after(POLICY.reconcile_window_s), policy=IN_DOUBT)

        trouble = outcome_of(job).trouble

        assert trouble is not None
        assert "in_doubt" == trouble.code

    @pytest.mark.parametrize("policy", [POLICY, IN_DOUBT])
    def test_a_redelivery_that_is_not_found_is_posted_for_the_first_time(self, policy: Policy) -> None:
        stranger = a_job(phase=Phase.LOOKING, doubt=Doubt.STRANGER, doubt_since=NOW, may_own=True)

        early = looked(stranger, now=after(POLICY.stranger_window_s - 1), policy=policy)
        late = looked(early, now=after(POLICY.stranger_window_s), policy=policy)

        assert Phase.LOOKING is early.phase
        assert (Phase.READY, after(POLICY.stranger_window_s), 0) == (late.phase, late.due_at, late.attempts)

    def test_a_redelivery_of_known_age_is_found(self) -> None:
        stranger = a_job(phase=Phase.LOOKING, doubt=Doubt.STRANGER, doubt_since=NOW, may_own=True, first_sent_at=NOW)

        outcome = outcome_of(looked(stranger, a_service()))

        assert (OutcomeKind.CREATED, True) == (outcome.kind, outcome.reconciled)

    def test_a_redelivery_of_unknown_age_leaves_a_service_that_fits_to_a_person(self) -> None:
        """
        The service may be years old: telling it as created would bill it to this order.
        """
        stranger = a_job(phase=Phase.LOOKING, doubt=Doubt.STRANGER, doubt_since=NOW, may_own=True)

        outcome = outcome_of(looked(stranger, a_service()))

        assert (OutcomeKind.IN_DOUBT, (a_service(),), True) == (outcome.kind, outcome.evidence, outcome.is_dead_letter)
        assert outcome.service is None
        assert outcome.trouble is not None
        assert "age_unknown" == outcome.trouble.code

    @pytest.mark.parametrize(
        ("http_status", "strikes", "is_over"),
        [(500, 2, False), (500, 3, True), (503, 9, False), (400, 3, False), (400, 4, True), (None, 9, False)],
    )
    def test_the_same_error_with_nothing_created_becomes_a_refusal(
        self, http_status: int | None, strikes: int, *, is_over: bool
    ) -> None:
        """
        A wrong router_id gave 500 for ever on a real cloud; a "system error" is retried three times at most.
        """
        job = a_looking_job(trouble=a_trouble(http_status), strikes=strikes)

        after_window = looked(job, now=after(POLICY.reconcile_window_s))

        assert is_over is (after_window.phase is Phase.DONE)
        if is_over:
            assert Outcome(OutcomeKind.FAILED, after(180), trouble=a_trouble(http_status)) == after_window.outcome


class TestFailedLooks:
    def test_a_failed_look_is_no_look_and_keeps_the_first_trouble(self) -> None:
        busy = Busy(a_trouble(503, code="look_failed"))

        job = absorb_list(a_looking_job(), busy, NOBODY, after(1), LUCK, POLICY)

        assert (Phase.LOOKING, 0) == (job.phase, job.looks)
        assert a_trouble(None, code="answer_lost") == job.trouble

    def test_a_failed_look_after_the_window_never_counts_as_not_found(self) -> None:
        job = absorb_list(a_looking_job(), Busy(a_trouble(503)), NOBODY, after(9_999), LUCK, POLICY)

        assert Phase.LOOKING is job.phase

    def test_failed_looks_come_more_and_more_rarely(self) -> None:
        """
        While the cloud is down every job in doubt looks: together they must not be a hail.
        """
        job, now, looks = a_looking_job(), NOW, 0
        while now < after(3_600):
            job = absorb_list(job, Busy(a_trouble(503)), NOBODY, now, LUCK, POLICY)
            assert job.due_at is not None
            now, looks = job.due_at, looks + 1

        assert looks < 180

    def test_a_failed_look_waits_as_long_as_it_was_told_to(self) -> None:
        job = absorb_list(a_looking_job(), Busy(a_trouble(503), 99.0), NOBODY, after(1), LUCK, POLICY)

        assert after(100) == job.due_at

    @pytest.mark.parametrize("answer", [Throttled(a_trouble(429), 5.0), Misconfigured(a_trouble(401))])
    def test_what_befalls_every_look_alike_leaves_the_job_as_it_is(self, answer: ListAnswer) -> None:
        job = a_looking_job()
        looked = absorb_list(job, answer, NOBODY, after(1), LUCK, POLICY)

        assert job == replace(looked, due_at=job.due_at, trouble=job.trouble)

    def test_a_look_that_is_refused_for_good_waits_and_ends_in_doubt_when_nobody_mended_it(self) -> None:
        """
        One router whose list is always refused: a loop without a wait, or without an end, must not come of it.
        """
        job = a_looking_job()
        first = absorb_list(job, Misconfigured(a_trouble(404)), NOBODY, after(1), LUCK, POLICY)
        late = job.deadline_at + timedelta(hours=2)
        last = absorb_list(job, Misconfigured(a_trouble(404)), NOBODY, late, LUCK, POLICY)

        assert first.due_at is not None
        assert first.due_at > after(1)
        assert (job.looks, job.looks + 1) == (first.looks, last.looks)

    def test_a_job_without_trouble_takes_the_look_ups(self) -> None:
        trouble = Trouble("look_failed", "No answer.")

        job = absorb_list(recover(a_sent_job()), Busy(trouble), NOBODY, after(1), LUCK, POLICY)

        assert trouble == job.trouble
