"""
The heart of the product against a model cloud: every play of faults, and what must hold whatever happens.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.cloud_model import ModelCloud
from tests.core.playing import LEASE_S, TIMEOUT_S, Call, Fault, Scene, opening, played
from tests.core.samples import NOW, a_job, a_service, after
from tests.core.tree import Tree
from worker.core.job import OutcomeKind, Phase, open_job, recover
from worker.core.marking import mark_for, marked
from worker.core.policy import Policy, WhenNotFound
from worker.core.steps import Tell, next_step

#: Faults in a play at the most; one more takes about four times as long. `make chaos` walks six, for 100 million plays.
FAULTS_LIMIT = int(os.environ.get("CORE_TREE_FAULTS", "5"))
#: What a fault after the deadline can cost: a crash in the middle of the last try.
OVERTIME_S = TIMEOUT_S + LEASE_S
#: A deadline that no play reaches, and a window that lists 30 s behind do not fill: the last look must settle it.
RETRY = Policy(request_deadline_s=864_000.0, reconcile_window_s=40.0)
IN_DOUBT = replace(RETRY, when_not_found=WhenNotFound.IN_DOUBT)
POLICIES = pytest.mark.parametrize("policy", [RETRY, IN_DOUBT], ids=["retry", "in_doubt"])
CLOUDS = pytest.mark.parametrize("is_limited", [True, False], ids=["one_per_vpc", "unlimited"])


def check(scene: Scene, policy: Policy) -> None:
    """
    What is promised of a play that is over: one outcome, told with one id, and true.

    Not promised is what no look-up can know. A play is misled when a list that hides a service of ours, which is
    there, is the one that settles a window:

    1. Until a lost answer or a conflict raises the question anew, nothing is known of the service: what the cloud
       says next (a refusal, the same error again, nothing until the deadline) is believed and told as the outcome.
    2. Of a POST that a lost ledger forgot nothing is known from then on: its service is older than the next POST.
    3. Where the cloud bears a second service, `retry` makes one, and so does a request that a lost ledger forgot.
       That is why `in_doubt` is the default there.
    """
    own, outcome = scene.cloud.own, scene.job.outcome
    is_forgotten = scene.job.first_seen_at < NOW
    posts_once = policy.when_not_found is WhenNotFound.IN_DOUBT and not is_forgotten

    assert outcome is not None
    assert Phase.DONE is scene.job.phase
    assert 1 <= len(scene.told)
    assert 1 == len(set(scene.told))
    assert scene.delays_told <= 1
    if scene.cloud.is_limited or not scene.was_misled or posts_once:
        assert len(own) <= 1
    match outcome.kind:
        case OutcomeKind.CREATED:
            assert outcome.service in own
            assert "ERROR" != outcome.service.status
        case OutcomeKind.FAILED if outcome.service is not None:
            assert outcome.service in own
            assert "ERROR" == outcome.service.status
        case OutcomeKind.FAILED:
            assert not own or scene.is_misled or (is_forgotten and scene.was_misled)
        case OutcomeKind.IN_DOUBT:
            assert outcome.is_dead_letter


def check_clear(scene: Scene, policy: Policy) -> None:
    """
    As `check`; and where a second POST is allowed nothing is left in doubt that a look-up could settle. What it
    cannot settle is a conflict with a service that no list shows, and which of two is ours.
    """
    check(scene, policy)
    outcome = scene.job.outcome

    assert outcome is not None
    is_excused = scene.is_misled or scene.is_contradicted or len(scene.cloud.own) > 1
    if policy.when_not_found is WhenNotFound.RETRY and not is_excused:
        assert OutcomeKind.IN_DOUBT is not outcome.kind


def a_tree(policy: Policy) -> Tree:
    return Tree(policy, lambda scene: check_clear(scene, policy))


def a_scene(policy: Policy, cloud: ModelCloud, **changes: object) -> Scene:
    fresh = a_job(deadline_at=after(policy.request_deadline_s), **changes)
    return opening(open_job(fresh, NOW, is_redelivered=False), cloud, policy)


@POLICIES
@CLOUDS
@pytest.mark.timeout(0 if FAULTS_LIMIT > 6 else 120)
def test_every_play_of_faults_ends_in_one_true_outcome(policy: Policy, *, is_limited: bool) -> None:
    """
    At every call, be it a POST, a look-up or the telling of the outcome, every fault that it can meet: many
    million plays in all, each of them as if it were played from its first delivery to its ack.
    """
    plays = a_tree(policy).plays(a_scene(policy, ModelCloud(is_limited=is_limited)), FAULTS_LIMIT)

    assert plays > (2_000_000 if policy is RETRY else 200_000)


@POLICIES
@CLOUDS
def test_every_play_of_a_few_faults_with_the_numbers_of_production(policy: Policy, *, is_limited: bool) -> None:
    policy = replace(Policy(), when_not_found=policy.when_not_found)

    plays = a_tree(policy).plays(a_scene(policy, ModelCloud(is_limited=is_limited)), 3)

    assert plays > 15_000


@POLICIES
@CLOUDS
def test_every_play_of_a_request_whose_account_alone_is_refused_now_and_then(
    policy: Policy, *, is_limited: bool
) -> None:
    tree = a_tree(policy)
    tree.more_faults = {Call.POST: (Fault.ACCOUNT_REFUSED,)}

    plays = tree.plays(a_scene(policy, ModelCloud(is_limited=is_limited)), 3)

    assert plays > 3_000


def test_merging_equal_scenes_loses_no_play() -> None:
    """
    The walk of all plays stands and falls with it: the same number of plays, and of each outcome, at any length.
    """
    scene = a_scene(RETRY, ModelCloud(is_limited=True))
    seen: Counter[tuple[OutcomeKind | None, int, bool]] = Counter()
    merged: set[tuple[OutcomeKind | None, int, bool]] = set()

    def kind(over: Scene) -> tuple[OutcomeKind | None, int, bool]:
        outcome = over.job.outcome
        return None if outcome is None else outcome.kind, len(over.cloud.own), over.is_misled

    plays = Tree(RETRY, lambda over: seen.update([kind(over)]), merges=False).plays(scene, 3)
    tree = Tree(RETRY, lambda over: merged.add(kind(over)))

    assert plays == seen.total()
    assert plays == tree.plays(scene, 3)
    assert set(seen) == merged
    assert tree.visited < plays


@POLICIES
@CLOUDS
@pytest.mark.parametrize("is_equal", [True, False], ids=["equal", "different"])
def test_every_play_beside_the_service_of_somebody_else(policy: Policy, *, is_limited: bool, is_equal: bool) -> None:
    """
    It was there from the start: told apart by its attributes, or by its age.
    """
    name, age_s = ("mine", 3600.0) if is_equal else ("theirs", 0.0)
    theirs = a_service("theirs", created_at=after(-age_s), name=name)

    def check_theirs(scene: Scene) -> None:
        check_clear(scene, policy)
        if is_limited:
            check_in_the_way(scene)

    tree = Tree(policy, check_theirs)
    plays = tree.plays(a_scene(policy, ModelCloud(is_limited=is_limited, services=(theirs,))), 4)

    assert plays > 1_000


def check_in_the_way(scene: Scene) -> None:
    outcome = scene.job.outcome

    assert outcome is not None
    assert () == scene.cloud.own
    assert OutcomeKind.CREATED is not outcome.kind
    assert outcome.existing_service_id in {None, "theirs"}


TWINS = {
    "unmarked": {},
    "marked": {"description": "[req:order-2]"},
    "nearly_ours": {"description": "[req:border-1]"},
}


@POLICIES
@CLOUDS
@pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS.keys())
def test_with_marks_every_play_beside_an_equal_service_tells_them_apart(
    policy: Policy, twin: dict[str, object], *, is_limited: bool
) -> None:
    """
    Made by somebody else at the same time, and no cloud shows when: without a mark nothing tells it from ours.
    """
    wanted: dict[str, object] = {"router_id": a_job().router_id, "name": "mine"}
    mark = mark_for(a_job().key, wanted)
    assert mark is not None
    theirs = a_service("theirs", created_at=None, **twin)
    cloud = ModelCloud(is_limited=is_limited, is_stamped=False, description=marked(wanted, mark), services=(theirs,))

    plays = a_tree(policy).plays(a_scene(policy, cloud, mark=mark), 4)

    assert plays > 1_000


@POLICIES
@CLOUDS
@pytest.mark.parametrize("made_after_s", [None, -100.0, 0.0, 34.0], ids=str)
@pytest.mark.parametrize("is_dated", [True, False], ids=["dated", "undated"])
def test_every_play_of_a_request_that_a_lost_ledger_had_sent(
    policy: Policy, made_after_s: float | None, *, is_dated: bool, is_limited: bool
) -> None:
    """
    The earlier POST made nothing, made a service, or is still under way in a worker that lost its broker.
    """
    cloud = ModelCloud(is_limited=is_limited)
    if made_after_s is not None:
        cloud = cloud.created_later(after(made_after_s))
    fresh = a_job(first_seen_at=after(-150), deadline_at=after(policy.request_deadline_s))
    job = open_job(fresh, NOW, is_redelivered=True, published_at=after(-150) if is_dated else None)

    plays = Tree(policy, lambda scene: check(scene, policy)).plays(opening(job, cloud, policy), 3)

    assert plays > 50


DEADLINES = [(20.0, None), (100.0, None), (700.0, None), (864_000.0, 0.0), (864_000.0, 15.0), (100.0, 90.0)]


@POLICIES
@CLOUDS
@pytest.mark.parametrize(("deadline_s", "expires_s"), DEADLINES)
def test_no_play_with_a_deadline_or_an_expiry_makes_a_service_a_failure(
    policy: Policy, deadline_s: float, expires_s: float | None, *, is_limited: bool
) -> None:
    """
    The outcome is not far behind the deadline either: what goes on after it is one try, and one more for a crash in it.
    """
    policy = replace(policy, request_deadline_s=deadline_s)
    expires_at = None if expires_s is None else after(expires_s)
    scene = a_scene(policy, ModelCloud(is_limited=is_limited), expires_at=expires_at)
    faults = 3

    def check_in_time(over: Scene) -> None:
        check(over, policy)
        outcome = over.job.outcome
        assert outcome is not None
        assert outcome.occurred_at <= over.job.deadline_at + timedelta(seconds=OVERTIME_S * (faults + 1))

    plays = Tree(policy, check_in_time).plays(scene, faults)

    assert plays > 2


SCRIPTS = st.lists(st.sampled_from(list(Fault)), max_size=8).map(tuple)
ROLLS = st.floats(0, 1, exclude_max=True)


@settings(max_examples=300)
@given(
    script=SCRIPTS,
    roll=ROLLS,
    deadline_s=st.sampled_from([1.0, 20.0, 100.0, 700.0, 4000.0, 864_000.0]),
    expires_s=st.none() | st.sampled_from([0.0, 15.0, 90.0]),
    window_s=st.sampled_from([0.0, 6.0, 180.0]),
    lag_s=st.sampled_from([0.0, 0.5, 5.0, 30.0]),
    is_limited=st.booleans(),
    gives_up=st.booleans(),
)
def test_whatever_the_numbers_are_the_promises_hold(
    script: tuple[Fault, ...],
    roll: float,
    deadline_s: float,
    expires_s: float | None,
    window_s: float,
    lag_s: float,
    *,
    is_limited: bool,
    gives_up: bool,
) -> None:
    base = IN_DOUBT if gives_up else RETRY
    policy = replace(base, request_deadline_s=deadline_s, reconcile_window_s=window_s)
    expires_at = None if expires_s is None else after(expires_s)
    scene = a_scene(policy, ModelCloud(is_limited=is_limited, lag_s=lag_s), expires_at=expires_at)

    over = played(replace(scene, roll=roll), script, policy)

    check(over, policy)
    check_lasting(over, policy)


def check_lasting(scene: Scene, policy: Policy) -> None:
    """
    The outcome is the same whenever the job is claimed again.
    """
    job, outcome = scene.job, scene.job.outcome
    forever = datetime.max.replace(tzinfo=NOW.tzinfo)

    assert outcome is not None
    assert [Tell(outcome)] * 3 == [
        next_step(recover(job), at, policy) for at in (outcome.occurred_at, job.deadline_at, forever)
    ]


@settings(max_examples=300)
@given(script=SCRIPTS, lag_s=st.sampled_from([0.5, 5.0, 20.0, 30.0]))
def test_a_service_that_all_lists_show_late_is_found(script: tuple[Fault, ...], lag_s: float) -> None:
    """
    An eventually consistent cloud: a service may be invisible for about 30 s after its create.
    """
    over = played(a_scene(RETRY, ModelCloud(is_limited=True, lag_s=lag_s)), script, RETRY)

    check(over, RETRY)


@settings(max_examples=300)
@given(script=SCRIPTS, is_limited=st.booleans())
def test_a_service_that_another_job_owns_is_never_told_as_ours(script: tuple[Fault, ...], *, is_limited: bool) -> None:
    theirs = a_service("theirs")
    scene = a_scene(RETRY, ModelCloud(is_limited=is_limited, services=(theirs,)))

    over = played(replace(scene, taken=frozenset({"theirs"})), script, RETRY)

    check(over, RETRY)
