"""
The second part of the fair-weather benchmark: a cloud that bears ten requests at once, and a worker that has sixty.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.report import Claim, table
from benchmarks.stage import CloudCounts, staged
from benchmarks.traffic import Told, open_traffic, orders, share_at

ADAPTIVE = "adaptive"
CAPACITY = 10
CONCURRENCY = 60
#: A real Neutron answered a create in 97 ms when it was alone (cloud API family, Life of a service).
LATENCY_MS = 100
#: Twice what the worker takes, so that it never waits for one.
_CUSTOMERS = 2 * CONCURRENCY
#: The cloud's line before its ten, and what becomes of a create that finds it full.
MODES = {"refuses the eleventh": ("--queue-limit", "0"), "lets the eleventh wait": ()}
_MOST_THROTTLED, _LEAST_OF_BEST = 0.01, 0.8


@dataclass(frozen=True, slots=True)
class Contest:
    """
    Which limits are compared, and for how long each.

    Attributes:
        limits: values of VPN_WORKER_API_CONCURRENCY.
        modes: names of `MODES`.
        rounds: how often each is measured; all of them before any is measured again.
        length_s: while requests are published.
        warm_up_s: the first part of it, in which nothing is measured.
    """

    limits: Sequence[str] = (ADAPTIVE, "4", "10", "20")
    modes: Sequence[str] = tuple(MODES)
    rounds: int = 3
    length_s: float = 15.0
    warm_up_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Bout:
    """
    One limit, measured once.

    Attributes:
        mode: of the cloud.
        limit: of the worker.
        per_s: services told in a second, after the warm-up and while requests were published.
        p50_s, p99_s: from publishing to the outcome, in the same time; the wait in the queue included.
        told: requests whose outcome is known; `created` of them as created; `copies`: outcomes told again.
        counts: the cloud's, from the start on.
    """

    mode: str
    limit: str
    per_s: float
    p50_s: float
    p99_s: float
    told: int
    created: int
    copies: int
    counts: CloudCounts

    @property
    def is_exact(self) -> bool:
        """
        Whether every request became one service by one POST that was not refused, and nothing was looked up.
        """
        counts = self.counts
        posts = counts.creates - counts.throttled
        return {self.told, self.created, counts.services, posts} == {self.told} and self.copies == counts.lists == 0


async def compete(amqp_url: str, folder: Path, contest: Contest, talk: Callable[[str], None]) -> list[Bout]:
    """
    Every limit in every mode, in rounds, so that a machine that gets slower does so for all.
    """
    bouts: list[Bout] = []
    for number, mode, limit in itertools.product(range(contest.rounds), contest.modes, contest.limits):
        place = folder / f"capacity-{len(bouts) + 1}"
        bout = await _measured(amqp_url, place, contest, mode, limit)
        bouts.append(bout)
        talk(f"round {number + 1}, cloud {mode}, limit {limit}: {bout.per_s:.1f} services/s")
    return bouts


async def _measured(amqp_url: str, folder: Path, contest: Contest, mode: str, limit: str) -> Bout:
    flags = ["--latency-ms", str(LATENCY_MS), "--capacity", str(CAPACITY), *MODES[mode]]
    settings = {"concurrency": CONCURRENCY, "api_concurrency": limit}
    async with staged(amqp_url, folder, flags, settings) as stage:
        async with open_traffic(stage) as traffic:
            began_s = time.monotonic()
            end_s = began_s + contest.length_s
            await traffic.run(_CUSTOMERS, itertools.takewhile(lambda _: time.monotonic() < end_s, orders()))
        await stage.stop_worker()
        counts = await stage.counts()
    seen = [told for told in traffic.told if began_s + contest.warm_up_s <= told.told_at_s < end_s]
    times_s = [told.took_s for told in seen]
    return Bout(
        mode=mode,
        limit=limit,
        per_s=len(seen) / (contest.length_s - contest.warm_up_s),
        p50_s=share_at(times_s, 0.5),
        p99_s=share_at(times_s, 0.99),
        told=len(traffic.told),
        created=_created(traffic.told),
        copies=traffic.copies,
        counts=counts,
    )


def _created(told: Iterable[Told]) -> int:
    return sum(one.is_created for one in told)


def counted(bouts: Sequence[Bout]) -> list[Claim]:
    """
    What must hold on any machine.
    """
    if not bouts:
        return []
    exact = sum(bout.is_exact for bout in bouts)
    logins = {bout.counts.logins for bout in bouts}
    fixed = [bout for bout in bouts if bout.limit != ADAPTIVE]
    kept = sum(bout.counts.peak_at_once <= int(bout.limit) for bout in fixed)
    said = f"{kept} of {len(fixed)} measurements"
    return [
        Claim(
            "at capacity: one service by one accepted POST for each request, no look-up",
            exact == len(bouts),
            f"{exact} of {len(bouts)} measurements",
        ),
        Claim("at capacity: one login a worker", logins == {1}, ", ".join(map(str, sorted(logins)))),
        *([Claim("at capacity: never more at once than a fixed limit", kept == len(fixed), said)] if fixed else []),
    ]


def judged(bouts: Sequence[Bout]) -> list[Claim]:
    """
    What must hold of the adaptive limit where the machine is not too busy to measure.
    """
    claims = []
    for mode in dict.fromkeys(bout.mode for bout in bouts):
        speeds = _speeds(bouts, mode)
        best = max((limit for limit in speeds if limit != ADAPTIVE), key=lambda limit: speeds[limit])
        share = speeds[ADAPTIVE] / speeds[best] if speeds[best] else 0.0
        throttled = _throttled_share([bout for bout in bouts if (bout.mode, bout.limit) == (mode, ADAPTIVE)])
        claims += [
            Claim(
                f"cloud {mode}: adaptive reaches 80 % of the best fixed limit",
                share >= _LEAST_OF_BEST,
                f"{share:.0%} of limit {best}",
            ),
            Claim(
                f"cloud {mode}: adaptive meets 429 in less than 1 % of its POSTs",
                throttled < _MOST_THROTTLED,
                f"{throttled:.2%}",
            ),
        ]
    return claims


def shown(bouts: Sequence[Bout]) -> str:
    """
    Medians of the rounds, and how they compare.
    """
    heads = ("cloud; limit", "services/s", "least to most", "of adaptive", "429s", "p50 s", "p99 s", "most at once")
    rows = []
    for mode in dict.fromkeys(bout.mode for bout in bouts):
        speeds = _speeds(bouts, mode)
        for limit, speed in speeds.items():
            mine = [bout for bout in bouts if (bout.mode, bout.limit) == (mode, limit)]
            rows.append(
                (
                    f"{mode}; {limit}",
                    f"{speed:.1f}",
                    f"{min(bout.per_s for bout in mine):.1f} to {max(bout.per_s for bout in mine):.1f}",
                    f"{speed / speeds[ADAPTIVE]:.2f}" if speeds.get(ADAPTIVE) else None,
                    f"{_throttled_share(mine):.2%}",
                    median(bout.p50_s for bout in mine),
                    median(bout.p99_s for bout in mine),
                    max(bout.counts.peak_at_once for bout in mine),
                )
            )
    return table(heads, rows)


def _speeds(bouts: Sequence[Bout], mode: str) -> dict[str, float]:
    limits = dict.fromkeys(bout.limit for bout in bouts if bout.mode == mode)
    return {limit: median(bout.per_s for bout in bouts if (bout.mode, bout.limit) == (mode, limit)) for limit in limits}


def _throttled_share(bouts: Sequence[Bout]) -> float:
    return sum(bout.counts.throttled for bout in bouts) / max(1, sum(bout.counts.creates for bout in bouts))
