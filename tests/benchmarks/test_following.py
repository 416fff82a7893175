"""
The benchmark of following in its short form: real processes, counts judged.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from benchmarks import follow_beside, follow_cost
from benchmarks.follow_beside import NONE, OTHERS, OWN, Beside
from benchmarks.follow_cost import Cost
from benchmarks.following import Result, claims_of
from tests.e2e.conftest import worker_environment
from worker.sandbox.processes import Child

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.long


FEW = Cost(
    services=100,
    interval_s=5.0,
    length_s=60.0,
    rounds=12,
    least_followed=100,
    round_s=0.02,
    lists=24,
    shows=0,
    changes=0,
    naive_shows_a_minute=1200.0,
    memory_mib=60.0,
    peak_memory_mib=61.0,
    cpu_share=0.01,
)
MANY = replace(FEW, services=10_000, least_followed=10_000, lists=1212, naive_shows_a_minute=None, memory_mib=65.0)
WITHOUT = Beside(
    mode=NONE,
    services=10_000,
    per_s=600.0,
    p50_s=0.1,
    p99_s=0.2,
    told=12_000,
    created=12_000,
    copies=0,
    posts=12_000,
    made=12_000,
    lists=0,
    shows=0,
    rounds=0,
    least_followed=0,
    cpu_ms=1.0,
    peak_memory_mib=70.0,
)
WITH = replace(WITHOUT, mode=OTHERS, per_s=560.0, lists=500, rounds=5, least_followed=10_000)


def broken(*, costs: tuple[Cost, ...] = (), besides: tuple[Beside, ...] = (), short: bool = False) -> list[str]:
    """
    The claims that do not hold.
    """
    return [claim.words for claim in claims_of(Result(costs, besides), short=short) if not claim.is_true]


async def test_following_costs_pages_and_not_services(tmp_path: Path, amqp_url: str) -> None:
    argv = [sys.executable, "-m", "benchmarks.following", "--folder", str(tmp_path / "runs")]
    argv += ["--short", "--json", str(tmp_path / "found.json")]
    async with Child(argv, log_file=tmp_path / "said.log", env=worker_environment({"amqp_url": amqp_url})) as child:
        async with asyncio.timeout(90):
            status = await child.wait()
        await child.stop()
        said = "\n".join(child.lines)

    assert 0 == status, said + child.log_file.read_text()
    found = json.loads((tmp_path / "found.json").read_text())
    (cost,), (beside,) = found["costs"], found["besides"]
    assert 150 == cost["least_followed"] == beside["least_followed"]
    assert 0 < cost["rounds"] <= cost["lists"] <= 2 * (cost["rounds"] + 1)
    assert 0 == cost["shows"] == beside["shows"] == cost["changes"]
    assert 0 < beside["told"] == beside["created"] == beside["posts"] == beside["made"]
    assert "NO " not in said


def test_good_figures_keep_every_claim() -> None:
    assert [] == broken(costs=(FEW, MANY), besides=(WITHOUT, WITH))


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        (replace(MANY, least_followed=9_999), "every round finds them all"),
        (replace(MANY, rounds=0), "every round finds them all"),
        (replace(MANY, lists=1314), "a round is the pages of one list"),
        (replace(MANY, shows=1), "none is asked for by itself"),
        (replace(MANY, changes=1), "nothing is told"),
    ],
)
def test_a_follower_that_calls_or_tells_too_much_fails_even_a_short_run(cost: Cost, words: str) -> None:
    assert any(words in claim for claim in broken(costs=(FEW, cost), short=True))


def test_calls_and_memory_are_judged_in_a_long_run() -> None:
    dear, fat = replace(MANY, lists=3700, rounds=40), replace(MANY, memory_mib=66.1)

    assert ["10,000 services followed: at most 3% of the calls of a GET for each"] == broken(costs=(FEW, dear))
    assert ["memory with 10,000 is within 10 % of that with 100"] == broken(costs=(FEW, fat))
    assert [] == broken(costs=(FEW, fat), short=True)


def test_calls_a_minute_stand_beside_those_of_a_get_for_each() -> None:
    lines = follow_cost.shown([FEW, MANY]).splitlines()

    assert ["10,000", "1,212", "120,000", "-", "1.01%"] == [cell.strip() for cell in lines[3].split("|")[1:6]]
    assert (24.0, 1200.0) == (FEW.calls_a_minute, FEW.one_by_one_a_minute)


@pytest.mark.parametrize("per_s", [539.0, 541.0])
def test_creating_must_keep_nine_tenths_of_its_rate(per_s: float) -> None:
    """
    By the medians: one slow round decides nothing.
    """
    besides = (WITHOUT, replace(WITH, per_s=per_s), WITHOUT, replace(WITH, per_s=per_s), WITHOUT, WITH)

    assert (per_s < 540) == bool(broken(besides=besides))


@pytest.mark.parametrize(
    "beside",
    [
        replace(WITH, created=11_999),
        replace(WITH, copies=1),
        replace(WITH, posts=12_001),
        replace(WITH, made=11_999),
        replace(WITH, shows=1),
        replace(WITH, least_followed=9_999),
        replace(WITH, rounds=1),
        replace(WITHOUT, lists=1),
    ],
)
def test_beside_following_the_counts_must_be_exact(beside: Beside) -> None:
    assert all(claim.is_true for claim in follow_beside.counted([WITHOUT, WITH, replace(WITH, mode=OWN)]))
    assert not all(claim.is_true for claim in follow_beside.counted([WITHOUT, beside]))
