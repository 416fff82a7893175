"""
What the console asks and lets people do, as the worker that it belongs to has it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from worker.core.following import FollowPolicy
from worker.ports import Clock, DeadLetters, Follows, Ledger, Records, Resender, Showing
from worker.teller import Teller


class Counter(Protocol):
    """
    Counts messages.
    """

    async def count(self) -> tuple[int | None, int | None]:
        """
        Ready in the work queue and in the dead letters; None for what cannot be known now. Raises nothing.
        """
        ...


@dataclass(frozen=True, slots=True)
class Readings:
    """
    What can be read at any moment: must not block.
    """

    in_flight: Callable[[], int]
    concurrency_limit: Callable[[], float]
    paused: Callable[[], str | None]
    followed: Callable[[], float | None]


@dataclass(frozen=True, slots=True)
class Parts:
    """
    The worker's parts, and ways to open what is needed only now and then.

    Attributes:
        letters, resender: each a connection of its own, for as long as it is open.
        deadline_s: how long a request that is replayed has.
    """

    readings: Readings
    counter: Counter
    records: Records
    ledger: Ledger
    follows: Follows
    teller: Teller
    cloud: Showing
    clock: Clock
    letters: Callable[[], AbstractAsyncContextManager[DeadLetters]]
    resender: Callable[[], AbstractAsyncContextManager[Resender]]
    following: FollowPolicy
    deadline_s: float
