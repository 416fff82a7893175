"""
Telling changes: nothing is written down that the broker has not confirmed, and nothing told once the round is another's.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

import pytest

from tests.following import LEASE_S, Exchange, LoopClock
from tests.ledger.follows import FIRST, a_follow, told
from tests.ledger.jobs import NOW
from tests.virtual_time import VirtualLoop
from worker.changes import ChangeTeller
from worker.core.following import Change, FollowPolicy
from worker.ports import Follows
from worker.progress import Ended, Progress
from worker.teller import Teller

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from messages.envelope import Envelope
    from worker.core.following import Follow
    from worker.ports import Published


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    """
    Waits for the broker pass at once.
    """
    loop = VirtualLoop()
    yield loop
    loop.finish()


class Notes:
    """
    Keeps which requests' changes were written down.
    """

    def __init__(self) -> None:
        self.noted: list[str] = []

    async def note(self, follows: Iterable[Follow]) -> None:
        self.noted += [follow.id for follow in follows]


class Unwriting(Exchange):
    """
    Cannot write one kind of event, and counts what is under way.
    """

    under_way = 0

    async def publish_event(self, event: Envelope, routing_key: str) -> Published:
        if routing_key.endswith(".unwritable"):
            raise ValueError(routing_key)
        if routing_key.endswith(".cancelled"):
            raise asyncio.CancelledError
        self.under_way += 1
        try:
            return await super().publish_event(event, routing_key)
        finally:
            self.under_way -= 1


class Bench:
    """
    A teller of changes with a round under way, whose lease can be renewed while `is_ours`.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        self.clock, self.notes, self.exchange = LoopClock(loop), Notes(), Unwriting()
        self.exchange.refuses = frozenset({"vpnservice.status.mute"})
        self.progress = Progress(FIRST, self.clock.now(), FollowPolicy(), LEASE_S)
        self.is_ours, self.renewals = True, list[datetime]()
        teller = Teller(self.exchange, self.exchange, self.clock, "/test")
        self._changes = ChangeTeller(cast("Follows", self.notes), teller, self.clock)

    async def tell(self, *names: str) -> None:
        """
        Tells one change of each request; the status is the name up to a dash.
        """
        await self._changes.tell(self.progress, [a_change(name) for name in names], self._renew)

    async def _renew(self, now: datetime) -> bool:
        self.renewals.append(now)
        return self.is_ours


def a_change(name: str) -> Change | None:
    follow = a_follow(name)
    return Change(told(follow, name.partition("-")[0].upper(), 10), follow.status, NOW) if name else None


def test_what_the_broker_does_not_confirm_is_not_written_down_and_harms_no_other(loop: VirtualLoop) -> None:
    async def play(bench: Bench) -> None:
        await bench.tell("active-1", "mute-1", "unwritable-1", "", "active-2")

        assert {"active-1", "active-2"} == set(bench.notes.noted) == set(bench.exchange.by_request())
        assert 2 == bench.progress.changes

    loop.run_until_complete(play(Bench(loop)))


def test_two_batches_in_a_row_without_a_confirm_end_the_round(loop: VirtualLoop) -> None:
    async def play(bench: Bench) -> None:
        await bench.tell("mute-1")
        await bench.tell("")
        with pytest.raises(Ended, match="broker"):
            await bench.tell("mute-2", "mute-3")

        assert [] == bench.notes.noted

    loop.run_until_complete(play(Bench(loop)))


def test_a_confirm_in_between_shows_that_the_broker_is_well(loop: VirtualLoop) -> None:
    async def play(bench: Bench) -> None:
        for name in ("mute-1", "active-1", "mute-2", "active-2"):
            await bench.tell(name)

        assert ["active-1", "active-2"] == bench.notes.noted

    loop.run_until_complete(play(Bench(loop)))


def test_telling_takes_half_a_lease_at_most_and_leaves_nothing_under_way(loop: VirtualLoop) -> None:
    """
    What is told later could come after what another worker tells.
    """

    async def play(bench: Bench) -> None:
        await bench.tell("mute-1", "active-1")
        took_s = loop.time()
        await asyncio.sleep(0)

        assert LEASE_S / 2 == took_s
        assert 0 == bench.exchange.under_way

    loop.run_until_complete(play(Bench(loop)))


@pytest.mark.parametrize("name", ["active-1", ""])
def test_once_another_has_the_round_it_ends_and_nothing_is_told(loop: VirtualLoop, name: str) -> None:
    async def play(bench: Bench) -> None:
        bench.is_ours = False
        await asyncio.sleep(LEASE_S)
        with pytest.raises(Ended, match="another worker"):
            await bench.tell(name)

        assert ([], []) == (bench.exchange.messages, bench.notes.noted)

    loop.run_until_complete(play(Bench(loop)))


@pytest.mark.parametrize(("age_s", "renewals"), [(14.0, 0), (15.0, 1)])
def test_a_lease_is_renewed_before_telling_when_a_quarter_of_it_is_over(
    loop: VirtualLoop, age_s: float, renewals: int
) -> None:
    async def play(bench: Bench) -> None:
        await asyncio.sleep(age_s)
        now = bench.clock.now()
        await bench.tell("active-1")
        await bench.tell("active-2")  # fresh again

        assert [now] * renewals == bench.renewals
        assert now - timedelta(seconds=0 if renewals else age_s) == bench.progress.held_at

    loop.run_until_complete(play(Bench(loop)))


def test_a_publish_that_a_dying_connection_cancels_is_not_told_and_ends_nobody_else(loop: VirtualLoop) -> None:
    """
    A library's cancellation is not ours (broker-facts: What aio-pika does, 3): it would end the follower without a word.
    """

    async def play(bench: Bench) -> None:
        await bench.tell("cancelled-1", "active-1")

        assert ["active-1"] == bench.notes.noted

    loop.run_until_complete(play(Bench(loop)))
