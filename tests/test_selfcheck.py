"""
The self-check: a consumer that vanished is registered anew, a queue that is gone is declared, and what cannot be mended
ends the worker.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.virtual_time import run_virtually
from worker.core.selfcheck import QueueLook
from worker.errors import BrokerRefused, BrokerUnreachable, ConsumerLost, TopologyMismatch, VpnWorkerError
from worker.facts import Fact, hooked
from worker.facts.broker import ConsumerVanished, QueueLooked
from worker.gate import Gate
from worker.selfcheck import ABSENT_FOR_S, LOOKS_TO_COMPARE, MOST_REBUILDS, SelfCheck

if TYPE_CHECKING:
    from collections.abc import Iterator

WELL = QueueLook(messages=0, consumers=1, taken=0, held=0, is_wanted=True)
GONE = QueueLook(messages=3, consumers=0, taken=0, held=0, is_wanted=True)
SILENT = QueueLook(messages=3, consumers=1, taken=0, held=0, is_wanted=True)
INTERVAL_S = 30.0


class Consumer:
    """
    Shows what it is told to, the last look again and again, and counts what is asked of it.
    """

    def __init__(self, *looks: QueueLook | None) -> None:
        self.looks = list(looks)
        self.is_registered = looks[0] is not None
        self.rebuilt: list[str] = []

    async def look(self) -> QueueLook | None:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def rebuild(self, reason: str) -> None:
        self.rebuilt.append(reason)


class Mend:
    """
    Raises what it is told to.
    """

    def __init__(self, failure: VpnWorkerError | None = None) -> None:
        self.failure = failure
        self.asked = 0

    async def __call__(self) -> None:
        self.asked += 1
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def facts() -> Iterator[list[Fact]]:
    """
    What is noted in the test.
    """
    noted: list[Fact] = []
    with hooked(noted.append):
        yield noted


async def looks(check: SelfCheck, count: int) -> None:
    for _ in range(count):
        await check.look()


async def test_a_consumer_that_is_served_is_left_alone(facts: list[Fact]) -> None:
    consumer, mend = Consumer(WELL), Mend()
    await looks(SelfCheck(consumer, Gate(), mend, INTERVAL_S), 5)

    assert [] == consumer.rebuilt
    assert 0 == mend.asked
    assert [QueueLooked("well", 0)] * 5 == facts


async def test_one_that_vanished_is_rebuilt_and_told(facts: list[Fact]) -> None:
    consumer = Consumer(WELL, GONE, GONE, WELL)
    await looks(SelfCheck(consumer, Gate(), Mend(), INTERVAL_S), 5)

    assert 1 == len(consumer.rebuilt)
    assert next(fact for fact in facts if isinstance(fact, ConsumerVanished)).rebuilds == 1
    told = [fact.result for fact in facts if isinstance(fact, QueueLooked)]
    assert ["well", "unanswered", "vanished", "well", "well"] == told


async def test_a_single_odd_look_gives_up_no_connection_that_works(facts: list[Fact]) -> None:
    """
    A quorum queue whose leader is slow says that it has no messages and no consumers.
    """
    consumer = Consumer(WELL, GONE, WELL, GONE, WELL)
    await looks(SelfCheck(consumer, Gate(), Mend(), INTERVAL_S), 6)

    assert [] == consumer.rebuilt
    assert [0, None, 0, None, 0, 0] == [fact.messages for fact in facts if isinstance(fact, QueueLooked)]


async def test_when_no_rebuild_helps_the_worker_ends() -> None:
    consumer = Consumer(GONE)
    check = SelfCheck(consumer, Gate(), Mend(), INTERVAL_S)
    await looks(check, 2 * MOST_REBUILDS + 1)
    with pytest.raises(ConsumerLost) as caught:
        await check.look()

    assert MOST_REBUILDS == len(consumer.rebuilt)
    assert 7 == caught.value.exit_code


async def test_when_nothing_is_delivered_after_any_rebuild_the_worker_ends() -> None:
    """
    The first look at a new connection cannot tell; were it to count as well, the rebuilding would never end.
    """
    consumer = Consumer(SILENT)
    check = SelfCheck(consumer, Gate(), Mend(), INTERVAL_S)
    await looks(check, 2 * MOST_REBUILDS + 1)
    with pytest.raises(ConsumerLost):
        await check.look()

    assert MOST_REBUILDS == len(consumer.rebuilt)


async def test_rebuilds_are_forgiven_once_it_is_well() -> None:
    consumer = Consumer(*([*([GONE] * 6), WELL, WELL] * 3), WELL)
    await looks(SelfCheck(consumer, Gate(), Mend(), INTERVAL_S), 25)

    assert 9 == len(consumer.rebuilt)


async def test_after_a_reconnect_the_queues_are_compared_once() -> None:
    consumer, mend = Consumer(WELL, WELL, replace(WELL, connection=2)), Mend()
    await looks(SelfCheck(consumer, Gate(), mend, INTERVAL_S), 10)

    assert 1 == mend.asked


async def test_a_comparison_that_fails_is_made_again_and_a_difference_ends_the_worker() -> None:
    mend = Mend(BrokerUnreachable())
    check = SelfCheck(Consumer(replace(WELL, connection=2)), Gate(), mend, INTERVAL_S)
    await looks(check, 2)

    assert 2 == mend.asked

    mend.failure = TopologyMismatch()
    with pytest.raises(TopologyMismatch):
        await check.look()


async def test_now_and_then_they_are_compared_anyway() -> None:
    mend = Mend()
    await looks(SelfCheck(Consumer(WELL), Gate(), mend, INTERVAL_S), 3 * LOOKS_TO_COMPARE)

    assert 3 == mend.asked


async def test_an_absence_is_mended_when_it_lasts() -> None:
    consumer, mend = Consumer(None), Mend()
    check = SelfCheck(consumer, Gate(), mend, INTERVAL_S)
    await check.look()

    assert 0 == mend.asked  # a reconnect may be under way

    await check.look()

    assert 1 == mend.asked


async def test_a_broker_that_is_down_is_waited_for() -> None:
    mend = Mend(BrokerUnreachable())
    await looks(SelfCheck(Consumer(None), Gate(), mend, INTERVAL_S), 100)

    assert 99 == mend.asked


async def test_a_queue_that_is_not_ours_ends_the_worker() -> None:
    check = SelfCheck(Consumer(None), Gate(), Mend(TopologyMismatch()), INTERVAL_S)
    await check.look()
    with pytest.raises(TopologyMismatch):
        await check.look()


def test_a_login_that_is_refused_for_long_ends_the_worker_and_not_before() -> None:
    async def story() -> float:
        began_s = asyncio.get_running_loop().time()
        with pytest.raises(BrokerRefused):
            await SelfCheck(Consumer(None), Gate(), Mend(BrokerRefused()), INTERVAL_S).run()
        return asyncio.get_running_loop().time() - began_s

    took_s = run_virtually(story())

    assert ABSENT_FOR_S <= took_s <= ABSENT_FOR_S + 3 * INTERVAL_S


def test_one_that_is_never_registered_though_all_is_there_ends_the_worker() -> None:
    """
    Its user may not read from the queue, or somebody else has it for himself.
    """

    async def story() -> float:
        began_s = asyncio.get_running_loop().time()
        with pytest.raises(ConsumerLost):
            await SelfCheck(Consumer(None), Gate(), Mend(), INTERVAL_S).run()
        return asyncio.get_running_loop().time() - began_s

    took_s = run_virtually(story())

    assert ABSENT_FOR_S <= took_s <= ABSENT_FOR_S + 3 * INTERVAL_S


def test_an_absence_that_is_over_is_forgiven() -> None:
    async def story() -> int:
        consumer, mend = Consumer(None), Mend(BrokerRefused())
        check = SelfCheck(consumer, Gate(), mend, INTERVAL_S)
        for _ in range(10):
            consumer.looks, consumer.is_registered = [None], False
            for _ in range(5):
                await asyncio.sleep(INTERVAL_S)
                await check.look()
            consumer.looks, consumer.is_registered = [WELL], True
            await check.look()
        return mend.asked

    assert 40 == run_virtually(story())


async def test_it_ends_with_the_process_and_not_before() -> None:
    gate = Gate()
    running = asyncio.create_task(SelfCheck(Consumer(WELL), gate, Mend(), 0.001).run())
    gate.stop()
    done, _ = await asyncio.wait({running}, timeout=0.05)

    assert not done  # a task that ends by itself would count as a fault

    running.cancel()
