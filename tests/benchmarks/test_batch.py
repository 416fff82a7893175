"""
The benchmark of a batch with 2,000 orders, its worker killed in the middle: nothing is lost, doubled or told wrongly.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from benchmarks.batch import Run, claims_of, measure, shown

if TYPE_CHECKING:
    from pathlib import Path

ORDERS = 2000
GOOD = Run(
    orders=100_000,
    kills=2,
    kills_wanted=2,
    took_s=400.0,
    peak_memory_mib=70.0,
    exit_status=0,
    said="",
    rows=100_000,
    in_order=True,
    created=100_000,
    told_services=100_000,
    services=100_000,
    strangers=0,
)
SMALL = replace(GOOD, orders=1000, rows=1000, created=1000, told_services=1000, services=1000, peak_memory_mib=55.0)


async def test_a_batch_comes_through_though_its_worker_is_killed(amqp_url: str, tmp_path: Path) -> None:
    run = await measure(amqp_url, tmp_path / "run", ORDERS, 1)

    assert [] == [claim.line() for claim in claims_of([run]) if not claim.is_true]
    assert f"{ORDERS} orders: {ORDERS} created." == run.said
    assert 1 == run.kills
    assert 0 < run.peak_memory_mib < 150


def test_a_good_run_is_good() -> None:
    assert all(claim.is_true for claim in claims_of([SMALL, GOOD]))
    assert "250.00" in shown([SMALL, GOOD])


@pytest.mark.parametrize(
    "bad",
    [
        replace(GOOD, exit_status=1),
        replace(GOOD, kills=1),
        replace(GOOD, in_order=False),
        replace(GOOD, rows=99_999),
        replace(GOOD, created=99_999),
        replace(GOOD, services=100_001),
        replace(GOOD, told_services=99_999),
        replace(GOOD, strangers=2),
        replace(GOOD, peak_memory_mib=200.0),
    ],
    ids=lambda run: next(
        f"{name}={getattr(run, name)}" for name in Run.__slots__ if getattr(run, name) != getattr(GOOD, name)
    ),
)
def test_one_wrong_figure_fails_the_benchmark(bad: Run) -> None:
    assert 1 == sum(not claim.is_true for claim in claims_of([SMALL, bad]))
