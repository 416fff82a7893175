"""
How many calls at once, against clouds of every kind: minutes of traffic in virtual seconds.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, pairwise
from statistics import median
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.core.concurrency import Base, Ceiling, ConcurrencyLimit, Sample, Signal, after_answer, started

#: Half of the latencies of such a cloud differ by more than 2.2 times, a fifth by more than 4.6 times.
STRONG_JITTER = 0.6
TIMEOUT_S = 5.0
REFUSAL_S = 0.005
RETRY_AFTER_S = 1.0


@dataclass
class Cloud:
    """
    A cloud that works on `capacity` calls at once, each for `work_s`; the others wait in line, or are refused.
    """

    capacity: float = math.inf
    work_s: float = 0.1
    jitter: float = 0.0
    refuses_beyond: float = math.inf
    is_down: bool = False


class Traffic:
    """
    Calls one cloud as often as the limit allows, or `calls_per_s` times on average; its time is virtual.
    """

    def __init__(self, cloud: Cloud, maximum: int, calls_per_s: float = math.inf) -> None:
        self.cloud = cloud
        self.state = started(maximum)
        self.now_s = 0.0
        self.limits: list[tuple[float, float]] = []
        self.latencies: list[tuple[float, float]] = []
        self.refused_at_s: list[float] = []
        self._calls_per_s = calls_per_s
        self._luck = random.Random(7)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._paused_until_s = 0.0
        self._backlog = math.inf
        self._in_flight = self._working = 0
        self._line: deque[tuple[float, int]] = deque()
        if calls_per_s < math.inf:
            self._backlog = 0
            self._arrive()

    def run(self, duration_s: float) -> None:
        """
        Goes on for so long.
        """
        until_s = self.now_s + duration_s
        self._send()
        while self._events and self._events[0][0] <= until_s:
            self.now_s, _, happen = heapq.heappop(self._events)
            happen()
            self._send()
        self.now_s = until_s

    def limits_since(self, since_s: float, until_s: float = math.inf) -> list[float]:
        """
        The limit after each answer from then on.
        """
        return [limit for at_s, limit in self.limits if since_s <= at_s < until_s]

    def answers_per_s(self, since_s: float) -> float:
        """
        Good answers from then on.
        """
        return sum(at_s >= since_s for at_s, _ in self.latencies) / (self.now_s - since_s)

    def _after(self, delay_s: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now_s + delay_s, next(self._order), happen))

    def _arrive(self) -> None:
        self._backlog += 1
        self._after(self._luck.expovariate(self._calls_per_s), self._arrive)

    def _send(self) -> None:
        while self._in_flight < self.state.allowed and self._backlog and self.now_s >= self._paused_until_s:
            self._backlog -= 1
            self._in_flight += 1
            sent_at_s, in_flight = self.now_s, self._in_flight
            if self.cloud.is_down:
                self._after(TIMEOUT_S, partial(self._end, Signal.TIMED_OUT, sent_at_s, in_flight))
            elif in_flight > self.cloud.refuses_beyond:
                self._after(REFUSAL_S, partial(self._end, Signal.THROTTLED, sent_at_s, in_flight))
            else:
                self._line.append((sent_at_s, in_flight))
                self._work()

    def _work(self) -> None:
        while self._line and self._working < self.cloud.capacity:
            self._working += 1
            call = self._line.popleft()
            work_s = self.cloud.work_s * math.exp(self._luck.gauss(0.0, self.cloud.jitter))
            self._after(work_s, partial(self._finish, *call))

    def _finish(self, sent_at_s: float, in_flight: int) -> None:
        self._working -= 1
        self.latencies.append((self.now_s, self.now_s - sent_at_s))
        self._end(Signal.OK, sent_at_s, in_flight)
        self._work()

    def _end(self, signal: Signal, sent_at_s: float, in_flight: int) -> None:
        self._in_flight -= 1
        latency_s = self.now_s - sent_at_s if signal is Signal.OK else None
        self.state = after_answer(self.state, Sample(in_flight, signal, sent_at_s, self.now_s, latency_s))
        self.limits.append((self.now_s, self.state.limit))
        if signal is Signal.THROTTLED:
            self.refused_at_s.append(self.now_s)
            self._paused_until_s = max(self._paused_until_s, self.now_s + RETRY_AFTER_S)
            self._after(RETRY_AFTER_S, lambda: None)


def ok(in_flight: int, sent_at_s: float = 1.0, latency_s: float | None = None) -> Sample:
    return Sample(in_flight, Signal.OK, sent_at_s, sent_at_s + 0.1, latency_s)


def bad(signal: Signal, in_flight: int, sent_at_s: float, now_s: float) -> Sample:
    return Sample(in_flight, signal, sent_at_s, now_s)


def known(limit: float, **facts: Any) -> ConcurrencyLimit:
    """
    A limit for a cloud that takes 100 ms when it is idle, as was just measured.
    """
    base = Base(latency_s=0.1, limit=limit, measure_at_s=math.inf)
    all_facts: dict[str, Any] = {"limit": limit, "base": base} | facts
    return replace(started(100), **all_facts)


def after_ok(state: ConcurrencyLimit, latencies_s: list[float]) -> ConcurrencyLimit:
    """
    The limit after these answers to calls that were sent with it in use.
    """
    for number, latency_s in enumerate(latencies_s, 1):
        state = after_answer(state, ok(state.allowed, float(number), latency_s))
    return state


class TestGrowth:
    @pytest.mark.parametrize(("maximum", "expected"), [(1, 1), (3, 3), (4, 4), (5000, 4)])
    def test_it_starts_at_four_or_the_maximum(self, maximum: int, expected: int) -> None:
        assert expected == started(maximum).allowed

    def test_it_grows_by_one_a_round(self) -> None:
        traffic = Traffic(Cloud(), maximum=20)
        traffic.run(5.0)

        answers = next(number for number, (_, limit) in enumerate(traffic.limits, 1) if limit >= 10)
        assert 35 <= answers <= 60

    def test_a_cloud_without_limits_soon_gets_as_many_as_the_operator_allows(self) -> None:
        traffic = Traffic(Cloud(), maximum=1000)
        traffic.run(10.0)

        assert 1000 == traffic.state.allowed

    def test_it_does_not_grow_while_there_is_room(self) -> None:
        state = started(20)
        for _ in range(1000):
            state = after_answer(state, ok(in_flight=2))

        assert 4 == state.allowed

    def test_a_few_calls_with_the_limit_in_use_do_not_add_up_over_quiet_hours(self) -> None:
        state = started(20)
        for _ in range(1000):
            state = after_answer(after_answer(state, ok(in_flight=4)), ok(in_flight=1))

        assert 4 == state.allowed

    def test_little_traffic_does_not_make_it_run_away(self) -> None:
        """
        Three calls are under way on average: a burst of thousands must not meet a limit that was never tested.
        """
        traffic = Traffic(Cloud(), maximum=5000, calls_per_s=30.0)
        traffic.run(500.0)

        assert traffic.state.allowed <= 15


class TestRisingLatency:
    @pytest.mark.parametrize("jitter", [0.0, 0.1, STRONG_JITTER])
    @pytest.mark.parametrize("capacity", [2, 10, 100])
    def test_it_settles_where_the_cloud_has_enough_to_do_and_little_waits(self, capacity: int, jitter: float) -> None:
        traffic = Traffic(Cloud(capacity, jitter=jitter), maximum=500)
        traffic.run(45.0)

        best_per_s = capacity / (0.1 * math.exp(jitter**2 / 2))
        assert 0.8 * capacity <= median(traffic.limits_since(20.0)) <= 1.6 * capacity + 1
        assert traffic.answers_per_s(20.0) >= 0.8 * best_per_s

    def test_latencies_that_differ_threefold_by_themselves_do_not_make_it_collapse(self) -> None:
        traffic = Traffic(Cloud(jitter=STRONG_JITTER), maximum=20)
        traffic.run(240.0)

        assert 20 == median(traffic.limits_since(10.0))
        assert min(traffic.limits_since(10.0)) >= 8

    def test_it_follows_a_cloud_that_grows_and_shrinks(self) -> None:
        cloud = Cloud(capacity=10, jitter=0.2)
        traffic = Traffic(cloud, maximum=500)
        traffic.run(60.0)
        cloud.capacity = 30
        traffic.run(60.0)
        cloud.capacity = 10
        traffic.run(60.0)

        assert 24 <= median(traffic.limits_since(70.0, 120.0)) <= 45
        assert 8 <= median(traffic.limits_since(130.0)) <= 16

    @pytest.mark.parametrize("jitter", [0.0, STRONG_JITTER])
    def test_a_cloud_that_became_slower_for_any_number_of_calls_gets_as_many_as_before(self, jitter: float) -> None:
        cloud = Cloud(jitter=jitter)
        traffic = Traffic(cloud, maximum=50)
        traffic.run(60.0)
        cloud.work_s *= 3
        traffic.run(120.0)

        assert median(traffic.limits_since(120.0)) >= 45

    def test_a_tenth_of_calls_that_hang_is_no_sign_of_too_many(self) -> None:
        assert after_ok(known(12.0), [*[0.1] * 11, 20.0] * 5).limit >= 12

    def test_a_third_of_calls_that_waits_for_the_others_is(self) -> None:
        # Where all calls take equally long, the one that waits takes twice as long, and the median stays what it was.
        assert after_ok(known(12.0), [0.1, 0.1, 0.2] * 20).limit < 12

    def test_of_two_calls_at_once_one_may_wait_half_of_its_time(self) -> None:
        assert after_ok(known(2.0), [0.15] * 40).limit >= 2

    def test_measurements_that_agree_are_taken_together(self) -> None:
        # Each is wrong by a tenth or more, as latencies differ by themselves.
        base = Base(latency_s=0.1, limit=12.0, measuring_since_s=0.0)
        state = after_ok(known(12.0, base=base), [0.12] * 31)

        assert state.base.measuring_since_s is None
        assert pytest.approx(math.sqrt(0.1 * 0.12)) == state.base.latency_s

    @pytest.mark.parametrize("signal", [Signal.THROTTLED, Signal.TIMED_OUT])
    def test_measuring_ends_when_the_limit_is_cut(self, signal: Signal) -> None:
        base = Base(latency_s=0.1, limit=12.0, measuring_since_s=0.0)
        state = after_answer(known(12.0, base=base), bad(signal, 6, 1.0, 2.0))

        assert (8, None) == (state.allowed, state.base.measuring_since_s)

    def test_looking_up_alone_does_not_keep_it_at_half(self) -> None:
        # While an idle cloud is measured half as many calls are made; look-ups have no latencies that would end it.
        state = started(40)
        for number in range(100):
            # The more calls, the slower.
            in_flight, sent_at_s = state.allowed, float(number)
            state = after_answer(state, ok(in_flight, sent_at_s, latency_s=0.1 * in_flight))
            if state.base.measuring_since_s is not None:
                break
        limit, halved = state.limit, state.allowed
        for number in range(100, 200):
            state = after_answer(state, ok(state.allowed, sent_at_s=float(number)))

        assert halved == int(limit) // 2
        assert None is state.base.measuring_since_s
        assert state.limit >= limit

    def test_a_cloud_that_became_faster_does_not_get_a_long_line(self) -> None:
        cloud = Cloud(capacity=10, work_s=0.5, jitter=0.1)
        traffic = Traffic(cloud, maximum=500)
        traffic.run(120.0)
        cloud.work_s = 0.1
        traffic.run(120.0)

        assert 8 <= median(traffic.limits_since(200.0)) <= 17


class TestRefusals:
    @pytest.mark.parametrize("jitter", [0.0, STRONG_JITTER])
    def test_it_settles_just_below_what_is_refused_and_seldom_tries_more(self, jitter: float) -> None:
        traffic = Traffic(Cloud(refuses_beyond=10, jitter=jitter), maximum=500)
        traffic.run(400.0)

        assert 9 <= median(traffic.limits_since(20.0)) <= 10
        assert len(traffic.refused_at_s) <= 0.002 * len(traffic.latencies)

    def test_tries_of_more_become_rarer_up_to_ten_minutes(self) -> None:
        traffic = Traffic(Cloud(refuses_beyond=10, work_s=0.5), maximum=500)
        traffic.run(3600.0)

        tries_at_s = [at_s for before_s, at_s in pairwise(traffic.refused_at_s) if at_s - before_s > 10.0]
        waits_s = [at_s - before_s for before_s, at_s in pairwise(tries_at_s)]
        assert 60 <= tries_at_s[0] <= 75
        assert [120, 240, 480, 600, 600, 600] == [pytest.approx(wait_s, abs=10) for wait_s in waits_s[:6]]

    def test_a_ceiling_that_is_gone_is_forgotten(self) -> None:
        cloud = Cloud(refuses_beyond=10)
        traffic = Traffic(cloud, maximum=40)
        traffic.run(30.0)
        cloud.refuses_beyond = math.inf
        traffic.run(60.0)

        assert (40, None) == (traffic.state.allowed, traffic.state.ceiling)

    @pytest.mark.parametrize(("latency_s", "is_tried"), [(0.1, True), (0.115, False)])
    def test_more_calls_are_tried_only_while_none_waits(self, latency_s: float, *, is_tried: bool) -> None:
        state = after_ok(known(10.0, ceiling=Ceiling(11, 0.0, 60.0)), [latency_s] * 30)

        assert is_tried is (state.allowed > 10)

    def test_the_next_round_of_refusals_lowers_it_again(self) -> None:
        state = replace(started(100), limit=20.0)
        state = after_answer(state, bad(Signal.THROTTLED, 20, 1.0, 2.0))
        state = after_answer(state, bad(Signal.THROTTLED, 14, 2.1, 3.0))

        assert pytest.approx(9.8) == state.limit

    def test_a_refusal_with_few_calls_under_way_says_nothing_of_their_number(self) -> None:
        # It counts the calls of a minute then, or other clients' calls: one must not lead to one call at a time.
        state = replace(started(100), limit=20.0)
        state = after_answer(state, bad(Signal.THROTTLED, 1, 1.0, 2.0))

        assert state.ceiling is not None
        assert (14.0, 15) == (state.limit, state.ceiling.refused_at)


class TestTimeouts:
    @pytest.mark.parametrize("signal", [Signal.THROTTLED, Signal.TIMED_OUT])
    def test_a_round_of_them_or_of_refusals_lowers_it_once(self, signal: Signal) -> None:
        state = replace(started(100), limit=20.0)
        for number in range(20):
            state = after_answer(state, bad(signal, 20 - number, 1.0 + number / 100, 2.0 + number / 100))

        assert 14.0 == state.limit

    def test_they_leave_no_ceiling(self) -> None:
        assert after_answer(started(100), bad(Signal.TIMED_OUT, 4, 1.0, 31.0)).ceiling is None

    def test_after_an_outage_it_is_soon_what_it_was(self) -> None:
        cloud = Cloud(capacity=10, jitter=0.1)
        traffic = Traffic(cloud, maximum=500)
        traffic.run(60.0)
        cloud.is_down = True
        traffic.run(120.0)
        lowest = min(traffic.limits_since(60.0))
        cloud.is_down = False
        traffic.run(30.0)

        assert 1.0 == lowest
        assert 8 <= median(traffic.limits_since(200.0)) <= 16


def test_other_failures_say_nothing() -> None:
    state = replace(started(100), limit=20.0)

    assert state == after_answer(state, bad(Signal.FAILED, 20, 1.0, 2.0))


TIMES_S = st.floats(0, 1e9) | st.sampled_from([0.0, 1.0])
LATENCIES_S = st.none() | st.floats() | st.sampled_from([0.0, 0.1, 1e-320, 1e308])
SAMPLES = st.builds(
    Sample,
    in_flight=st.integers(1, 10_000) | st.integers(1, 5),
    signal=st.sampled_from(Signal) | st.just(Signal.OK),
    sent_at_s=TIMES_S,
    now_s=TIMES_S,
    latency_s=LATENCIES_S,
)
RUNS = st.lists(st.tuples(SAMPLES, st.integers(1, 60)), max_size=30)


@settings(deadline=None)
@given(maximum=st.integers(1, 6) | st.integers(1, 10_000), runs=RUNS)
def test_whatever_the_answers_are_it_stays_within_bounds(maximum: int, runs: list[tuple[Sample, int]]) -> None:
    state: ConcurrencyLimit = started(maximum)
    for sample, times in runs:
        for _ in range(times):
            state = after_answer(state, sample)

            assert 1 <= state.limit <= maximum
            assert 1 <= state.allowed <= maximum
            assert state.base.latency_s is None or 0 < state.base.latency_s < math.inf
