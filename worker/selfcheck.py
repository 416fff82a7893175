"""
Looks now and then whether RabbitMQ still serves our consumer, and mends what can be mended.

What cannot be mended ends the worker with a status that says so: whoever restarts it can read a new secret, and an
operator sees it.
"""

from __future__ import annotations

import asyncio
from typing import assert_never

import structlog

from worker.core.selfcheck import QueueLook, Service, judge
from worker.errors import BrokerRefused, BrokerUnreachable, ConsumerLost
from worker.facts import note
from worker.facts.broker import ConsumerVanished, QueueLooked
from worker.gate import Gate
from worker.ports import Mending, Watched

log = structlog.get_logger()

#: Rebuilds in a row that did not help.
MOST_REBUILDS = 3
#: Looks after which the queues are compared with ours again, though nothing seems to have happened.
LOOKS_TO_COMPARE = 20
#: A login may be refused for a while, when a secret is being exchanged; longer than this it is a wrong one, and the
#: same holds for a right that is missing.
ABSENT_FOR_S = 300.0
_WORDS = {
    Service.MISSING: "RabbitMQ knows of no consumer on the queue",
    Service.SILENT: "the queue has requests, and none of them was delivered",
}


class SelfCheck:
    """
    Looks after the consumer.

    Args:
        consumer: to look after.
        gate: tells when the process stops.
        mend: declares the queues that are missing, and compares those that are there with ours.
        interval_s: between two looks.
    """

    def __init__(self, consumer: Watched, gate: Gate, mend: Mending, interval_s: float) -> None:
        self._consumer = consumer
        self._gate = gate
        self._mend = mend
        self._interval_s = interval_s
        self._before: QueueLook | None = None
        self._rebuilds = 0
        self._rebuilt_for = Service.WELL
        self._was_absent = False
        self._compared_on: int | None = None
        self._looks = 0
        self._absent_since_s: float | None = None

    async def run(self) -> None:
        """
        Goes on until the process stops.

        Raises:
            ConsumerLost: the broker does not serve us, however often the connection is made anew, or registers us not.
            TopologyMismatch: a queue was replaced by one that is not ours.
            BrokerRefused: the login, or a queue that is missing, is refused for long.
        """
        while await self._gate.rest(self._interval_s):
            await self.look()
        await asyncio.Event().wait()  # the process stops; whoever stops it ends us

    async def look(self) -> None:
        """
        One look, and what follows from it. Raises as `run`.
        """
        seen = await self._consumer.look()
        if seen is None:
            note(QueueLooked("unanswered"))
            self._before = None
            await self._mend_absence()
            return
        self._was_absent, self._absent_since_s = False, None
        before, self._before = self._before, seen
        match service := judge(before, seen):
            case Service.UNSURE:
                note(QueueLooked("unanswered"))
            case Service.MISSING | Service.SILENT:
                note(QueueLooked("vanished", seen.messages if seen.consumers else None))
                self._rebuild(_WORDS[service])
            case Service.WELL:
                note(QueueLooked("well", seen.messages))
                # That something is wrong takes two looks to see; that it is mended takes as many.
                if before is not None and before.connection == seen.connection:
                    self._rebuilds = 0
                await self._compare(seen)
            case _:
                assert_never(service)

    def _rebuild(self, reason: str) -> None:
        if self._rebuilds == MOST_REBUILDS:
            raise ConsumerLost
        self._rebuilds += 1
        self._before = None
        note(ConsumerVanished(reason, self._rebuilds))
        self._consumer.rebuild(reason)

    async def _compare(self, seen: QueueLook) -> None:
        """
        Has the queues compared with ours where they may be others: after a reconnect, and now and then.

        What was compared when the worker started counts for its first connection.
        """
        self._looks += 1
        if seen.connection in {1, self._compared_on} and self._looks < LOOKS_TO_COMPARE:
            return
        try:
            await self._mend()
        except (BrokerUnreachable, BrokerRefused) as exc:
            # The consumer is served all the same; with the next look it is tried again.
            log.warning("consumer.not_compared", error=str(exc))
        else:
            self._compared_on, self._looks = seen.connection, 0

    async def _mend_absence(self) -> None:
        # Once may be a reconnect under way. Twice: the queue may be gone, or our login.
        was_absent, self._was_absent = self._was_absent, True
        if self._consumer.is_registered or not was_absent:
            return
        now_s = asyncio.get_running_loop().time()
        since_s = now_s if self._absent_since_s is None else self._absent_since_s
        failure: BrokerRefused | ConsumerLost = ConsumerLost()
        words = "all queues are there, and we are not registered yet; if that lasts: may our user read from the queue?"
        try:
            await self._mend()
        except BrokerUnreachable:
            self._absent_since_s = None  # it is down; the connection is tried again and again anyway
            return
        except BrokerRefused as exc:
            failure, words = exc, str(exc)
        self._absent_since_s = since_s
        if now_s - since_s >= ABSENT_FOR_S:
            raise failure
        log.warning("consumer.absent", reason=words, gives_up_in_s=round(since_s + ABSENT_FOR_S - now_s))
