"""
The first part of the benchmark of following: what it costs to follow services that stay as they are.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from aiohttp import ClientSession

from benchmarks.crowd import FLAGS, PAGE, covered, fill, rounds_in, settings
from benchmarks.report import Claim, table
from benchmarks.stage import staged
from benchmarks.usage import cpu_s, memory_mib, peak_memory_mib

if TYPE_CHECKING:
    from benchmarks.stage import Stage

SIZES = (100, 1_000, 10_000)
_TOKEN = "of-the-naive-loop"  # noqa: S105 - of a simulated cloud
_SAMPLE_S = 0.5
_MOST_SHARE, _MOST_MEMORY = 0.03, 1.10


@dataclass(frozen=True, slots=True)
class CostPlan:
    """
    What is measured.

    Attributes:
        sizes: how many services are followed, in rising order.
        interval_s: between rounds; it does not grow.
        length_s: of each measurement.
        naive_s: for how long the fewest services are asked for one by one as well, by a loop of our own; 0: not at all.
    """

    sizes: Sequence[int] = SIZES
    interval_s: float = 5.0
    length_s: float = 60.0
    naive_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Cost:
    """
    So many services, followed for a while by a worker that was started anew.

    Attributes:
        services: followed.
        interval_s, length_s: as planned.
        rounds: that ended meanwhile; `least_followed`: the fewest services that one of them found.
        round_s: how long one took, by the median.
        lists, shows: calls of the cloud meanwhile.
        changes: told meanwhile; none happened.
        naive_shows_a_minute: measured with a loop that asks for each; None when it was not.
        memory_mib: the worker's, by the median; `peak_memory_mib`: from its start on. None where the system does not tell.
        cpu_share: of one processor, used by the worker; None likewise.
    """

    services: int
    interval_s: float
    length_s: float
    rounds: int
    least_followed: int
    round_s: float
    lists: int
    shows: int
    changes: int
    naive_shows_a_minute: float | None
    memory_mib: float | None
    peak_memory_mib: float | None
    cpu_share: float | None

    @property
    def calls_a_minute(self) -> float:
        """
        API calls that following has made.
        """
        return (self.lists + self.shows) * 60 / self.length_s

    @property
    def one_by_one_a_minute(self) -> float:
        """
        API calls that a GET for each service and interval would be; computed.
        """
        return self.services * 60 / self.interval_s

    @property
    def share(self) -> float:
        """
        The one as a share of the other.
        """
        return self.calls_a_minute / self.one_by_one_a_minute

    @property
    def most_lists(self) -> int:
        """
        The most list calls of that many rounds: each page, an empty last one, and a round begun and not ended.
        """
        return (self.rounds + 1) * (self.services // PAGE + 1)


async def price(amqp_url: str, folder: Path, plan: CostPlan, talk: Callable[[str], None]) -> list[Cost]:
    """
    Measures each size with a cloud, a ledger and a worker of its own.

    Raises:
        VpnWorkerError: a part could not be started, or does not do its work.
    """
    costs = []
    for size in plan.sizes:
        async with staged(
            amqp_url, folder / f"cost-{size}", [*FLAGS, "--token", _TOKEN], settings(plan.interval_s)
        ) as stage:
            await fill(stage, size, "settled")
            # What creating leaves behind in a process is not what following needs.
            await stage.replace_worker()
            cost = await _measured(stage, size, plan, with_naive=size == min(plan.sizes))
        costs.append(cost)
        talk(f"{size:,} services followed: {cost.calls_a_minute:,.0f} API calls a minute")
    return costs


async def _measured(stage: Stage, services: int, plan: CostPlan, *, with_naive: bool) -> Cost:
    pid, log_file = stage.worker.pid, stage.worker.log_file
    await covered(stage, services)
    before, cpu_before_s, rounds_before = await stage.counts(), cpu_s(pid), len(rounds_in(log_file))
    began_s = time.monotonic()
    memories_mib = await _sampled(pid, plan.length_s)
    length_s = time.monotonic() - began_s
    cpu_after_s, after, rounds = cpu_s(pid), await stage.counts(), rounds_in(log_file)[rounds_before:]
    peak_mib = peak_memory_mib(pid)
    await stage.stop_worker()
    naive = await _asked_one_by_one(stage, plan) if with_naive and plan.naive_s else None
    return Cost(
        services=services,
        interval_s=plan.interval_s,
        length_s=length_s,
        rounds=len(rounds),
        least_followed=min((said.followed for said in rounds), default=0),
        round_s=median([said.took_s for said in rounds]) if rounds else 0.0,
        lists=after.lists - before.lists,
        shows=after.shows - before.shows,
        changes=sum(said.changes for said in rounds),
        naive_shows_a_minute=naive,
        memory_mib=median(memories_mib) if memories_mib else None,
        peak_memory_mib=peak_mib,
        cpu_share=None if cpu_before_s is None or cpu_after_s is None else (cpu_after_s - cpu_before_s) / length_s,
    )


async def _sampled(pid: int, length_s: float) -> list[float]:
    end_s = time.monotonic() + length_s
    found = []
    while (left_s := end_s - time.monotonic()) > 0:
        await asyncio.sleep(min(left_s, _SAMPLE_S))
        found.append(memory_mib(pid))
    return [memory for memory in found if memory is not None]


async def _asked_one_by_one(stage: Stage, plan: CostPlan) -> float:
    ids, before = await stage.service_ids(), await stage.counts()
    began_s = time.monotonic()
    async with ClientSession(headers={"X-Auth-Token": _TOKEN}) as session:
        for number in range(max(1, round(plan.naive_s / plan.interval_s))):
            await asyncio.sleep(max(0.0, began_s + number * plan.interval_s - time.monotonic()))
            for service_id in ids:
                async with session.get(f"{stage.cloud_url}/v2.0/vpn/vpnservices/{service_id}") as answer:
                    answer.raise_for_status()
                    await answer.read()
        await asyncio.sleep(max(0.0, began_s + (number + 1) * plan.interval_s - time.monotonic()))
    shows = (await stage.counts()).shows - before.shows
    return shows * 60 / (time.monotonic() - began_s)


def counted(costs: Sequence[Cost]) -> list[Claim]:
    """
    What must hold on any machine.
    """
    claims = []
    for cost in costs:
        name = f"{cost.services:,} services followed"
        claims += [
            Claim(
                f"{name}: every round finds them all",
                cost.rounds > 0 and cost.least_followed == cost.services,
                f"{cost.rounds} rounds, at least {cost.least_followed:,} found",
            ),
            Claim(f"{name}: a round is the pages of one list", cost.lists <= cost.most_lists, f"{cost.lists:,} calls"),
            Claim(f"{name}: none is asked for by itself", cost.shows == 0, f"{cost.shows} GETs"),
            Claim(f"{name}: nothing is told of what does not change", cost.changes == 0, f"{cost.changes} events"),
        ]
    return claims


def judged(costs: Sequence[Cost]) -> list[Claim]:
    """
    What must hold of measurements that are long enough.
    """
    claims = [
        Claim(
            f"{cost.services:,} services followed: at most {_MOST_SHARE:.0%} of the calls of a GET for each",
            cost.share <= _MOST_SHARE,
            f"{cost.share:.2%}",
        )
        for cost in costs
    ]
    fewest, most = costs[0], costs[-1]
    if fewest.memory_mib and most.memory_mib and most.services > fewest.services:
        growth = most.memory_mib / fewest.memory_mib
        words = f"memory with {most.services:,} is within 10 % of that with {fewest.services:,}"
        claims.append(Claim(words, growth <= _MOST_MEMORY, f"{growth:.1%}"))
    return claims


def shown(costs: Sequence[Cost]) -> str:
    """
    The figures, a line for each number of services.
    """
    heads = (
        "services followed",
        "API calls/min",
        "a GET for each, computed",
        "measured",
        "share",
        "s from round to round",
        "s a round",
        "MiB",
        "MiB, peak",
        "CPU",
    )
    rows = [
        (
            f"{cost.services:,}",
            f"{cost.calls_a_minute:,.0f}",
            f"{cost.one_by_one_a_minute:,.0f}",
            None if cost.naive_shows_a_minute is None else f"{cost.naive_shows_a_minute:,.0f}",
            f"{cost.share:.2%}",
            cost.length_s / cost.rounds if cost.rounds else None,
            cost.round_s,
            cost.memory_mib,
            cost.peak_memory_mib,
            None if cost.cpu_share is None else f"{cost.cpu_share:.1%}",
        )
        for cost in costs
    ]
    return table(heads, rows)
