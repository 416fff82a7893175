"""
The second part of the benchmark of following: creating services while thousands of others are followed.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.crowd import FLAGS, covered, fill, rounds_in, settings
from benchmarks.report import Claim, table
from benchmarks.stage import staged
from benchmarks.traffic import open_traffic, orders, share_at
from benchmarks.usage import cpu_s, peak_memory_mib

NONE, OTHERS, OWN = "none followed", "others followed", "the new ones followed"
_CUSTOMERS = 100
_LEAST_OF_NONE = 0.90
_INTERVAL_S = 5.0


@dataclass(frozen=True, slots=True)
class BesidePlan:
    """
    What is compared, and for how long.

    Attributes:
        services: that exist before; with OTHERS they are followed.
        modes: of NONE, OTHERS and OWN.
        rounds: how often each is measured; all of them before any is measured again.
        length_s: while requests are published; `warm_up_s`: the first part of it, in which nothing is measured.
        interval_s: between rounds of following; it does not grow.
    """

    services: int = 10_000
    modes: Sequence[str] = (NONE, OTHERS, OWN)
    rounds: int = 3
    length_s: float = 25.0
    warm_up_s: float = 5.0
    interval_s: float = _INTERVAL_S


@dataclass(frozen=True, slots=True)
class Beside:
    """
    One mode, measured once.

    Attributes:
        mode: NONE, OTHERS or OWN.
        services: that there were before.
        per_s: services told as created in a second, after the warm-up and while requests were published.
        p50_s, p99_s: from publishing to the outcome, in the same time.
        told: requests whose outcome is known; `created` of them as created; `copies`: outcomes told again.
        posts, made: POSTs and services while they were published and told.
        lists, shows: calls in the same time; `rounds` of following, and `least_followed`: the
            fewest services that one of them found.
        cpu_ms: the worker's processor time for a request; None where the system does not tell.
        peak_memory_mib: the worker's, from its start on; None likewise.
    """

    mode: str
    services: int
    per_s: float
    p50_s: float
    p99_s: float
    told: int
    created: int
    copies: int
    posts: int
    made: int
    lists: int
    shows: int
    rounds: int
    least_followed: int
    cpu_ms: float | None
    peak_memory_mib: float | None

    @property
    def is_exact(self) -> bool:
        """
        Whether every request became one service by one POST and was told once.
        """
        return {self.told, self.created, self.posts, self.made} == {self.told} and self.copies == self.shows == 0


async def compete(amqp_url: str, folder: Path, plan: BesidePlan, talk: Callable[[str], None]) -> list[Beside]:
    """
    Every mode in rounds, so that a machine that gets slower does so for all; each with a cloud and a ledger of its own.

    Raises:
        VpnWorkerError: a part could not be started, or does not do its work.
    """
    found: list[Beside] = []
    for number, mode in itertools.product(range(plan.rounds), plan.modes):
        beside = await _measured(amqp_url, folder / f"beside-{len(found) + 1}", plan, mode)
        found.append(beside)
        talk(f"round {number + 1}, {mode}: {beside.per_s:.0f} services/s")
    return found


async def _measured(amqp_url: str, folder: Path, plan: BesidePlan, mode: str) -> Beside:
    async with staged(amqp_url, folder, FLAGS, settings(plan.interval_s)) as stage:
        # As many services in cloud and ledger in every mode, so that following alone is what differs.
        await fill(stage, plan.services, "settled" if mode == OTHERS else "none")
        worker = stage.worker
        if mode == OTHERS:
            await covered(stage, plan.services)
        before, rounds_before = await stage.counts(), len(rounds_in(worker.log_file))
        async with open_traffic(stage) as traffic:
            cpu_before_s, began_s = cpu_s(worker.pid), time.monotonic()
            end_s = began_s + plan.length_s
            wanted = orders("settled" if mode == OWN else "none")
            await traffic.run(_CUSTOMERS, itertools.takewhile(lambda _: time.monotonic() < end_s, wanted))
            cpu_after_s, peak_mib = cpu_s(worker.pid), peak_memory_mib(worker.pid)
        rounds = rounds_in(worker.log_file)[rounds_before:]  # before the end of the worker, which breaks one off
        await stage.stop_worker()
        after = await stage.counts()
    told = len(traffic.told)
    seen = [one for one in traffic.told if began_s + plan.warm_up_s <= one.told_at_s < end_s]
    times_s = [one.took_s for one in seen]
    return Beside(
        mode=mode,
        services=plan.services,
        per_s=sum(one.is_created for one in seen) / (plan.length_s - plan.warm_up_s),
        p50_s=share_at(times_s, 0.5),
        p99_s=share_at(times_s, 0.99),
        told=told,
        created=sum(one.is_created for one in traffic.told),
        copies=traffic.copies,
        posts=after.creates - before.creates,
        made=after.services - before.services,
        lists=after.lists - before.lists,
        shows=after.shows - before.shows,
        rounds=len(rounds),
        least_followed=min((said.followed for said in rounds), default=0),
        cpu_ms=None
        if cpu_before_s is None or cpu_after_s is None
        else 1000 * (cpu_after_s - cpu_before_s) / max(1, told),
        peak_memory_mib=peak_mib,
    )


def counted(found: Sequence[Beside]) -> list[Claim]:
    """
    What must hold on any machine.
    """
    if not found:
        return []
    exact = sum(beside.is_exact for beside in found)
    claims = [
        Claim(
            "creating beside following: one service by one POST for each request, told once, no GET",
            exact == len(found),
            f"{exact} of {len(found)} measurements",
        )
    ]
    others = [beside for beside in found if beside.mode == OTHERS]
    if others:
        kept = sum(beside.rounds > 1 and beside.least_followed == beside.services for beside in others)
        words = f"creating beside following: every round finds all {others[0].services:,}"
        claims.append(Claim(words, kept == len(others), f"{kept} of {len(others)} measurements"))
    none = [beside for beside in found if beside.mode == NONE]
    if none:
        lists = sum(beside.lists + beside.rounds for beside in none)
        claims.append(Claim("nothing is listed where nothing is followed", lists == 0, f"{lists} lists and rounds"))
    return claims


def judged(found: Sequence[Beside]) -> list[Claim]:
    """
    What must hold where the machine is not too busy to measure.
    """
    speeds = _speeds(found)
    if not (speeds.get(NONE) and OTHERS in speeds):
        return []
    share = speeds[OTHERS] / speeds[NONE]
    words = f"creating is as fast while others are followed: {_LEAST_OF_NONE:.0%} of the rate at least"
    return [Claim(words, share >= _LEAST_OF_NONE, f"{share:.1%}")]


def shown(found: Sequence[Beside]) -> str:
    """
    Medians of the rounds, and how they compare.
    """
    heads = (
        "creating while",
        "services/s",
        "least to most",
        "of none",
        "p50 s",
        "p99 s",
        "CPU ms",
        "MiB, peak",
        "lists",
    )
    speeds = _speeds(found)
    rows = []
    for mode, speed in speeds.items():
        mine = [beside for beside in found if beside.mode == mode]
        rows.append(
            (
                mode,
                f"{speed:.0f}",
                f"{min(beside.per_s for beside in mine):.0f} to {max(beside.per_s for beside in mine):.0f}",
                f"{speed / speeds[NONE]:.2f}" if speeds.get(NONE) else None,
                median(beside.p50_s for beside in mine),
                median(beside.p99_s for beside in mine),
                _median_of([beside.cpu_ms for beside in mine]),
                _median_of([beside.peak_memory_mib for beside in mine]),
                round(median(beside.lists for beside in mine)),
            )
        )
    return table(heads, rows)


def _speeds(found: Sequence[Beside]) -> dict[str, float]:
    modes = dict.fromkeys(beside.mode for beside in found)
    return {mode: median(beside.per_s for beside in found if beside.mode == mode) for mode in modes}


def _median_of(figures: Sequence[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return median(known) if known else None
