"""
The heart of the product against a model cloud: every script of faults, and what must hold whatever happens.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain, repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.cloud_model import LEASE_S, TIMEOUT_S, Driver, Fault, ModelCloud, tellings
from tests.core.samples import NOW, a_job, a_service, after
from worker.core.job import Job, OutcomeKind, Phase, open_job
from worker.core.policy import Policy, WhenNotFound

SCRIPT_LENGTH = 5
#: From the last look at the clock to the outcome at the most: a crash in the middle of the last try.
OVERTIME_S = TIMEOUT_S + LEASE_S
RETRY = Policy(request_deadline_s=14_400.0, reconcile_window_s=6.0)
IN_DOUBT = replace(RETRY, when_not_found=WhenNotFound.IN_DOUBT)
CLOUDS = pytest.mark.parametrize(
    ("policy", "is_limited", "length"),
    # Without a limit the same steps are taken but for a conflict, so shorter scripts will do there.
    [(RETRY, True, 5), (RETRY, False, 3), (IN_DOUBT, True, 5), (IN_DOUBT, False, 5)],
    ids=["retry-one_per_vpc", "retry-unlimited", "in_doubt-one_per_vpc", "in_doubt-unlimited"],
)


def play(script: tuple[Fault, ...], policy: Policy, cloud: ModelCloud, job: Job | None = None) -> tuple[Job, Driver]:
    """
    The job at its end, everything checked that must hold whatever the script says.
    """
    opened = job or open_job(a_job(deadline_at=after(policy.request_deadline_s)), NOW, is_redelivered=False)
    driver = Driver(cloud, policy, list(script))
    done = driver.run(opened)
    cloud.move_to(cloud.now + timedelta(days=30))
    check(done, driver)
    return done, driver


def check(done: Job, driver: Driver) -> None:
    """
    Never two services, exactly one outcome, and that outcome is true.
    """
    outcome = done.outcome
    assert outcome is not None
    assert done.phase is Phase.DONE
    assert len(driver.cloud.own_ids) <= 1
    match outcome.kind:
        case OutcomeKind.CREATED:
            assert driver.cloud.own_ids == [done.service_id]
        case OutcomeKind.FAILED:
            assert driver.cloud.own_ids == []
            assert done.service_id is None
        case OutcomeKind.IN_DOUBT:
            assert outcome.is_dead_letter
    assert driver.intents - driver.throttled == done.attempts
    assert outcome.occurred_at <= done.deadline_at + timedelta(seconds=OVERTIME_S)
    moments = [outcome.occurred_at, done.deadline_at, datetime.max.replace(tzinfo=NOW.tzinfo)]
    assert [outcome] * 3 == tellings(done, moments, driver.policy)


@CLOUDS
def test_every_script_of_faults_ends_in_one_true_outcome(policy: Policy, length: int, *, is_limited: bool) -> None:
    """
    All scripts up to that many faults long; a script is grown only while the job asks for more.
    """
    scripts: list[tuple[Fault, ...]] = [()]
    played = 0
    for script in scripts:
        done, driver = play(script, policy, ModelCloud(is_limited=is_limited))
        played += 1
        is_clear = done.outcome is not None and done.outcome.kind is not OutcomeKind.IN_DOUBT

        assert is_clear or policy.when_not_found is WhenNotFound.IN_DOUBT, script

        if driver.has_run_out and not driver.script and len(script) < length:
            scripts.extend((*script, fault) for fault in Fault)

    assert played > 500


FAULTS = st.lists(st.sampled_from(list(Fault)), max_size=SCRIPT_LENGTH).map(tuple)
#: A refusal is believed once the window is over, so a service that a list shows only then is beyond any look.
NO_REFUSAL = FAULTS.filter(lambda script: Fault.REFUSED not in script)
ROLLS = st.lists(st.floats(0, 1, exclude_max=True), max_size=30)


@settings(max_examples=300)
@given(
    script=FAULTS,
    rolls=ROLLS,
    deadline_s=st.sampled_from([1.0, 20.0, 100.0, 700.0, 4000.0]),
    expires_s=st.none() | st.sampled_from([0.0, 15.0, 90.0]),
    is_limited=st.booleans(),
    gives_up=st.booleans(),
)
def test_deadlines_and_expiry_never_make_a_service_a_failure(
    script: tuple[Fault, ...],
    rolls: list[float],
    deadline_s: float,
    expires_s: float | None,
    *,
    is_limited: bool,
    gives_up: bool,
) -> None:
    policy = replace(IN_DOUBT if gives_up else RETRY, request_deadline_s=deadline_s)
    expires_at = None if expires_s is None else after(expires_s)
    fresh = a_job(deadline_at=after(deadline_s), expires_at=expires_at)
    driver = Driver(ModelCloud(is_limited=is_limited), policy, list(script), rolls=chain(rolls, repeat(0.5)))

    done = driver.run(open_job(fresh, NOW, is_redelivered=False))
    driver.cloud.move_to(after(1e7))

    check(done, driver)


@settings(max_examples=300)
@given(script=NO_REFUSAL, lag_s=st.sampled_from([0.5, 5.0, 20.0, 30.0]))
def test_a_service_that_lists_show_late_is_never_told_as_failed(script: tuple[Fault, ...], lag_s: float) -> None:
    """
    An eventually consistent cloud: a service may be invisible for about 30 s after its create.
    """
    policy = replace(RETRY, reconcile_window_s=40.0)

    play(script, policy, ModelCloud(is_limited=True, lag_s=lag_s))


@settings(max_examples=300)
@given(script=FAULTS, is_equal=st.booleans(), is_new=st.booleans())
def test_the_service_of_somebody_else_is_never_told_as_ours(
    script: tuple[Fault, ...], *, is_equal: bool, is_new: bool
) -> None:
    """
    It is told apart by its attributes, its age, or because another job owns it.
    """
    theirs = a_service("theirs", created_at=NOW if is_new else after(-3600), name="mine" if is_equal else "theirs")
    cloud = ModelCloud(is_limited=True, services=[theirs])
    driver = Driver(cloud, RETRY, list(script), taken=frozenset({"theirs"} if is_equal and is_new else ()))

    done = driver.run(open_job(a_job(deadline_at=after(RETRY.request_deadline_s)), NOW, is_redelivered=False))
    cloud.move_to(after(1e7))

    check(done, driver)
    assert done.outcome is not None
    assert done.outcome.kind is OutcomeKind.FAILED


@settings(max_examples=400)
@given(
    script=FAULTS,
    done_after_s=st.none() | st.sampled_from([-100.0, 0.0, 5.0, 34.0]),
    is_stamped=st.booleans(),
    expires_s=st.none() | st.sampled_from([-50.0, 0.0, 20.0]),
    deadline_s=st.sampled_from([-1.0, 30.0, 14_400.0]),
)
def test_a_request_that_a_lost_ledger_had_sent_is_found_again(
    script: tuple[Fault, ...],
    done_after_s: float | None,
    expires_s: float | None,
    deadline_s: float,
    *,
    is_stamped: bool,
) -> None:
    """
    The earlier POST made nothing, made a service, or is still under way in a worker that lost its broker.
    """
    cloud = ModelCloud(is_limited=True, now=after(-150))
    if done_after_s is not None:
        cloud.create_at(after(done_after_s))
    cloud.move_to(NOW)
    expires_at = None if expires_s is None else after(expires_s)
    fresh = a_job(deadline_at=after(deadline_s), expires_at=expires_at)
    driver = Driver(cloud, RETRY, list(script))

    opened = open_job(fresh, NOW, is_redelivered=True, published_at=after(-150) if is_stamped else None)
    done = driver.run(opened)
    cloud.move_to(after(1e7))

    check(done, driver)
