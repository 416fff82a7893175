"""
How many calls the cloud is given at once: found out from its answers.

More calls at once than a cloud works on add only latency: a real Neutron answered one alone in 97 ms, and half of 100
at once in 6 s (measured; cloud API family, Life of a service). So the number grows while answers come as fast as ever,
and shrinks when they come slower, not in time, or with 429.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from statistics import median
from typing import assert_never

_START = 4.0
#: What is left of the limit after a 429 or a timeout.
_CUT = 0.7
#: Growth in a round, as a share of the limit; at least 1.
_GROWTH = 0.1
#: Answers in a round, or as many as the limit if that is more.
_ROUND = 4
#: Calls under way, as a share of the limit, from which on it is in use.
_IN_USE = 0.8

#: Latencies are judged together, since single ones differ threefold with nobody waiting: the latest so many, or as
#: many as the limit if that is more, but not more than the last number.
_WINDOW = 50
_MOST_WINDOW = 200
#: Too few to say anything; and enough to say that it became slower, or how long an idle cloud takes.
_LEAST_WINDOW = 10
_ENOUGH = 25
#: Latency, in multiples of an idle cloud's: from here on growth is slower, and there it has ended.
_SLOWING = 1.1
_SLOW = 1.2
#: Longer ones, in medians, count as that long.
_OUTLIER = 3.0
#: Others are no latencies.
_SHORTEST_S = 1e-6
_LONGEST_S = 1e6

#: Time from one measurement of the idle cloud to the next: doubles while two differ by less than this factor, and
#: measuring then takes no more than this share of it.
_MEASURE_WAIT_S = 2.0
_MOST_MEASURE_WAIT_S = 60.0
_AGREEING = 1.3
_MEASURE_SHARE = 0.05
#: With this share of the limit left it is measured again: is it true that the cloud bears fewer and fewer?
_LEFT = 0.7

#: Time from a 429 until as many calls at once are tried again; doubles while that fails.
_TRY_WAIT_S = 60.0
_MOST_TRY_WAIT_S = 600.0
#: Calls that must pass then, or as many as the ceiling if that is more.
_PASSED = 10


class Signal(Enum):
    """
    What an answer says about the pace.

    OK: the cloud dealt with the call. THROTTLED: it asks for calm. TIMED_OUT: it did not answer in time.
    FAILED: something else, which says nothing.
    """

    OK = "ok"
    THROTTLED = "throttled"
    TIMED_OUT = "timed_out"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Sample:
    """
    A call that has ended.

    Attributes:
        in_flight: calls under way when it was sent, itself included; 1 or more.
        signal: how it ended.
        sent_at_s: when it was sent.
        now_s: when it ended, by the same clock.
        latency_s: how long the cloud took; None when that cannot be compared with the other calls' latencies.
    """

    in_flight: int
    signal: Signal
    sent_at_s: float
    now_s: float
    latency_s: float | None = None


@dataclass(frozen=True, slots=True)
class Base:
    """
    The latency of the idle cloud: with so few calls that none waits for another.

    Attributes:
        latency_s: as measured last; None before the first time.
        limit: the limit at that time.
        measuring_since_s: since when it is measured, with half of the limit; None while it is not.
        measure_at_s: not again before that.
        wait_s: how long that was put off.
    """

    latency_s: float | None = None
    limit: float = 0.0
    measuring_since_s: float | None = None
    measure_at_s: float = -math.inf
    wait_s: float = _MEASURE_WAIT_S


@dataclass(frozen=True, slots=True)
class Ceiling:
    """
    As many calls at once as the cloud refused.

    Attributes:
        refused_at: 2 or more.
        try_at_s: when as many are tried again.
        wait_s: how long that was put off.
        passed: calls that were answered in that try; None when none is made.
    """

    refused_at: int
    try_at_s: float
    wait_s: float
    passed: int | None = None


_UNMEASURED = Base()


@dataclass(frozen=True, slots=True)
class ConcurrencyLimit:
    """
    How many calls at once, and what is known of the cloud.

    Attributes:
        maximum: the operator's, 1 or more.
        limit: 1 to `maximum`.
        heard: answers in this round to calls that were sent with the limit in use, less the others.
        window: the latest of these: latency in seconds, calls at once.
        base: the latency of the idle cloud.
        ceiling: what was refused; None when nothing was, or it passed since.
        lowered_at_s: answers to calls sent until then were the reason, or come from another limit: they are not heard.
    """

    maximum: int
    limit: float
    heard: int = 0
    window: tuple[tuple[float, int], ...] = ()
    base: Base = _UNMEASURED
    ceiling: Ceiling | None = None
    lowered_at_s: float = -math.inf

    @property
    def allowed(self) -> int:
        """
        Calls that may be under way at once, 1 to `maximum`.
        """
        return int(self.limit) if self.base.measuring_since_s is None else max(1, int(self.limit) // 2)


def started(maximum: int) -> ConcurrencyLimit:
    """
    The limit to begin with, which may grow to `maximum`, 1 or more.
    """
    return ConcurrencyLimit(maximum, min(_START, float(maximum)))


def after_answer(state: ConcurrencyLimit, sample: Sample) -> ConcurrencyLimit:
    """
    The limit after one more call has ended; they may end in any order.
    """
    is_late = sample.sent_at_s <= state.lowered_at_s
    match sample.signal:
        case Signal.OK:
            return state if is_late else _answered(state, sample)
        case Signal.THROTTLED:
            return _with_ceiling(state if is_late else _throttled(state, sample.now_s), sample)
        case Signal.TIMED_OUT:
            return state if is_late else _lowered(state, state.limit * _CUT, sample.now_s)
        case Signal.FAILED:
            return state
        case _:
            assert_never(sample.signal)


def _answered(state: ConcurrencyLimit, sample: Sample) -> ConcurrencyLimit:
    since_s = state.base.measuring_since_s
    if since_s is not None and sample.sent_at_s <= since_s:
        return state
    if sample.in_flight < _IN_USE * state.allowed:
        # There was room for more: it says nothing about how many the cloud bears.
        return replace(state, heard=state.heard - 1) if state.heard else state
    heard, window = state.heard + 1, state.window
    size = min(max(_WINDOW if since_s is None else _ENOUGH, state.allowed), _MOST_WINDOW)
    if sample.latency_s is not None and _SHORTEST_S <= sample.latency_s <= _LONGEST_S:
        window = (*window[1 - size :], (sample.latency_s, max(1, sample.in_flight)))
    # On the way of every call: `replace` would take three times as long.
    ceiling = _passed(state.ceiling, sample)
    state = ConcurrencyLimit(state.maximum, state.limit, heard, window, state.base, ceiling, state.lowered_at_s)
    if since_s is not None:
        # The first to answer are the fastest; only after all of them have, the latest are like any.
        return state if heard < state.allowed + size else _measured(state, sample.now_s - since_s, sample.now_s)
    if heard < max(_ROUND, int(state.limit)):
        return state
    return _after_round(replace(state, heard=0), sample.now_s)


def _after_round(state: ConcurrencyLimit, now_s: float) -> ConcurrencyLimit:
    base, seen = state.base, len(state.window)
    if seen and base.latency_s is not None:
        return _judged(state, _latency_s(state) / base.latency_s, now_s) if seen >= _LEAST_WINDOW else state
    if seen >= _LEAST_WINDOW:
        state = replace(state, base=replace(base, latency_s=_latency_s(state), limit=state.limit))
    return _grown(state, 1.0, now_s)


def _judged(state: ConcurrencyLimit, slowness: float, now_s: float) -> ConcurrencyLimit:
    base = state.base
    if slowness > _SLOWING and len(state.window) < _ENOUGH:
        return state
    if slowness > _SLOWING and (now_s >= base.measure_at_s or state.limit < max(2.0, _LEFT * base.limit)):
        # Either calls wait for each other, or the cloud has become slower for any number of them.
        return replace(state, window=(), base=replace(base, measuring_since_s=now_s))
    if slowness > _SLOW:
        # As many as it works on at once (Little's law: throughput x latency of the idle cloud), and a few that wait: at
        # least one, since one too few would cost a larger share.
        worked_on = _typical([in_flight for _, in_flight in state.window]) / slowness
        return _lowered(state, max(worked_on * _SLOW, worked_on + 1.0), now_s)
    return _grown(state, min(1.0, (_SLOW - slowness) / (_SLOW - _SLOWING)), now_s)


def _latency_s(state: ConcurrencyLimit) -> float:
    return _typical([latency_s for latency_s, _ in state.window])


def _typical(numbers: Sequence[float]) -> float:
    # The mean, with outliers cut short. A median would not see that one call in three waits: it takes twice as long,
    # where all calls take the same time.
    longest = _OUTLIER * median(numbers)
    return sum(min(number, longest) for number in numbers) / len(numbers)


def _measured(state: ConcurrencyLimit, took_s: float, now_s: float) -> ConcurrencyLimit:
    known_s = state.base.latency_s
    # Where too few latencies can be compared, what is known stays.
    seen_s = _latency_s(state) if len(state.window) >= _LEAST_WINDOW else known_s
    wait_s = _MEASURE_WAIT_S
    if known_s and seen_s and known_s / _AGREEING < seen_s < known_s * _AGREEING:
        seen_s = math.sqrt(known_s * seen_s)
        wait_s = max(min(_MOST_MEASURE_WAIT_S, state.base.wait_s * 2), took_s / _MEASURE_SHARE)
    return replace(state, heard=0, window=(), base=Base(seen_s, state.limit, None, now_s + wait_s, wait_s))


def _grown(state: ConcurrencyLimit, share: float, now_s: float) -> ConcurrencyLimit:
    grown = min(float(state.maximum), state.limit + share * max(1.0, _GROWTH * state.limit))
    ceiling = state.ceiling
    if ceiling is None:
        return replace(state, limit=grown)
    if ceiling.passed is not None and ceiling.passed >= max(_PASSED, ceiling.refused_at):
        return replace(state, limit=grown, ceiling=None)
    below = ceiling.refused_at - 1
    if ceiling.passed is None and share >= 1 and state.limit >= below and now_s >= ceiling.try_at_s:
        tried = min(state.maximum, ceiling.refused_at)
        return replace(state, limit=float(tried), ceiling=replace(ceiling, passed=0))
    return replace(state, limit=max(state.limit, min(grown, float(below))))


def _passed(ceiling: Ceiling | None, sample: Sample) -> Ceiling | None:
    if ceiling is None or ceiling.passed is None or sample.in_flight < ceiling.refused_at:
        return ceiling
    return replace(ceiling, passed=ceiling.passed + 1)


def _throttled(state: ConcurrencyLimit, now_s: float) -> ConcurrencyLimit:
    ceiling = state.ceiling
    if ceiling is None or ceiling.passed is None:
        return _lowered(state, state.limit * _CUT, now_s)
    # It still refuses as many: back to where it did not.
    wait_s = min(_MOST_TRY_WAIT_S, ceiling.wait_s * 2)
    state = replace(state, ceiling=Ceiling(ceiling.refused_at, now_s + wait_s, wait_s))
    return _lowered(state, min(state.limit, ceiling.refused_at - 1.0), now_s)


def _with_ceiling(state: ConcurrencyLimit, sample: Sample) -> ConcurrencyLimit:
    # Refused with few calls under way: not their number is too high, but that in a minute, or other clients' calls.
    refused_at = max(sample.in_flight, int(state.limit) + 1)
    wait_s = _TRY_WAIT_S
    if state.ceiling is not None:
        refused_at, wait_s = min(refused_at, state.ceiling.refused_at), state.ceiling.wait_s
    return replace(state, ceiling=Ceiling(refused_at, sample.now_s + wait_s, wait_s))


def _lowered(state: ConcurrencyLimit, limit: float, now_s: float) -> ConcurrencyLimit:
    limit = max(1.0, min(limit, state.limit))
    base = replace(state.base, measuring_since_s=None)
    return replace(state, limit=limit, heard=0, window=(), base=base, lowered_at_s=now_s)
