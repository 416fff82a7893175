"""
What a person may do about a job that is done: replay it, or say what became of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from messages.envelope import Envelope, Request, decode_request, encode_request
from tests.core.samples import NOW, POLICY, ROUTER, a_job, a_sent_job, a_service, a_trouble, after
from worker.core.absorb import absorb_list
from worker.core.amending import (
    Again,
    Leave,
    Reopen,
    Replay,
    Republish,
    is_resolved_so,
    reopened,
    replay_of,
    resolved_created,
    resolved_not_created,
)
from worker.core.answers import Listed, Trouble
from worker.core.job import Doubt, Job, Outcome, OutcomeKind, Phase, conclude, open_job, start_looking
from worker.core.letters import DeadLetter
from worker.core.steps import Look, Post, next_step

DEADLINE_S = 600.0
AGAIN = Again(DEADLINE_S)
INSISTING = Again(DEADLINE_S, is_insisting=True)
ENVELOPE = encode_request({"vpnservice": {"router_id": ROUTER, "name": "mine"}}, id="order-1", source="shop")


def a_request(envelope: Envelope = ENVELOPE) -> Request:
    asked = decode_request(envelope)
    assert isinstance(asked, Request)
    return asked


def a_letter(reason: str = "failed", **changes: Any) -> DeadLetter:
    return replace(DeadLetter("letter-1", reason, ENVELOPE, headers={}, token=1), **changes)


def known(job: Job, **changes: Any) -> Job:
    """
    The job of the letter's own request.
    """
    return replace(job, digest=a_request().digest, **changes)


def failed(job: Job | None = None, **changes: Any) -> Job:
    """
    Given up at its deadline.
    """
    outcome = Outcome(OutcomeKind.FAILED, after(9), trouble=a_trouble(), is_retryable=True, is_dead_letter=True)
    return known(conclude(job or a_sent_job(phase=Phase.READY), outcome), **changes)


def in_doubt(job: Job | None = None, **changes: Any) -> Job:
    """
    Nobody knows.
    """
    looking = job or start_looking(a_sent_job(), Doubt.UNKNOWN, NOW, 0.0)
    outcome = Outcome(OutcomeKind.IN_DOUBT, after(9), trouble=a_trouble(), is_dead_letter=True)
    return known(conclude(looking, outcome), **changes)


def replayed(letter: DeadLetter, job: Job | None, again: Again = AGAIN) -> Replay:
    return replay_of(letter, letter.asked(), job, after(10), again)


class TestReopening:
    def test_a_failed_job_is_sent_at_once_and_has_its_time_anew(self) -> None:
        was = failed(a_sent_job(phase=Phase.READY, strikes=2, looks=3, attempts=7, due_at=after(5)))
        job = reopened(was, after(10), DEADLINE_S)

        assert (Phase.READY, None, after(10 + DEADLINE_S), 1) == (job.phase, job.outcome, job.deadline_at, job.replays)
        assert (7, 0, 0, None, after(10)) == (job.attempts, job.strikes, job.looks, job.doubt, job.due_at)
        assert Post() == next_step(job, after(10), POLICY)

    def test_a_job_in_doubt_looks_over_the_whole_window_before_anything_else(self) -> None:
        """
        It may exist: sending it at once is how a second service is made.
        """
        job = reopened(in_doubt(), after(10), DEADLINE_S)
        looked = absorb_list(job, Listed(()), frozenset(), after(10 + POLICY.reconcile_window_s - 1), 0.5, POLICY)

        assert (Phase.LOOKING, Doubt.UNKNOWN, after(10), 0) == (job.phase, job.doubt, job.doubt_since, job.looks)
        assert job.may_own
        assert Look() == next_step(job, after(10), POLICY)
        assert Phase.LOOKING is looked.phase

    def test_a_late_service_of_a_job_in_doubt_becomes_its_own(self) -> None:
        job = reopened(in_doubt(), after(10), DEADLINE_S)
        looked = absorb_list(job, Listed((a_service(),)), frozenset(), after(11), 0.5, POLICY)

        assert looked.outcome is not None
        assert (OutcomeKind.CREATED, "s-1", True) == (looked.outcome.kind, looked.service_id, looked.outcome.reconciled)

    def test_a_stranger_in_doubt_stays_a_stranger(self) -> None:
        """
        Nothing says when it was first sent: a service that fits may be older, and somebody else's.
        """
        stranger = open_job(a_job(), NOW, is_redelivered=True)
        job = reopened(in_doubt(stranger), after(10), DEADLINE_S)
        looked = absorb_list(job, Listed((a_service(),)), frozenset(), after(11), 0.5, POLICY)

        assert Doubt.STRANGER is job.doubt
        assert looked.outcome is not None
        assert OutcomeKind.IN_DOUBT is looked.outcome.kind

    def test_each_time_is_counted(self) -> None:
        twice = reopened(failed(replays=1), NOW, DEADLINE_S)

        assert 2 == twice.replays

    def test_only_what_is_done_and_not_created_can_be_done_again(self) -> None:
        made = conclude(a_sent_job(), Outcome(OutcomeKind.CREATED, NOW, service=a_service()))
        for job in (a_job(), made):
            with pytest.raises(ValueError, match="only a job"):
                reopened(job, NOW, DEADLINE_S)


class TestReplaying:
    def test_what_failed_at_its_deadline_is_reopened(self) -> None:
        assert Reopen(reopened(failed(), after(10), DEADLINE_S)) == replayed(a_letter(), failed())

    def test_what_is_in_doubt_is_reopened(self) -> None:
        assert Reopen(reopened(in_doubt(), after(10), DEADLINE_S)) == replayed(a_letter("in_doubt"), in_doubt())

    def test_a_request_the_ledger_does_not_know_goes_back_as_a_suspect(self) -> None:
        assert Republish(1, is_suspect=True) == replayed(a_letter("failed"), None)

    def test_what_was_rejected_was_never_sent(self) -> None:
        letter = a_letter("rejected", envelope=replace(ENVELOPE, body=b"[]"))

        assert Republish(1, is_suspect=False) == replayed(letter, None)

    @pytest.mark.parametrize("reason", ["delivery_limit", "poison"])
    def test_what_was_parked_while_its_job_was_open_goes_back_to_it(self, reason: str) -> None:
        assert Republish(1, is_suspect=True) == replayed(a_letter(reason), known(a_sent_job()))

    @pytest.mark.parametrize("reason", ["failed", "in_doubt", "rejected"])
    def test_what_is_under_way_is_left(self, reason: str) -> None:
        step = replayed(a_letter(reason), known(a_sent_job()))

        assert isinstance(step, Leave)
        assert "under way" in step.why

    def test_a_replay_that_was_cut_off_is_finished(self) -> None:
        """
        The ledger was written, and then the command died, before or after it had published.
        """
        begun = reopened(failed(replays=3), after(10), DEADLINE_S)

        assert Republish(4, is_suspect=True) == replayed(a_letter(replays=3), begun)

    def test_what_was_created_is_left_with_its_service(self) -> None:
        made = known(conclude(a_sent_job(), Outcome(OutcomeKind.CREATED, NOW, service=a_service())))
        step = replayed(a_letter(), made)

        assert isinstance(step, Leave)
        assert "s-1" in step.why

    def test_what_was_refused_for_good_is_left(self) -> None:
        refused = known(conclude(a_sent_job(), Outcome(OutcomeKind.FAILED, NOW, trouble=a_trouble(code="refused"))))
        step = replayed(a_letter("delivery_limit"), refused)

        assert isinstance(step, Leave)
        assert "(refused)" in step.why

    def test_an_id_of_another_request_is_left(self) -> None:
        assert isinstance(replayed(a_letter("rejected"), replace(failed(), digest="other")), Leave)

    def test_a_foreign_message_is_left(self) -> None:
        assert isinstance(replayed(a_letter("foreign"), None), Leave)

    @pytest.mark.parametrize(("letter", "ledger"), [(3, 0), (0, 3)])
    def test_the_third_replay_is_the_last_unless_somebody_insists(self, letter: int, ledger: int) -> None:
        step = replayed(a_letter(replays=letter), failed(replays=ledger))

        assert isinstance(step, Leave)
        assert "--again" in step.why
        assert isinstance(replayed(a_letter(replays=letter), failed(replays=ledger), INSISTING), Reopen)
        assert isinstance(replayed(a_letter(replays=2), failed(replays=2)), Reopen)

    def test_the_guard_holds_without_a_ledger(self) -> None:
        assert isinstance(replayed(a_letter(replays=3), None), Leave)


class TestExpiredRequests:
    LATE = encode_request(
        {"vpnservice": {"router_id": ROUTER, "name": "mine"}}, id="order-1", source="shop", expires_at=after(1)
    )

    def test_one_that_failed_is_left(self) -> None:
        step = replayed(a_letter(envelope=self.LATE), failed())

        assert isinstance(step, Leave)
        assert "expirytime" in step.why

    def test_one_in_doubt_is_looked_for_all_the_same(self) -> None:
        """
        It may have been created in time.
        """
        assert isinstance(replayed(a_letter("in_doubt", envelope=self.LATE), in_doubt()), Reopen)


class TestResolving:
    def test_created_is_the_outcome_with_the_service(self) -> None:
        job = resolved_created(in_doubt(replays=2), a_service("s-7"), after(20))

        assert Outcome(OutcomeKind.CREATED, after(20), service=a_service("s-7"), reconciled=True) == job.outcome
        assert (Phase.DONE, "s-7", 2) == (job.phase, job.service_id, job.replays)

    def test_not_created_is_a_failure_that_a_new_request_can_mend(self) -> None:
        job = resolved_not_created(in_doubt(), after(20))

        assert job.outcome is not None
        assert (OutcomeKind.FAILED, True, False) == (
            job.outcome.kind,
            job.outcome.is_retryable,
            job.outcome.is_dead_letter,
        )
        assert isinstance(job.outcome.trouble, Trouble)
        assert "resolved_not_created" == job.outcome.trouble.code

    def test_only_a_job_in_doubt_can_be_resolved(self) -> None:
        for job in (a_job(), failed()):
            with pytest.raises(ValueError, match="in doubt"):
                resolved_not_created(job, NOW)
            with pytest.raises(ValueError, match="in doubt"):
                resolved_created(job, a_service(), NOW)

    def test_the_same_resolution_is_known_again_and_no_other(self) -> None:
        made = resolved_created(in_doubt(), a_service("s-7"), NOW)
        nothing = resolved_not_created(in_doubt(), NOW)

        assert [True, False, False] == [is_resolved_so(made, told) for told in ("s-7", "s-8", None)]
        assert [True, False] == [is_resolved_so(nothing, told) for told in (None, "s-7")]
        assert not any(is_resolved_so(job, None) for job in (a_job(), failed(), in_doubt()))
