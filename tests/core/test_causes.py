"""
Why a request waits, and how what was unknown came to be known.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.samples import LUCK, NOW, POLICY, a_job, a_sent_job, a_service, a_trouble, after
from worker.core.absorb import absorb_create, absorb_list
from worker.core.answers import Busy, Conflict, Listed, Throttled, Unknown
from worker.core.causes import Cause, Resolution, cause_of, resolution_of
from worker.core.job import Doubt, Job, Outcome, OutcomeKind, Phase, conclude, recover, start_looking
from worker.core.policy import Policy, WhenNotFound

LOST = a_trouble()
#: Long after every window.
LATE = after(4000)


def looking(doubt: Doubt) -> Job:
    """
    A job that was sent once and is in doubt since NOW.
    """
    return start_looking(a_sent_job(), doubt, NOW, first_delay_s=0.0)


@pytest.mark.parametrize(
    ("job", "cause"),
    [
        (a_job(), Cause.BUSY),
        (absorb_create(a_sent_job(), Busy(a_trouble(425)), NOW, LUCK, POLICY), Cause.BUSY),
        (absorb_create(a_sent_job(), Throttled(a_trouble(429)), NOW, LUCK, POLICY), Cause.BUSY),
        (absorb_create(a_sent_job(), Unknown(LOST), NOW, LUCK, POLICY), Cause.UNKNOWN),
        (absorb_create(a_sent_job(), Conflict(a_trouble(409)), NOW, LUCK, POLICY), Cause.CONFLICT),
        (looking(Doubt.STRANGER), Cause.STRANGER),
        (recover(a_sent_job()), Cause.UNKNOWN),
    ],
)
def test_why_a_job_waits(job: Job, cause: Cause) -> None:
    assert cause is cause_of(job)


def test_every_doubt_has_a_cause_of_its_own() -> None:
    assert len(Doubt) == len({cause_of(looking(doubt)) for doubt in Doubt})


def test_a_service_that_is_found_resolves_what_was_unknown() -> None:
    before = looking(Doubt.UNKNOWN)
    made = absorb_list(before, Listed((a_service(),)), frozenset(), after(1), LUCK, POLICY)

    assert OutcomeKind.CREATED is (made.outcome.kind if made.outcome else None)
    assert Resolution.FOUND is resolution_of(before, made)


def test_a_service_that_is_found_in_error_was_found_all_the_same() -> None:
    """
    To its publisher it is a failure; but the POST had made something, and that is what is counted.
    """
    before = looking(Doubt.UNKNOWN)
    made = absorb_list(before, Listed((a_service(status="ERROR"),)), frozenset(), after(1), LUCK, POLICY)

    assert OutcomeKind.FAILED is (made.outcome.kind if made.outcome else None)
    assert Resolution.FOUND is resolution_of(before, made)


def test_nothing_found_in_the_whole_window_means_that_it_is_sent_again() -> None:
    before = looking(Doubt.UNKNOWN)
    free = absorb_list(before, Listed(()), frozenset(), LATE, LUCK, POLICY)

    assert Phase.READY is free.phase
    assert Resolution.NOT_FOUND is resolution_of(before, free)


def test_nothing_found_is_in_doubt_where_a_second_post_could_make_a_second_service() -> None:
    policy = Policy(when_not_found=WhenNotFound.IN_DOUBT)
    before = looking(Doubt.UNKNOWN)
    ended = absorb_list(before, Listed(()), frozenset(), LATE, LUCK, policy)

    assert Resolution.IN_DOUBT is resolution_of(before, ended)


def test_the_same_500_again_and_again_is_a_refusal() -> None:
    before = replace(looking(Doubt.UNKNOWN), trouble=LOST, strikes=POLICY.same_500_limit)
    ended = absorb_list(before, Listed(()), frozenset(), LATE, LUCK, POLICY)

    assert Resolution.REFUSED is resolution_of(before, ended)


def test_while_it_is_looked_for_nothing_is_resolved() -> None:
    before = looking(Doubt.UNKNOWN)
    for answer in (Listed(()), Busy(a_trouble(503)), Throttled(a_trouble(429))):
        assert resolution_of(before, absorb_list(before, answer, frozenset(), after(1), LUCK, POLICY)) is None


@pytest.mark.parametrize("kind", OutcomeKind)
@pytest.mark.parametrize(
    "before", [a_job(), a_sent_job(), looking(Doubt.CONFLICT), looking(Doubt.STRANGER)], ids=lambda job: job.phase.value
)
def test_what_was_not_unknown_is_not_resolved(before: Job, kind: OutcomeKind) -> None:
    assert resolution_of(before, conclude(before, Outcome(kind, NOW))) is None


@pytest.mark.parametrize("kind", OutcomeKind)
def test_every_outcome_resolves_what_was_unknown(kind: OutcomeKind) -> None:
    before = recover(a_sent_job())

    assert resolution_of(before, conclude(before, Outcome(kind, NOW, trouble=LOST))) is not None
