"""
Holds every request back while the cloud asks for calm, is down, or an operator must mend something.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from worker.core.answers import CreateAnswer, ListAnswer, Throttled
from worker.core.job import RequestKey
from worker.core.killswitch import KillSwitch, Mode, after_create, after_look, after_probe
from worker.core.policy import Policy
from worker.core.sparing import Sparing
from worker.facts import note
from worker.facts.calls import CalmBegun, CalmLengthened
from worker.pace import Pace, Turn

log = structlog.get_logger()

#: A cloud that throttles and asks for no wait at all must not be hammered.
LEAST_PAUSE_S = 0.5
#: A pause or a fault this long is waited out with the requests at hand; a longer one stops the taking.
_SHORT_S = 5.0
_NO_LIMIT = 100_000
_LOOK_S = 1.0
#: Between two lines of the log about a ledger that goes on refusing.
_TELL_LEDGER_S = 30.0


class Gate:
    """
    Open; shut until a moment (429); or shut by the kill switch until a probe is answered. And a sign that the process
    is stopping, which ends every wait.

    Its time is the event loop's: a clock that is set back must not keep it shut.

    Args:
        policy: when the kill switch trips.
        pace: how many calls may be under way at once.
    """

    def __init__(self, policy: Policy | None = None, pace: Pace | None = None) -> None:
        self._policy = policy or Policy()
        self._pace = pace or Pace(_NO_LIMIT, is_adaptive=False)
        self._closed_until_s: float = 0.0
        self._stopping = asyncio.Event()
        self._switch = KillSwitch()
        self._news = asyncio.Event()
        # Who POSTs or waits to; the first of them is the one that tries.
        self._queue: dict[object, None] = {}
        self._ledger_failing_since_s: float | None = None
        self._ledger_words = ""
        self._ledger_refusals = Sparing(_TELL_LEDGER_S)

    @property
    def switch(self) -> KillSwitch:
        """
        What is known of the cloud as a whole.
        """
        return self._switch

    @property
    def is_open(self) -> bool:
        """
        Whether a POST may be made at once.
        """
        return self._switch.mode is Mode.RUNNING and self._left_s() <= 0

    @property
    def trouble(self) -> str | None:
        """
        Why no more requests should be taken, in words; None when they should. A short pause is no reason.
        """
        now_s = asyncio.get_running_loop().time()
        if self._switch.mode is Mode.STOPPED:
            return f"{self._switch.cause.code}: {self._switch.cause.message}"
        if self.pause is not None:
            return self.pause
        if self._ledger_failing_since_s is not None and now_s - self._ledger_failing_since_s > _SHORT_S:
            return self._ledger_words
        return None

    @property
    def trouble_cause(self) -> str:
        """
        What kind of trouble it is: cloud_down, settings, throttled or ledger; for counting.
        """
        if self._switch.mode is Mode.STOPPED:
            return "settings" if self._switch.is_settings_fault else "cloud_down"
        return "ledger" if self.pause is None else "throttled"

    @property
    def pause(self) -> str | None:
        """
        That the cloud asks for calm, in words, when it is for long.
        """
        return f"the cloud asks for calm, for {self._left_s():.0f} s" if self._left_s() > _SHORT_S else None

    @property
    def ledger_trouble(self) -> str | None:
        """
        What the ledger said last, while it refuses.
        """
        return None if self._ledger_failing_since_s is None else self._ledger_words

    @property
    def is_stopping(self) -> bool:
        """
        Whether `stop` was called.
        """
        return self._stopping.is_set()

    def stop(self) -> None:
        """
        Ends all waits, now and from now on.
        """
        self._stopping.set()
        self._tell()

    def close_for(self, delay_s: float, reason: str) -> None:
        """
        Closes the gate for `delay_s` seconds, or longer if it already is.
        """
        now_s = asyncio.get_running_loop().time()
        if self._closed_until_s <= now_s:
            # Once a pause: those that were under way when it began meet the same answer.
            note(CalmBegun(round(delay_s, 3), reason))
        elif (more_s := now_s + delay_s - self._closed_until_s) > 0:
            note(CalmLengthened(more_s))
        self._closed_until_s = max(self._closed_until_s, now_s + delay_s)

    def heed_throttled(self, answer: Throttled) -> None:
        """
        Closes the gate for as long as the cloud asks for calm.
        """
        asked_s = answer.retry_after_s
        pause_s = self._policy.pause_s if asked_s is None else max(asked_s, LEAST_PAUSE_S)
        self.close_for(pause_s, answer.trouble.message)

    def heed_create(self, key: RequestKey, answer: CreateAnswer) -> None:
        """
        Notes what the answer to a POST says about the cloud as a whole.
        """
        self._turn_to(after_create(self._switch, key, answer, self._policy))

    def heed_look(self, key: RequestKey, answer: ListAnswer) -> None:
        """
        Notes what the answer to a look-up says about the cloud as a whole.
        """
        self._turn_to(after_look(self._switch, key, answer, self._policy))

    def heed_probe(self, answer: ListAnswer) -> None:
        """
        Notes the answer to a probe; a good one opens the gate for one POST after the other.
        """
        self._turn_to(after_probe(self._switch, answer))

    def heed_ledger(self, words: str | None) -> int:
        """
        Notes that the ledger refused, and why; None: it did not.

        Every request that is held asks again each second, so only some refusals are worth a line of the log: gives how
        many such a line stands for, or 0 for none.
        """
        if words is None:
            self._ledger_failing_since_s = None
            return 0
        now_s = asyncio.get_running_loop().time()
        self._ledger_words = words
        if self._ledger_failing_since_s is None:
            self._ledger_failing_since_s = now_s
        return self._ledger_refusals.heed(words, now_s)

    async def passed(self) -> bool:
        """
        Waits until the gate is open. False: the process is stopping while it is closed.
        """
        while True:
            left_s = self._left_s()
            if self._switch.mode is Mode.STOPPED:
                if self.is_stopping:
                    return False
                await self._news.wait()
            elif left_s <= 0:
                return True
            elif not await self.rest(left_s):
                return False

    def try_turn(self) -> Turn | None:
        """
        A turn to POST, when it can be had at once; whoever takes it must end it.
        """
        return self._pace.try_take() if self.is_open else None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn | None]:
        """
        Entered when we may POST: as soon as the pace allows while all is well, one after the other while the cloud is
        being tried.

        Gives None when the process is stopping and the POST must not be made.
        """
        ticket = object()
        self._queue[ticket] = None
        turn: Turn | None = None
        try:
            while await self._is_next(ticket):
                turn = await self._paced()
                # It may have closed while we waited for our turn.
                if turn is None or (self._is_passable() and self._is_first(ticket)):
                    break
                turn.end()
                turn = None
            yield turn
        finally:
            if turn is not None:
                turn.end()
            del self._queue[ticket]
            self._tell()

    @asynccontextmanager
    async def look_turn(self) -> AsyncIterator[Turn | None]:
        """
        Entered when a look-up may be made, as soon as the pace allows. Gives None when the process is stopping first.
        """
        turn: Turn | None = None
        try:
            while await self.passed():
                turn = await self._paced()
                # It may have closed while we waited for our turn.
                if turn is None or self._is_passable():
                    break
                turn.end()
                turn = None
            yield turn
        finally:
            if turn is not None:
                turn.end()

    async def call_beside(self) -> bool:
        """
        Waits until a call may begin that takes no place among those of the requests: the gate is open, and the rates
        allow it. False: the process is stopping.
        """
        while not self.is_stopping and await self.passed():
            await self._pace.pass_beside()
            # It may have closed while we waited.
            if self._is_passable():
                return True
        return False

    async def _is_next(self, ticket: object) -> bool:
        """
        Waits until we may try to POST. False: the process is stopping first.
        """
        while await self.passed():
            if self._is_first(ticket):
                return True
            if self.is_stopping:
                return False
            await self._news.wait()
        return False

    def _is_passable(self) -> bool:
        return self._switch.mode is not Mode.STOPPED and self._left_s() <= 0

    def _is_first(self, ticket: object) -> bool:
        # In order of arrival: who has just failed goes last, or nobody else would ever be tried.
        return self._switch.mode is not Mode.TRYING or next(iter(self._queue)) is ticket

    async def _paced(self) -> Turn | None:
        turn = self._pace.try_take()
        if turn is not None:
            return turn
        taking = asyncio.ensure_future(self._pace.take())
        stopping = asyncio.ensure_future(self._stopping.wait())
        is_ours = False
        try:
            await asyncio.wait({taking, stopping}, return_when=asyncio.FIRST_COMPLETED)
            is_ours = taking.done()
            return taking.result() if is_ours else None
        finally:
            stopping.cancel()
            if not is_ours:
                taking.cancel()
                taking.add_done_callback(_given_back)

    async def tripped(self) -> None:
        """
        Returns when the kill switch has tripped.
        """
        while self._switch.mode is not Mode.STOPPED:
            await self._news.wait()

    async def troubled(self) -> None:
        """
        Returns when no more requests should be taken; a second late at the most, but at once for the kill switch.
        """
        while self.trouble is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self.tripped()

    async def rest(self, delay_s: float) -> bool:
        """
        Waits `delay_s` seconds. False: the process is stopping, the wait was cut short.
        """
        try:
            async with asyncio.timeout(delay_s):
                await self._stopping.wait()
        except TimeoutError:
            return True
        return False

    def _left_s(self) -> float:
        return self._closed_until_s - asyncio.get_running_loop().time()

    def _turn_to(self, switch: KillSwitch) -> None:
        before, self._switch = self._switch, switch
        if before.mode is switch.mode:
            return
        if switch.mode is Mode.STOPPED:
            log.warning("killswitch.tripped", reason=f"{switch.cause.code}: {switch.cause.message}", trips=switch.trips)
        else:
            log.info("killswitch.released" if switch.mode is Mode.RUNNING else "killswitch.trying")
        self._tell()

    def _tell(self) -> None:
        # Everybody who waits for this event is woken; who comes later waits for the next.
        news, self._news = self._news, asyncio.Event()
        news.set()


def _given_back(taking: asyncio.Future[Turn]) -> None:
    # It may have come in the very moment in which we left.
    if not taking.cancelled() and taking.exception() is None:
        taking.result().end()
