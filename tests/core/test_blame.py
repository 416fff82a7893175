"""
What an answer makes of a job depends on whose fault it is.
"""

from __future__ import annotations

from tests.core.samples import LUCK, NOW, POLICY, a_sent_job, a_trouble, after
from worker.core.absorb import absorb_create
from worker.core.answers import Busy, Misconfigured, Refused
from worker.core.job import Blame, OutcomeKind, Phase, intend


def test_what_nobody_may_do_at_present_is_not_refused_to_the_one() -> None:
    """
    A role was withdrawn: an operator gives it back, and the queue has lost nothing.
    """
    refused = Refused(a_trouble(403))
    spared = absorb_create(a_sent_job(), refused, after(1), LUCK, POLICY, Blame.CLOUD)

    assert (Phase.READY, 0) == (spared.phase, spared.attempts)
    assert Phase.DONE is absorb_create(a_sent_job(), refused, after(1), LUCK, POLICY, Blame.OPEN).phase


def test_a_busy_cloud_costs_nobody_an_attempt_while_all_are_told_so() -> None:
    job = absorb_create(a_sent_job(), Busy(a_trouble(425)), after(1), LUCK, POLICY, Blame.CLOUD)

    assert (Phase.READY, 0) == (job.phase, job.attempts)


def test_who_alone_meets_a_settings_fault_is_refused_after_a_few_tries() -> None:
    """
    The API answers 406 to one body and works for all others: that one must not stop the worker for a day.
    """
    answer, job, now = Misconfigured(a_trouble(406)), a_sent_job(), NOW
    for _ in range(POLICY.same_500_limit):
        assert job.outcome is None
        job = absorb_create(job, answer, now, LUCK, POLICY, Blame.REQUEST)
        now = job.due_at or now
        job = job if job.outcome else intend(job, now)

    assert job.outcome is not None
    assert (OutcomeKind.FAILED, True) == (job.outcome.kind, job.outcome.is_dead_letter)
