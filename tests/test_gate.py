"""
The gate: who waits, who goes first when the cloud is being tried, and what ends a wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from worker.core.answers import Busy, CreateAnswer, Created, Listed, Misconfigured, Refused, Service, Trouble, Unknown
from worker.core.job import RequestKey
from worker.core.killswitch import Mode
from worker.core.policy import Policy
from worker.gate import Gate
from worker.pace import Pace

LOST = Unknown(Trouble("answer_lost", "no answer"))
MADE = Created(Service("vpn-1", "PENDING_CREATE", {"id": "vpn-1"}))
REFUSED_LOGIN = Misconfigured(Trouble("credentials_refused", "who are you?", 401))
SOON_S = 5.0


def key(number: int = 0) -> RequestKey:
    return RequestKey("shop", f"order-{number}")


def tripped() -> Gate:
    gate = Gate(Policy())
    gate.heed_create(key(), REFUSED_LOGIN)
    return gate


def trying() -> Gate:
    gate = tripped()
    gate.heed_probe(Listed(()))
    return gate


async def settled() -> None:
    """
    Lets every task run until it waits.
    """
    for _ in range(10):
        await asyncio.sleep(0)


async def test_an_open_gate_lets_everybody_pass_and_post_at_once() -> None:
    gate = Gate()

    async with asyncio.timeout(SOON_S), gate.turn() as first, gate.turn() as second:
        assert await gate.passed()
        assert first is not None
        assert second is not None


async def test_nobody_passes_a_tripped_gate_until_a_probe_is_answered() -> None:
    gate = tripped()
    waiting = asyncio.create_task(gate.passed())
    await settled()

    assert not waiting.done()

    gate.heed_probe(Busy(Trouble("look_failed", "503", 503)))
    await settled()

    assert not waiting.done()

    gate.heed_probe(Listed(()))
    async with asyncio.timeout(SOON_S):
        assert await waiting


async def test_while_the_cloud_is_tried_one_posts_at_a_time() -> None:
    gate = trying()
    most = now = 0

    async def post(number: int) -> None:
        nonlocal most, now
        async with gate.turn() as may_post:
            assert may_post
            now += 1
            most = max(most, now)
            await settled()
            now -= 1

    async with asyncio.timeout(SOON_S):
        await asyncio.gather(*(post(number) for number in range(5)))

    assert 1 == most
    assert Mode.TRYING is gate.switch.mode


async def test_the_first_answered_post_opens_the_gate_for_all() -> None:
    gate = trying()
    entered = asyncio.Event()
    may_leave = asyncio.Event()

    async def hold() -> None:
        async with gate.turn():
            entered.set()
            await may_leave.wait()

    async with asyncio.timeout(SOON_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(hold())
        await entered.wait()
        gate.heed_create(key(), MADE)
        async with gate.turn() as may_post:
            assert may_post
        may_leave.set()

    assert Mode.RUNNING is gate.switch.mode


@pytest.mark.parametrize("answer", [LOST, REFUSED_LOGIN, Busy(Trouble("unreachable", "no"), was_sent=False)])
async def test_a_failed_try_shuts_the_gate_again_for_those_who_wait(answer: CreateAnswer) -> None:
    gate = Gate(Policy(trip_after=1))
    gate.heed_create(key(), REFUSED_LOGIN)
    gate.heed_probe(Listed(()))
    posted = []

    async def post(number: int) -> None:
        async with gate.turn() as may_post:
            if may_post:
                posted.append(number)
                await settled()
                gate.heed_create(key(number), answer)

    posting = [asyncio.create_task(post(number)) for number in range(3)]
    async with asyncio.timeout(SOON_S):
        await gate.tripped()
    await settled()

    assert [0] == posted

    gate.stop()
    await asyncio.gather(*posting)
    assert [0] == posted


async def test_who_has_failed_goes_last_so_that_everybody_is_tried() -> None:
    gate = trying()
    tried = list[int]()

    async def post(number: int) -> None:
        for _ in range(2):
            async with gate.turn():
                tried.append(number)
                await settled()  # the others come to wait meanwhile
                gate.heed_create(key(number), LOST)
                gate.heed_probe(Listed(()))

    async with asyncio.timeout(SOON_S):
        await asyncio.gather(*(post(number) for number in range(3)))

    assert [0, 1, 2, 0, 1, 2] == tried


async def test_a_short_pause_is_no_reason_to_stop_taking_and_a_long_one_is() -> None:
    gate = Gate()
    gate.close_for(2.0, "429")

    assert (None, False) == (gate.trouble, gate.is_open)

    gate.close_for(60.0, "429")

    assert "calm" in (gate.trouble or "")


async def test_a_ledger_that_refuses_is_told_at_once_and_forgotten_when_it_writes_again() -> None:
    gate = Gate()
    gate.heed_ledger("disk full")

    assert ("disk full", None) == (gate.ledger_trouble, gate.trouble)  # not long enough to stop taking

    gate.heed_ledger(None)

    assert gate.ledger_trouble is None


async def test_a_stop_ends_every_wait_without_a_post() -> None:
    gate = tripped()
    passing = asyncio.create_task(gate.passed())

    async def post() -> bool:
        async with gate.turn() as turn:
            return turn is not None

    posting = asyncio.create_task(post())
    await settled()
    gate.stop()
    async with asyncio.timeout(SOON_S):
        assert (False, False) == (await passing, await posting)


async def test_a_stop_ends_the_wait_for_a_turn() -> None:
    gate = trying()

    async def post() -> bool:
        async with gate.turn() as turn:
            return turn is not None

    async with gate.turn():
        posting = asyncio.create_task(post())
        await settled()
        gate.stop()
        async with asyncio.timeout(SOON_S):
            assert not await posting


async def test_a_turn_that_fails_is_given_on() -> None:
    gate = trying()
    with pytest.raises(LookupError):
        async with gate.turn():
            raise LookupError

    async with asyncio.timeout(SOON_S), gate.turn() as may_post:
        assert may_post


async def test_a_pause_and_a_trip_are_both_waited_for() -> None:
    gate = tripped()
    gate.close_for(0.05, "429")
    passing = asyncio.create_task(gate.passed())
    await asyncio.sleep(0.1)  # longer than the pause

    assert not passing.done()

    gate.heed_probe(Listed(()))
    async with asyncio.timeout(SOON_S):
        assert await passing


async def test_a_refusal_is_an_answer_like_any_other() -> None:
    gate = trying()
    gate.heed_create(key(), Refused(Trouble("refused", "no", 400)))

    assert Mode.RUNNING is gate.switch.mode


class TestPace:
    async def test_a_turn_at_once_is_had_while_there_is_room_and_the_gate_is_open(self) -> None:
        gate = Gate(Policy(), Pace(1, is_adaptive=False))
        first, second = gate.try_turn(), gate.try_turn()

        assert first is not None
        assert second is None

        first.end()
        gate.close_for(60.0, "429")

        assert gate.try_turn() is None
        assert tripped().try_turn() is None

    async def test_posts_and_look_ups_wait_for_room_in_order_of_arrival(self) -> None:
        gate = Gate(Policy(), Pace(1, is_adaptive=False))
        order: list[int] = []

        async def enter(number: int) -> None:
            async with gate.look_turn() if number % 2 else gate.turn() as turn:
                assert turn is not None
                order.append(number)
                await asyncio.sleep(0)

        async with asyncio.timeout(SOON_S):
            async with gate.turn():
                waiting = [asyncio.create_task(enter(number)) for number in range(6)]
                await settled()

                assert [] == order
            await asyncio.gather(*waiting)

        assert list(range(6)) == order

    @pytest.mark.parametrize("is_look", [True, False])
    async def test_a_stop_ends_the_wait_for_room(self, is_look: bool) -> None:
        pace = Pace(1, is_adaptive=False)
        gate = Gate(Policy(), pace)

        async def enter() -> bool:
            async with gate.look_turn() if is_look else gate.turn() as turn:
                return turn is not None

        async with gate.turn():
            entering = asyncio.create_task(enter())
            await settled()
            gate.stop()
            async with asyncio.timeout(SOON_S):
                assert not await entering

        assert (0, 0) == (pace.in_flight, pace.waiting)

    async def test_who_is_cancelled_while_waiting_for_room_leaves_it_to_the_next(self) -> None:
        pace = Pace(1, is_adaptive=False)
        gate = Gate(Policy(), pace)

        async def enter() -> None:
            async with gate.turn():
                await asyncio.Event().wait()

        async with gate.turn() as held:
            waiting = [asyncio.create_task(enter()) for _ in range(3)]
            await settled()
            waiting[0].cancel()
            assert held is not None
            held.end()  # in the same moment
            await settled()

            assert (1, 1) == (pace.in_flight, pace.waiting)

            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            await settled()

        assert (0, 0) == (pace.in_flight, pace.waiting)

    @pytest.mark.parametrize("is_look", [True, False])
    async def test_a_gate_that_closed_while_one_waited_for_room_is_not_passed(self, is_look: bool) -> None:
        """
        Whoever stood in line when the 429 came must not send the next call all the same.
        """
        gate = Gate(Policy(), Pace(1, is_adaptive=False))

        async def enter() -> None:
            async with gate.look_turn() if is_look else gate.turn():
                return

        async with gate.turn() as held:
            entering = asyncio.create_task(enter())
            await settled()
            gate.heed_create(key(), REFUSED_LOGIN)
            assert held is not None
            held.end()
            await settled()

            assert not entering.done()

        gate.heed_probe(Listed(()))
        async with asyncio.timeout(SOON_S):
            await entering


class TestCallsBeside:
    async def test_a_call_beside_begins_while_every_place_is_taken(self) -> None:
        gate = Gate(Policy(), Pace(1, is_adaptive=False))

        async with asyncio.timeout(SOON_S), gate.turn():
            assert await gate.call_beside()

    async def test_a_call_beside_waits_while_the_gate_is_shut(self) -> None:
        gate = tripped()
        gate.close_for(0.05, "429")
        waiting = asyncio.create_task(gate.call_beside())
        await asyncio.sleep(0.1)  # longer than the pause

        assert not waiting.done()

        gate.heed_probe(Listed(()))
        async with asyncio.timeout(SOON_S):
            assert await waiting

    async def test_a_gate_that_closed_while_one_waited_for_the_rates_is_not_passed(self) -> None:
        gate = Gate(Policy(), Pace(1, is_adaptive=False, per_second=20))
        await gate.call_beside()
        await gate.call_beside()
        waiting = asyncio.create_task(gate.call_beside())
        await settled()
        gate.heed_create(key(), REFUSED_LOGIN)
        await asyncio.sleep(0.1)  # longer than the next call needs to drip out

        assert not waiting.done()

        gate.heed_probe(Listed(()))
        async with asyncio.timeout(SOON_S):
            assert await waiting

    @pytest.mark.parametrize("gate", [tripped, Gate])
    async def test_a_stop_ends_the_wait_and_lets_no_more_calls_begin(self, gate: Callable[[], Gate]) -> None:
        stopping = gate()
        if stopping.is_open:
            stopping.close_for(60.0, "429")
        waiting = asyncio.create_task(stopping.call_beside())
        await settled()
        stopping.stop()
        async with asyncio.timeout(SOON_S):
            assert (False, False) == (await waiting, await stopping.call_beside())

    async def test_no_call_beside_begins_while_the_process_stops(self) -> None:
        gate = Gate()
        gate.stop()

        assert not await gate.call_beside()
