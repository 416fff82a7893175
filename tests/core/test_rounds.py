"""
When a tenant's services are looked at.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.following import FollowPolicy
from worker.core.rounds import Round, after_round, due_at, interval_s

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
POLICY = FollowPolicy()
FAR_S = 1e6


def after(delay_s: float) -> datetime:
    return NOW + timedelta(seconds=delay_s)


def a_round(**changes: Any) -> Round:
    return replace(Round(None, NOW, NOW, 0, NOW, after(FAR_S)), **changes)


def wait_s(tour: Round, policy: FollowPolicy = POLICY) -> float:
    return (due_at(tour, tour.last_at, policy) - tour.last_at).total_seconds()


@pytest.mark.parametrize(
    ("age_s", "expected_s"), [(-5, 5), (0, 5), (20, 5), (60, 15), (600, 150), (1200, 300), (86_400, 300)]
)
def test_the_interval_grows_with_the_time_in_which_nothing_changed(age_s: float, expected_s: float) -> None:
    assert expected_s == interval_s(age_s, POLICY)


def test_a_round_is_due_soon_after_a_change_and_late_without_one() -> None:
    assert 5 == wait_s(a_round())
    assert 300 == wait_s(a_round(newest_at=after(-9999)))


def test_what_is_first_followed_since_the_last_round_is_looked_at_as_soon() -> None:
    assert 5 == wait_s(a_round(newest_at=after(3)))


def test_a_deadline_brings_a_round_forward() -> None:
    quiet = a_round(newest_at=after(-9999))

    assert 100 == wait_s(replace(quiet, deadline_at=after(100)))


def test_many_deadlines_do_not_make_a_round_each() -> None:
    quiet = a_round(newest_at=after(-9999))

    assert 60 == wait_s(replace(quiet, deadline_at=after(1)))


def test_a_clock_that_was_set_back_does_not_stop_the_rounds() -> None:
    tour = a_round(last_at=after(3600), rest_until=after(3600))

    assert NOW == due_at(tour, NOW, POLICY)


def test_another_worker_s_clock_that_is_a_little_ahead_makes_no_more_rounds() -> None:
    tour = a_round(last_at=after(60), rest_until=after(60))

    assert after(75) == due_at(tour, NOW, POLICY)


def test_a_cloud_that_answers_slowly_is_asked_less_often() -> None:
    done = after_round(a_round(), 20.0, NOW, POLICY, is_well=True)

    assert (NOW, after(180)) == (done.last_at, done.rest_until)
    assert 180 == wait_s(done)


def test_a_short_round_needs_no_rest_beyond_the_interval() -> None:
    assert 5 == wait_s(after_round(a_round(), 0.1, NOW, POLICY, is_well=True))


def test_after_troubles_it_yields_longer_and_longer_and_recovers_at_once() -> None:
    tour, waits = a_round(), []
    for _ in range(8):
        tour = after_round(tour, 0.1, NOW, POLICY, is_well=False)
        waits.append(wait_s(tour))
    well = after_round(tour, 0.1, NOW, POLICY, is_well=True)

    assert [10, 20, 40, 80, 160, 300, 300, 300] == waits
    assert 5 == wait_s(well)


@given(
    st.floats(0, 1e5),
    st.floats(-1e5, 1e5),
    st.floats(-1e5, 1e5),
    st.integers(0, 50),
    st.booleans(),
)
def test_nobody_waits_longer_than_the_longest_interval_nor_shorter_than_the_least(
    took_s: float, newest_s: float, deadline_s: float, failures: int, is_well: bool
) -> None:
    before = a_round(newest_at=after(newest_s), deadline_at=after(deadline_s), failures=failures)

    tour = after_round(before, took_s, NOW, POLICY, is_well=is_well)

    assert POLICY.least_interval_s <= wait_s(tour) <= POLICY.most_interval_s
