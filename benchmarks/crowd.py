"""
Services in great number that a worker follows, and what it says of its rounds.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.traffic import open_traffic, orders
from worker.errors import SandboxError

if TYPE_CHECKING:
    from benchmarks.stage import Stage

#: A cloud whose services stay as they are; 100 of them on a page.
FLAGS = ("--settle-after", "never", "--page-limit", "100", "--latency-ms", "5")
PAGE = 100
_CUSTOMERS = 100
_ROUND_S = 60.0
_LOOK_S = 0.25
_EVENT = "follow.round"


@dataclass(frozen=True, slots=True)
class RoundSaid:
    """
    What a worker's log says of a round.

    Attributes:
        pages: of the list.
        followed: services on them that are followed.
        shown: services asked for one by one.
        changes: that were told.
        took_s: how long it took.
    """

    pages: int
    followed: int
    shown: int
    changes: int
    took_s: float


def settings(interval_s: float) -> dict[str, object]:
    """
    Of a worker whose rounds are so far apart, always, and are all told in its log.
    """
    # A round in which nothing has changed is logged at this level, and so far nothing else is.
    return {"follow_interval_s": interval_s, "follow_interval_max_s": interval_s, "log_level": "debug"}


async def fill(stage: Stage, count: int, follow: str) -> None:
    """
    Has services created by requests, as anybody would, and told as created.

    Args:
        stage: with a worker that consumes.
        count: how many.
        follow: how far they are to be followed.

    Raises:
        SandboxError: one was not created.
    """
    async with open_traffic(stage) as traffic:
        await traffic.run(_CUSTOMERS, itertools.islice(orders(follow), count))
    created = sum(told.is_created for told in traffic.told)
    if created != count:
        raise SandboxError(f"Only {created} of {count} services were created.")


async def covered(stage: Stage, followed: int) -> None:
    """
    Returns when the worker has just made a round that found so many followed services.

    Raises:
        SandboxError: it made none for a while.
    """
    log_file = stage.worker.log_file
    seen = len(rounds_in(log_file))
    try:
        async with asyncio.timeout(_ROUND_S):
            while True:
                await asyncio.sleep(_LOOK_S)
                if any(said.followed == followed for said in rounds_in(log_file)[seen:]):
                    return
    except TimeoutError as exc:
        raise SandboxError(f"The worker has not looked at {followed} services within {_ROUND_S:g} s.") from exc


def rounds_in(log_file: Path) -> Sequence[RoundSaid]:
    """
    The rounds that a worker's log tells of, oldest first.
    """
    lines = log_file.read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines if _EVENT in line and line.endswith("}")]
    names = tuple(RoundSaid.__slots__)
    return [RoundSaid(**{name: line[name] for name in names}) for line in found if line["event"] == _EVENT]
