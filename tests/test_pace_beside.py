"""
Calls beside the requests: they take no place, but they take from the rates, and come first.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.test_pace import SOON_S, cancelled, fixed, settled, taken
from tests.virtual_time import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.pace import Pace


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    """
    Seconds pass at once.
    """
    loop = VirtualLoop()
    yield loop
    loop.finish()


async def test_a_call_beside_needs_no_place_and_takes_none() -> None:
    pace = fixed(1)
    turn = taken(pace)
    async with asyncio.timeout(SOON_S):
        await pace.pass_beside()
        await pace.pass_beside()

    assert (1, 0) == (pace.in_flight, pace.waiting)

    turn.end()
    taken(pace)


async def test_a_call_beside_takes_from_the_rates() -> None:
    pace = fixed(5, per_second=1)
    await pace.pass_beside()

    assert pace.try_take() is None


def test_calls_beside_keep_to_the_rates(loop: VirtualLoop) -> None:
    async def play() -> list[float]:
        pace = fixed(5, per_second=2)
        moments = []
        for _ in range(5):
            await pace.pass_beside()
            moments.append(loop.time())
        return moments

    assert [0.0, 0.5, 1.0, 1.5, 2.0] == pytest.approx(loop.run_until_complete(play()), abs=0.2)


def test_calls_beside_come_before_all_who_wait_for_a_turn(loop: VirtualLoop) -> None:
    """
    They are few, and keep to their own share: a queue of requests must not make a status an hour late.
    """

    async def play() -> list[str]:
        pace, order = fixed(5, per_second=1), list[str]()
        taken(pace)

        async def turn() -> None:
            await pace.take()
            order.append("turn")

        async def beside() -> None:
            await pace.pass_beside()
            order.append("beside")

        waiting = [asyncio.create_task(call()) for call in (turn, turn, beside, beside)]
        await settled()

        assert pace.try_take() is None

        await asyncio.gather(*waiting)
        return order

    assert ["beside", "beside", "turn", "turn"] == loop.run_until_complete(play())


def test_nobody_slips_in_before_a_call_beside_that_waits(loop: VirtualLoop) -> None:
    async def play() -> None:
        pace = fixed(5, per_second=1)
        taken(pace)
        waiting = asyncio.create_task(pace.pass_beside())
        await settled()
        loop.jump(1.0)  # there is room, and nobody has looked yet

        assert pace.try_take() is None

        await waiting

    loop.run_until_complete(play())


def test_who_gives_up_waiting_beside_leaves_nothing_behind(loop: VirtualLoop) -> None:
    async def begun_s(*, is_given_up: bool) -> float:
        pace = fixed(5, per_second=1)
        taken(pace)
        began_s = loop.time()
        waiting = asyncio.create_task(pace.pass_beside())
        await settled()
        turn = asyncio.create_task(pace.take())
        await settled()
        if is_given_up:
            await cancelled(waiting)
        await turn
        return loop.time() - began_s

    assert 1.0 == pytest.approx(loop.run_until_complete(begun_s(is_given_up=True)), abs=0.2)
    assert 2.0 == pytest.approx(loop.run_until_complete(begun_s(is_given_up=False)), abs=0.2)


async def test_a_call_beside_does_not_let_a_turn_in_beyond_the_limit() -> None:
    pace: Pace = fixed(1)
    turn = taken(pace)
    waiting = asyncio.create_task(pace.take())
    await pace.pass_beside()
    await settled()

    assert not waiting.done()

    turn.end()
    await waiting
