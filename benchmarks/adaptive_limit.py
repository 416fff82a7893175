"""
`python -m benchmarks.adaptive_limit`: does the number of calls at once settle where a person would have set it?

Two simulated clouds that work on ten creates at once, one where the others wait and one that answers them with 429,
over real HTTP. Each gets fixed numbers of calls at once, then the adaptive one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from statistics import median, quantiles
from typing import Annotated

import structlog
import typer

from worker.accounts.account import Account, NoCredentials
from worker.cloud.clouds import CloudOptions, Clouds, open_clouds
from worker.cloud.options import TransportOptions
from worker.core.answers import CreateAnswer, Created, Throttled
from worker.core.signals import signal_of
from worker.gate import Gate
from worker.pace import Pace
from worker.profiles import profile_named
from worker.simulator import SimulatorConfig, start_simulator

CAPACITY = 10
WORK_MS = 50.0
#: What the adaptive limit may grow to; so many clients always want a turn.
MAXIMUM = 64
#: By the name of each cloud: how many creates wait there, beyond those that it works on.
QUEUE_LIMITS = {"queueing": None, "refusing": 0}
#: A number of calls at once is among the best with this share of the most creates a second.
AMONG_BEST = 0.95
WITHIN = 0.2
#: A few calls may wait, so that the cloud never does: the median may be one of them, where all take equally long.
MOST_LATENCY = 1.5


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What is tried for how long.

    Attributes:
        fixed_limits: in rising order.
        fixed_warm_s: before one of these counts.
        fixed_s: while it counts; longer than the pause that a 429 asks for, 1 s.
        adaptive_warm_s: before the adaptive one counts: it must settle.
        adaptive_s: while it counts.
    """

    fixed_limits: tuple[int, ...]
    fixed_warm_s: float
    fixed_s: float
    adaptive_warm_s: float
    adaptive_s: float


FULL = Plan((1, 2, 4, 6, 8, 10, 12, 14, 20, 40), fixed_warm_s=0.5, fixed_s=4.2, adaptive_warm_s=10.0, adaptive_s=15.0)
SHORT = Plan((4, 8, 10, 14, 20), fixed_warm_s=0.25, fixed_s=1.6, adaptive_warm_s=5.0, adaptive_s=2.5)


@dataclass(frozen=True, slots=True)
class Found:
    """
    What came of one limit.

    Attributes:
        cloud: which of the two.
        fixed_limit: None for the adaptive one.
        settled_at: the median while it counted.
        creates_per_s: services made while it counted.
        p50_ms: of their latencies.
        p99_ms: of their latencies.
        refused_share: 429s among all answers, 0 to 1, from the start.
    """

    cloud: str
    fixed_limit: int | None
    settled_at: float
    creates_per_s: float
    p50_ms: float
    p99_ms: float
    refused_share: float


class Trial:
    """
    One limit against one cloud, with more clients than it lets through.
    """

    def __init__(self, clouds: Clouds, pace: Pace) -> None:
        self._clouds = clouds
        self._pace = pace
        self._gate = Gate(pace=pace)
        self._numbers = count(1)
        self._latencies_s: list[float] = []
        self._limits: list[int] = []
        self._answers = self._refused = 0
        self._is_counting = False

    async def run(self, cloud: str, fixed_limit: int | None, warm_s: float, counted_s: float) -> Found:
        """
        Tries it for so long.
        """
        clients = [asyncio.create_task(self._client()) for _ in range(MAXIMUM)]
        await asyncio.sleep(warm_s)
        self._is_counting = True
        await asyncio.sleep(counted_s)
        self._is_counting = False
        for client in clients:
            client.cancel()
        for ended in await asyncio.gather(*clients, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
        percentiles_s = quantiles(self._latencies_s, n=100)
        return Found(
            cloud,
            fixed_limit,
            settled_at=median(self._limits),
            creates_per_s=len(self._latencies_s) / counted_s,
            p50_ms=percentiles_s[49] * 1000,
            p99_ms=percentiles_s[98] * 1000,
            refused_share=self._refused / self._answers,
        )

    async def _client(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            async with self._gate.turn() as turn:
                started_at_s = loop.time()
                answer = await self._clouds.create(_body(next(self._numbers)), None)
                latency_s = loop.time() - started_at_s
                if turn is not None:
                    turn.heard(signal_of(answer), latency_s if isinstance(answer, Created) else None)
                self._note(answer, latency_s)

    def _note(self, answer: CreateAnswer, latency_s: float) -> None:
        self._answers += 1
        match answer:
            case Created():
                if self._is_counting:
                    self._latencies_s.append(latency_s)
                    self._limits.append(self._pace.limit)
            case Throttled():
                self._refused += 1
                # As the engine does: everybody here waits.
                self._gate.heed_throttled(answer)
            case _:
                raise RuntimeError(f"the simulated cloud answered {answer}")


def _body(number: int) -> bytes:
    # Only one service for each VPC (doc: Function, Note).
    return json.dumps({"vpnservice": {"router_id": str(uuid.UUID(int=number))}}).encode()


@asynccontextmanager
async def _open(queue_limit: int | None) -> AsyncIterator[Clouds]:
    simulator = await start_simulator(
        SimulatorConfig(capacity=CAPACITY, queue_limit=queue_limit, latency_ms=WORK_MS, settle_after_s=None)
    )
    try:
        account = Account("default", NoCredentials(), api_url=simulator.url)
        options = CloudOptions(profile_named("otc"), (account,), TransportOptions(connections=MAXIMUM))
        async with open_clouds(options) as clouds:
            yield clouds
    finally:
        await simulator.close()


async def _tried_fixed(cloud: str, limit: int, warm_s: float, counted_s: float) -> Found:
    async with _open(QUEUE_LIMITS[cloud]) as clouds:
        return await Trial(clouds, Pace(limit, is_adaptive=False)).run(cloud, limit, warm_s, counted_s)


async def _tried_adaptive(cloud: str, warm_s: float, counted_s: float) -> Found:
    async with _open(QUEUE_LIMITS[cloud]) as clouds:
        return await Trial(clouds, Pace(MAXIMUM)).run(cloud, None, warm_s, counted_s)


async def _measure(cloud: str, plan: Plan) -> list[Found]:
    """
    What came of each fixed limit; of the best of them once more; and of the adaptive one.

    The last two are tried side by side: whatever else the machine does slows both down.
    """
    fixed = [await _tried_fixed(cloud, limit, plan.fixed_warm_s, plan.fixed_s) for limit in plan.fixed_limits]
    most_per_s = max(one.creates_per_s for one in fixed)
    # The lowest of those that make the most of the cloud: the others add latency.
    tried = zip(plan.fixed_limits, fixed, strict=True)
    best = next(limit for limit, one in tried if one.creates_per_s >= AMONG_BEST * most_per_s)
    spans_s = plan.adaptive_warm_s, plan.adaptive_s
    return [*fixed, *await asyncio.gather(_tried_fixed(cloud, best, *spans_s), _tried_adaptive(cloud, *spans_s))]


def _table(found: Sequence[Found]) -> str:
    lines = [f"{'cloud':10}{'limit':>10}{'settled':>9}{'creates/s':>11}{'p50 ms':>9}{'p99 ms':>9}{'429s':>8}"]
    for one in found:
        limit = "adaptive" if one.fixed_limit is None else str(one.fixed_limit)
        lines.append(
            f"{one.cloud:10}{limit:>10}{one.settled_at:9.0f}{one.creates_per_s:11.0f}{one.p50_ms:9.0f}{one.p99_ms:9.0f}"
            f"{one.refused_share:8.1%}"
        )
    return "\n".join(lines)


def _verdict(best: Found, adaptive: Found) -> tuple[bool, str]:
    """
    Whether the adaptive limit does as well as the best fixed one, and the words for it.
    """
    share, times = adaptive.creates_per_s / best.creates_per_s, adaptive.p50_ms / best.p50_ms
    is_good = share >= 1 - WITHIN and times <= MOST_LATENCY
    words = (
        f"{adaptive.cloud} cloud: adaptive settled at {adaptive.settled_at:.0f}, the best fixed limit is "
        f"{best.fixed_limit}; {share:.0%} of its creates/s, {times:.2f} times its p50\n"
        f"  settled within {WITHIN:.0%} of the best fixed limit: {'yes' if is_good else 'no'}"
    )
    return is_good, words


async def _measure_all(plan: Plan) -> list[list[Found]]:
    # The clouds side by side: they wait nearly all the time.
    return await asyncio.gather(*(_measure(cloud, plan) for cloud in QUEUE_LIMITS))


def adaptive_limit(
    *,
    short: Annotated[bool, typer.Option("--short", help="20 seconds instead of 75; the numbers are rougher.")] = False,
) -> None:
    """
    Compares the adaptive number of calls at once with fixed ones. Exit status 1: it did not do as well.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    found = asyncio.run(_measure_all(SHORT if short else FULL))
    typer.echo(_table([one for of_cloud in found for one in of_cloud]))
    verdicts = [_verdict(best, adaptive) for *_, best, adaptive in found]
    for _, words in verdicts:
        typer.echo(words)
    if not all(is_good for is_good, _ in verdicts):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(adaptive_limit)
