"""
How many calls the cloud gets at once, and how many in a second and a minute, from this process.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from typing import Self

import structlog
from aiolimiter import AsyncLimiter

from worker.core.concurrency import ConcurrencyLimit, Sample, Signal, after_answer, started

log = structlog.get_logger()

_MINUTE_S = 60.0
#: A new limit is told when it differs by this share from the one told last, and not more often.
_NOTABLE = 0.2
_TELL_WAIT_S = 10.0
#: Calls that may begin at once after a rest, as a share of those of a period.
_BURST = 0.1
#: An empty bucket is looked at so often in the time that one call needs to drip out of it, and not more often.
_LOOKS = 10
_LEAST_LOOK_S = 0.001


class Turn:
    """
    Leave to make one call. It must be ended: by `heard`, or by leaving its `with` block.
    """

    __slots__ = ("_in_flight", "_is_over", "_pace", "_sent_at_s")

    def __init__(self, pace: Pace, in_flight: int, sent_at_s: float) -> None:
        self._pace = pace
        self._in_flight = in_flight
        self._sent_at_s = sent_at_s
        self._is_over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def heard(self, signal: Signal, latency_s: float | None = None) -> None:
        """
        Ends the turn: the next call may be made at once. Only the first time counts.

        Args:
            signal: what the answer says about the pace.
            latency_s: how long the cloud took; None for a call that is not like the others, such as a look-up.
        """
        if not self._is_over:
            self._is_over = True
            self._pace._end(signal, self._in_flight, self._sent_at_s, latency_s)  # noqa: SLF001 - its other half

    def end(self) -> None:
        """
        Ends the turn of a call that nothing was heard of.
        """
        self.heard(Signal.FAILED)


class _Entering:
    """
    Waits for a turn, and ends it.
    """

    __slots__ = ("_pace", "_turn")

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._turn: Turn | None = None

    async def __aenter__(self) -> Turn:
        self._turn = await self._pace.take()
        return self._turn

    async def __aexit__(self, *_: object) -> None:
        if self._turn is not None:
            self._turn.end()


class Pace:
    """
    Gives turns, in order of arrival. One instance for all calls of a process, in one event loop.

    Args:
        maximum: calls at once, at most; 1 or more.
        is_adaptive: find out how many the cloud bears; else it gets `maximum`.
        per_second: calls that may begin in a second, above 0; None is no limit. After a rest a tenth more may.
        per_minute: the same for a minute.
    """

    def __init__(
        self,
        maximum: int,
        *,
        is_adaptive: bool = True,
        per_second: float | None = None,
        per_minute: float | None = None,
    ) -> None:
        self._state = started(maximum) if is_adaptive else ConcurrencyLimit(maximum, float(maximum))
        self._is_adaptive = is_adaptive
        rates = ((per_second, 1.0), (per_minute, _MINUTE_S))
        self._buckets = tuple(_bucket(calls, period_s) for calls, period_s in rates if calls is not None)
        self._in_flight = 0
        self._line: OrderedDict[asyncio.Future[Turn], None] = OrderedDict()
        self._beside: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._looking: asyncio.TimerHandle | None = None
        self._told_limit = self._state.allowed
        self._tell_at_s = 0.0

    @property
    def maximum(self) -> int:
        """
        Calls at once, at most.
        """
        return self._state.maximum

    @property
    def limit(self) -> int:
        """
        Calls at once, for now: 1 to `maximum`.
        """
        return self._state.allowed

    @property
    def in_flight(self) -> int:
        """
        Turns that have not ended; more than `limit` for a while after it was lowered.
        """
        return self._in_flight

    @property
    def waiting(self) -> int:
        """
        How many wait for a turn.
        """
        return len(self._line)

    def try_take(self) -> Turn | None:
        """
        A turn at once; None when one would have to wait for it.
        """
        return None if self._line or self._beside else self._begun()

    async def take(self) -> Turn:
        """
        A turn, as soon as all who came before have theirs. When cancelled, none is lost.
        """
        turn = self.try_take()
        if turn is not None:
            return turn
        given: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        self._line[given] = None
        self._look_again()
        try:
            return await given
        except asyncio.CancelledError:
            if given.cancelled():
                self._line.pop(given, None)
            else:
                given.result().end()
            raise

    async def pass_beside(self) -> None:
        """
        Returns when one more call may begin as far as the rates go: before all who wait for a turn, and without taking
        the place of one. For calls that keep to a share of their own.
        """
        passed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._beside[passed] = None
        self._let_in()
        try:
            await passed
        finally:
            self._beside.pop(passed, None)

    def turn(self) -> _Entering:
        """
        An async context manager: entered with a `Turn` as soon as there is one, which ends with the block at the latest.
        """
        return _Entering(self)

    def _begun(self) -> Turn | None:
        if self._in_flight >= self._state.allowed or not self._take_from_buckets():
            return None
        self._in_flight += 1
        return Turn(self, self._in_flight, asyncio.get_running_loop().time())

    def _end(self, signal: Signal, in_flight: int, sent_at_s: float, latency_s: float | None) -> None:
        self._in_flight -= 1
        if self._is_adaptive:
            now_s = asyncio.get_running_loop().time()
            self._state = after_answer(self._state, Sample(in_flight, signal, sent_at_s, now_s, latency_s))
            self._tell(now_s)
        self._let_in()

    def _take_from_buckets(self) -> bool:
        if self._empty_bucket() is not None:
            return False
        for bucket in self._buckets:
            _take_from(bucket)
        return True

    def _let_in(self) -> None:
        while self._beside and self._take_from_buckets():
            passed, _ = self._beside.popitem(last=False)
            if not passed.cancelled():
                passed.set_result(None)
        # A place is handed over as soon as it is free: were it free until its next holder runs, the limit would seem
        # not to be in use.
        while self._line and not self._beside:
            given = next(iter(self._line))
            if not given.cancelled():
                turn = self._begun()
                if turn is None:
                    break
                given.set_result(turn)
            del self._line[given]
        self._look_again()

    def _look_again(self) -> None:
        """
        Lets the next one in when a bucket has room again, if that is what it waits for.
        """
        is_wanted = self._beside or (self._line and self._in_flight < self._state.allowed)
        if not is_wanted or self._looking is not None:
            return
        bucket = self._empty_bucket()
        # Room may have come since the last look, a moment ago: nobody else would wake who is first.
        delay_s = 0.0 if bucket is None else max(_LEAST_LOOK_S, bucket.time_period / bucket.max_rate / _LOOKS)
        self._looking = asyncio.get_running_loop().call_later(delay_s, self._look)

    def _look(self) -> None:
        self._looking = None
        self._let_in()

    def _empty_bucket(self) -> AsyncLimiter | None:
        return next((bucket for bucket in self._buckets if not bucket.has_capacity()), None)

    def _tell(self, now_s: float) -> None:
        # Without the halving while the idle cloud is measured, which changes nothing for long.
        limit = int(self._state.limit)
        if now_s < self._tell_at_s or abs(limit - self._told_limit) < max(1.0, _NOTABLE * self._told_limit):
            return
        log.info("pace.changed", limit=limit, before=self._told_limit, in_flight=self._in_flight, waiting=self.waiting)
        self._told_limit = limit
        self._tell_at_s = now_s + _TELL_WAIT_S


def _bucket(calls: float, period_s: float) -> AsyncLimiter:
    # A whole period's calls at once would make nearly two periods' in the first, which a cloud that counts refuses.
    # And a bucket that holds less than one call would never let one through.
    held = max(1.0, calls * _BURST)
    return AsyncLimiter(held, period_s * held / calls)


def _take_from(bucket: AsyncLimiter) -> None:
    """
    Takes from a bucket that has capacity: `acquire` then ends without suspending (aiolimiter 1.2, leakybucket.py).
    """
    with suppress(StopIteration):
        bucket.acquire().send(None)
