"""
Turns: how many at once and in a time, who comes first, and that none is ever lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.virtual_time import VirtualLoop
from worker.core.concurrency import Signal
from worker.pace import Pace, Turn

SOON_S = 5.0


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    """
    Minutes pass at once.
    """
    loop = VirtualLoop()
    yield loop
    loop.finish()


def fixed(maximum: int, **rates: Any) -> Pace:
    return Pace(maximum, is_adaptive=False, **rates)


def taken(pace: Pace) -> Turn:
    turn = pace.try_take()
    assert turn is not None
    return turn


async def settled() -> None:
    """
    Lets every task run until it waits.
    """
    for _ in range(20):
        await asyncio.sleep(0)


async def soon(turn: asyncio.Task[Turn]) -> Turn:
    async with asyncio.timeout(SOON_S):
        return await turn


class Bucket:
    """
    A bucket that is empty for so many looks, and then never again.
    """

    max_rate = time_period = 1.0

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def has_capacity(self) -> bool:
        self.looks -= 1
        return self.looks < 0

    async def acquire(self) -> None:
        assert self.looks < 0


class TestRoom:
    async def test_no_more_turns_at_once_than_allowed(self) -> None:
        pace = fixed(3)
        most = 0

        async def call() -> None:
            nonlocal most
            async with pace.turn() as turn:
                most = max(most, pace.in_flight)
                await settled()
                turn.heard(Signal.OK)

        async with asyncio.timeout(SOON_S):
            await asyncio.gather(*(call() for _ in range(20)))

        assert (3, 0, 0) == (most, pace.in_flight, pace.waiting)

    async def test_a_turn_without_waiting_is_given_while_there_is_room(self) -> None:
        pace = fixed(2)
        first, second = taken(pace), taken(pace)

        assert (None, 2) == (pace.try_take(), pace.in_flight)

        first.heard(Signal.OK)

        assert pace.try_take() is not None
        second.end()

    async def test_who_came_first_goes_first(self) -> None:
        pace = fixed(1)
        held = taken(pace)
        order: list[int] = []

        async def call(number: int) -> None:
            async with pace.turn():
                order.append(number)

        tasks = [asyncio.create_task(call(number)) for number in range(5)]
        await settled()
        held.end()
        async with asyncio.timeout(SOON_S):
            await asyncio.gather(*tasks)

        assert [0, 1, 2, 3, 4] == order

    async def test_nobody_slips_in_before_those_who_wait(self) -> None:
        pace = fixed(1)
        held = taken(pace)
        waiting = asyncio.create_task(pace.take())
        await settled()
        held.end()

        assert pace.try_take() is None

        (await soon(waiting)).end()

        assert pace.try_take() is not None

    async def test_those_who_wait_are_counted(self) -> None:
        pace = fixed(1)
        held = taken(pace)
        tasks = [asyncio.create_task(pace.take()) for _ in range(3)]
        await settled()

        assert (3, 1) == (pace.waiting, pace.in_flight)

        held.end()
        await settled()

        assert (2, 1) == (pace.waiting, pace.in_flight)
        await cancelled(*tasks)


class TestEnding:
    async def test_a_turn_ends_when_the_answer_is_heard_not_when_the_block_does(self) -> None:
        pace = fixed(1)
        async with pace.turn() as turn:
            turn.heard(Signal.OK)

            assert 0 == pace.in_flight

    async def test_a_turn_of_which_nothing_is_heard_ends_with_the_block(self) -> None:
        pace = fixed(1)
        with pytest.raises(ZeroDivisionError):
            async with pace.turn():
                _ = 1 / 0
        with taken(pace):
            pass

        assert 0 == pace.in_flight

    async def test_a_turn_ends_once(self) -> None:
        pace = fixed(1)
        with taken(pace) as turn:
            turn.heard(Signal.OK)
            turn.heard(Signal.TIMED_OUT)
            turn.end()

        assert 0 == pace.in_flight

    async def test_who_gives_up_waiting_takes_nothing_and_lets_the_next_through(self) -> None:
        pace = fixed(1)
        held = taken(pace)
        tasks = [asyncio.create_task(pace.take()) for _ in range(3)]
        await settled()
        await cancelled(tasks[0], tasks[1])
        held.end()
        turn = await soon(tasks[2])

        assert (1, 0) == (pace.in_flight, pace.waiting)
        turn.end()

    async def test_who_gives_up_in_the_moment_a_turn_becomes_free_does_not_keep_it(self) -> None:
        pace = fixed(1)
        held = taken(pace)
        leaving, staying = asyncio.create_task(pace.take()), asyncio.create_task(pace.take())
        await settled()
        leaving.cancel()
        held.end()
        await cancelled(leaving)

        (await soon(staying)).end()
        assert (0, 0) == (pace.in_flight, pace.waiting)

    @pytest.mark.parametrize("steps", range(8))
    async def test_no_turn_is_lost_whenever_a_wait_is_cancelled(self, steps: int) -> None:
        """
        Cancelled before, while and after the turn it waits for becomes free.
        """
        pace = fixed(1)
        held = taken(pace)

        async def call() -> None:
            async with pace.turn():
                await settled()

        task = asyncio.create_task(call())
        other = asyncio.create_task(call())
        await asyncio.sleep(0)
        held.end()
        for _ in range(steps):
            await asyncio.sleep(0)
        await cancelled(task)
        async with asyncio.timeout(SOON_S):
            await other

        assert (0, 0) == (pace.in_flight, pace.waiting)
        taken(pace).end()


class TestRates:
    def test_after_a_small_burst_calls_begin_as_often_as_allowed(self, loop: VirtualLoop) -> None:
        begun_at_s = loop.run_until_complete(begun(fixed(1000, per_second=100), 30))

        assert [0.0] * 10 == begun_at_s[:10]
        assert [pytest.approx(number / 100, abs=0.002) for number in range(1, 21)] == begun_at_s[10:]

    def test_no_period_sees_more_than_a_tenth_too_many(self, loop: VirtualLoop) -> None:
        """
        A cloud that counts would answer them with 429, and that pauses everybody.
        """
        begun_at_s = loop.run_until_complete(begun(fixed(1000, per_second=20, per_minute=300), 700))

        for period_s, most in ((1.0, 22), (60.0, 330)):
            counts = [sum(at_s <= other < at_s + period_s for other in begun_at_s) for at_s in begun_at_s]
            assert most >= max(counts)
        assert begun_at_s[-1] < 140.0

    def test_less_than_one_a_second_is_a_rate_as_well(self, loop: VirtualLoop) -> None:
        begun_at_s = loop.run_until_complete(begun(fixed(100, per_second=0.5), 4))

        assert [0.0, 2.0, 4.0, 6.0] == [pytest.approx(at_s, abs=0.2) for at_s in begun_at_s]

    async def test_with_an_empty_bucket_there_is_no_turn_at_once(self) -> None:
        pace = fixed(100, per_minute=20)
        turns = [taken(pace), taken(pace)]

        assert (None, 2) == (pace.try_take(), pace.in_flight)
        for turn in turns:
            turn.end()

    def test_nobody_slips_in_before_those_who_wait_for_a_bucket(self, loop: VirtualLoop) -> None:
        """
        Who waits looks at the bucket now and then; it has room again half a second before the next look.
        """

        async def play() -> tuple[bool, Turn | None]:
            pace = fixed(100, per_minute=1)
            taken(pace).end()
            await asyncio.sleep(1.0)
            waiting = asyncio.create_task(pace.take())
            await asyncio.sleep(59.5)
            seen = waiting.done(), pace.try_take()
            (await waiting).end()
            return seen

        assert (False, None) == loop.run_until_complete(play())

    def test_a_limit_lowered_during_the_wait_for_a_bucket_holds(self, loop: VirtualLoop) -> None:
        async def play() -> tuple[bool, int]:
            pace = Pace(100, per_minute=30)
            turns = [taken(pace) for _ in range(3)]
            waiting = asyncio.create_task(pace.take())
            await asyncio.sleep(1.0)
            turns.pop().heard(Signal.TIMED_OUT)
            await asyncio.sleep(60.0)
            seen = waiting.done(), pace.limit
            turns.pop().end()
            (await waiting).end()
            turns.pop().end()
            return seen

        assert (False, 2) == loop.run_until_complete(play())

    async def test_a_call_that_drips_out_between_two_looks_is_not_missed(self) -> None:
        """
        With nothing under way nobody else would ever wake those in line.
        """
        pace = fixed(5, per_second=1000)
        pace._buckets = (Bucket(looks=1),)  # type: ignore[assignment]
        waiting = [asyncio.create_task(pace.take()) for _ in range(3)]

        for turn in waiting:
            (await soon(turn)).end()

    async def test_a_rate_is_reached_by_calls_of_no_duration(self) -> None:
        pace = fixed(4, per_second=400)
        began_s = asyncio.get_running_loop().time()

        async def calls() -> None:
            for _ in range(250):
                (await pace.take()).end()

        async with asyncio.timeout(SOON_S * 4), asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(calls())

        assert (0, 0) == (pace.in_flight, pace.waiting)
        assert 1.4 <= asyncio.get_running_loop().time() - began_s <= 3.0


class TestAdapting:
    async def test_a_fixed_limit_stays_whatever_the_answers_are(self) -> None:
        pace = fixed(7)
        for signal in Signal:
            taken(pace).heard(signal, 100.0)

        assert (7, 7) == (pace.limit, pace.maximum)

    def test_it_grows_while_the_cloud_answers_as_fast_as_ever(self, loop: VirtualLoop) -> None:
        pace = Pace(50)
        loop.run_until_complete(busy(pace, 60.0))

        assert (50, 50) == (pace.limit, pace.maximum)

    async def test_a_refusal_lowers_it_and_who_waits_feels_it(self) -> None:
        pace = Pace(50)
        turns = [taken(pace) for _ in range(4)]
        waiting = asyncio.create_task(pace.take())
        turns.pop().heard(Signal.THROTTLED)
        turns.pop().end()
        await settled()

        assert (2, 2, False) == (pace.limit, pace.in_flight, waiting.done())

        turns.pop().end()
        (await soon(waiting)).end()
        turns.pop().end()

    def test_its_changes_are_told_but_not_too_often(self, loop: VirtualLoop) -> None:
        with capture_logs() as logs:
            loop.run_until_complete(busy(Pace(50), 60.0))

        told = [line for line in logs if line["event"] == "pace.changed"]
        assert 4 == told[0]["before"]
        assert 50 == told[-1]["limit"]
        assert 2 <= len(told) <= 6


async def begun(pace: Pace, calls: int) -> list[float]:
    """
    When each of so many calls could begin, in seconds from the first; they end at once.
    """
    at_s = []
    start_s = asyncio.get_running_loop().time()
    for _ in range(calls):
        async with pace.turn() as turn:
            at_s.append(round(asyncio.get_running_loop().time() - start_s, 6))
            turn.heard(Signal.OK)
    return at_s


async def busy(pace: Pace, duration_s: float) -> None:
    """
    Calls that take a tenth of a second each, as many at once as allowed, for so long.
    """

    async def call() -> None:
        async with pace.turn() as turn:
            await asyncio.sleep(0.1)
            turn.heard(Signal.OK, 0.1)

    async def calls() -> None:
        until_s = asyncio.get_running_loop().time() + duration_s
        while asyncio.get_running_loop().time() < until_s:
            await call()

    await asyncio.gather(*(calls() for _ in range(pace.maximum)))


async def cancelled(*tasks: asyncio.Task[Any]) -> None:
    """
    Cancels tasks, and returns when they have ended; a turn that one of them got is given back.
    """
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Turn):
            ended.end()
