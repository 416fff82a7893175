"""
How long to wait, and where.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.routes import RUNGS
from worker.core.backoff import LADDER_S, failed_look_delay_s, look_delay_s, retry_delay_s, rung_for

ROLLS = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("attempt", "roll", "delay_s"),
    [
        (1, 0.0, 0.1),
        (1, 0.5, 0.5),
        (2, 0.5, 1.0),
        (3, 0.5, 2.0),
        (4, 0.9, 5.0),
        (5, 0.9, 30.0),
        (6, 0.9, 120.0),
        (7, 0.9, 600.0),
        (8, 0.9, 3600.0),
        (99, 0.9, 3600.0),
    ],
)
def test_quick_tries_first_and_then_the_ladder(attempt: int, roll: float, delay_s: float) -> None:
    assert delay_s == retry_delay_s(attempt, roll)


@given(attempt=st.integers(1, 10_000), roll=ROLLS, asked_s=st.none() | st.floats(0, 1e6))
def test_a_retry_never_comes_sooner_than_the_cloud_asked_for(attempt: int, roll: float, asked_s: float | None) -> None:
    delay_s = retry_delay_s(attempt, roll, asked_s)

    assert delay_s >= max(0.1, asked_s or 0.0)
    assert delay_s <= max(LADDER_S[-1], asked_s or 0.0)


@given(looks=st.integers(0, 10_000), roll=ROLLS)
def test_looks_come_soon_but_never_at_once_and_at_least_every_half_minute(looks: int, roll: float) -> None:
    assert 0.25 <= look_delay_s(looks, roll) <= 30.0


@given(waited_s=st.floats(-10, 1e9), roll=ROLLS)
def test_failed_looks_come_more_and_more_rarely(waited_s: float, roll: float) -> None:
    delay_s = failed_look_delay_s(waited_s, roll)

    assert 0.0 <= delay_s <= 30.0
    assert delay_s <= failed_look_delay_s(waited_s + 10, roll)
    assert failed_look_delay_s(60, roll) >= 15.0


@pytest.mark.parametrize(
    ("delay_s", "rung"),
    [
        (0.1, 5),
        (5.0, 5),
        (28.9, 5),
        (29.1, 30),
        (30.0, 30),
        (118.9, 30),
        (119.5, 120),
        (600, 600),
        (3598, 600),
        (9e9, 3600),
    ],
)
def test_a_rung_overshoots_by_a_second_at_the_most_save_for_the_shortest(delay_s: float, rung: int) -> None:
    """
    Deciding takes a moment, and a wait of 29.99 s was meant for the rung of 30.
    """
    assert rung == rung_for(delay_s).delay_s


def test_the_ladder_is_the_rungs() -> None:
    assert [float(rung.delay_s) for rung in RUNGS] == list(LADDER_S)
