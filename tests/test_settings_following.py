"""
How following is set: targets, lists of statuses, and what contradicts itself.
"""

from __future__ import annotations

import pytest

from tests.test_settings import faults, load
from worker.composing import follow_pace_of
from worker.core.following import FollowPolicy, Target

pytestmark = pytest.mark.usefixtures("login")


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    An environment in which the worker can start.
    """
    monkeypatch.setenv("VPN_WORKER_API_URL", "https://vpc.eu-de.otc.example.com")
    monkeypatch.setenv("VPN_WORKER_AUTH", "none")


def test_nothing_is_followed_unless_somebody_says_so() -> None:
    assert FollowPolicy() == load().policy.following
    assert Target.NONE is load().following.target


@pytest.mark.parametrize("target", list(Target))
def test_how_far_is_one_of_three_words(target: Target) -> None:
    assert target is load(follow=target.value).following.target


def test_statuses_are_lists_whose_case_and_white_space_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VPN_WORKER_FOLLOW_SETTLED", "active, Down ,FROZEN")
    monkeypatch.setenv("VPN_WORKER_FOLLOW_FAILED", "error,BROKEN")

    policy = load().following

    assert frozenset({"ACTIVE", "DOWN", "FROZEN"}) == policy.settled
    assert frozenset({"ERROR", "BROKEN"}) == policy.failed


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"follow": "ever"}, "FOLLOW"),
        ({"follow_settled": ""}, "FOLLOW_SETTLED: must be statuses with commas between"),
        ({"follow_active": "ACTIVE,,DOWN"}, "FOLLOW_ACTIVE: must be statuses with commas between"),
        ({"follow_active": "ACT\nIVE"}, "FOLLOW_ACTIVE: must be statuses with commas between"),
        ({"follow_failed": "down"}, "FOLLOW_FAILED: DOWN is in VPN_WORKER_FOLLOW_SETTLED as well"),
        ({"follow_active": "ERROR"}, "FOLLOW_FAILED: ERROR is in VPN_WORKER_FOLLOW_ACTIVE as well"),
        ({"follow_interval_s": 0}, "FOLLOW_INTERVAL_S"),
        ({"follow_interval_s": 400}, "FOLLOW_INTERVAL_MAX_S: must be at least VPN_WORKER_FOLLOW_INTERVAL_S"),
        ({"follow_deadline_s": 0}, "FOLLOW_DEADLINE_S"),
        ({"follow_share": 0}, "FOLLOW_SHARE"),
        ({"follow_share": 1.5}, "FOLLOW_SHARE"),
    ],
)
def test_what_cannot_be_meant_is_told_by_its_name(flags: dict[str, object], words: str) -> None:
    (fault,) = faults(**flags)

    assert words in fault


@pytest.mark.parametrize("rate", ["api_per_second", "api_per_minute"])
async def test_the_follower_has_its_share_of_the_rates_and_two_calls_at_a_time(rate: str) -> None:
    # All of it would be ten calls at once: a tenth of the rate (pace.py, _BURST).
    pace = follow_pace_of(load(**{rate: 100}, follow_share=0.1))
    first = pace.try_take()

    assert 2 == pace.maximum
    assert first is not None
    first.end()
    assert pace.try_take() is None
    assert follow_pace_of(load()).try_take() is not None
