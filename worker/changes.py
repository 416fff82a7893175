"""
Tells changes of followed services, then writes them down, as long as the round is ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime

import structlog

from worker.core.following import Change
from worker.core.telling import status_event
from worker.facts import note
from worker.facts.requests import StatusTold
from worker.ports import Clock, Follows
from worker.progress import Ended, Progress
from worker.teller import Teller

log = structlog.get_logger()

#: Renews the lease of the round from a moment on; False when another worker has it.
Renew = Callable[[datetime], Awaitable[bool]]

#: Shares of the lease: after the first nothing is told before it was renewed, and no telling takes longer than the second.
_FRESH_SHARE = 0.25
_TELL_SHARE = 0.5
#: Batches in a row of which nothing is confirmed, until it is the broker's trouble and not that of single events.
_MOST_DEAF = 2


class ChangeTeller:
    """
    Tells first, writes down afterwards: who dies in between leaves it to the next, who tells it under the same id.

    Args:
        follows: where to write.
        teller: for the events.
        clock: the time.
    """

    def __init__(self, follows: Follows, teller: Teller, clock: Clock) -> None:
        self._follows = follows
        self._teller = teller
        self._clock = clock

    async def tell(self, progress: Progress, changes: Iterable[Change | None], renew: Renew) -> None:
        """
        Returns when the changes, of different services, are told and written down, as far as they could be.

        Args:
            progress: of the round in which they were seen.
            changes: None for nothing.
            renew: of its lease.

        Raises:
            Ended: another worker has the round, or the broker confirms nothing.
            LedgerError: the ledger refused; what was told is told again.
        """
        wanted = [change for change in changes if change is not None]
        # What was seen before we were held up is old news once another worker has looked.
        await self._hold(progress, renew)
        if not wanted:
            return
        told = await self._told(wanted, progress.lease_s * _TELL_SHARE)
        await self._follows.note(change.follow for change in told)
        progress.changes += len(told)
        progress.deaf = 0 if told else progress.deaf + 1
        if progress.deaf == _MOST_DEAF:
            raise Ended("the broker does not confirm events")

    async def _told(self, changes: Iterable[Change], limit_s: float) -> list[Change]:
        """
        Those that the broker has confirmed in time. One that it does not take harms no other.
        """
        tasks = {asyncio.create_task(self._tell_one(change)): change for change in changes}
        try:
            done, pending = await asyncio.wait(tasks, timeout=limit_s)
        finally:
            for task in tasks:
                task.cancel()
        if pending:
            log.warning("follow.not_confirmed", events=len(pending), within_s=limit_s)
        return [tasks[task] for task in done if _is_told(task, tasks[task])]

    async def _tell_one(self, change: Change) -> None:
        follow = change.follow
        await self._teller.tell(follow, status_event(change), follow.service_id, sequence=change.sequence)
        note(
            StatusTold(
                request_id=follow.id,
                request_source=follow.source,
                service_id=follow.service_id,
                status=follow.status,
                previous_status=change.previous_status,
                is_final=change.is_final,
                deadline_reached=change.deadline_reached,
            )
        )

    async def _hold(self, progress: Progress, renew: Renew) -> None:
        # Asked again after a renewal that took long: the lease runs from before it.
        while ((now := self._clock.now()) - progress.held_at).total_seconds() >= progress.lease_s * _FRESH_SHARE:
            if not await renew(now):
                raise Ended("another worker has taken the round over")
            progress.held_at = now


def _is_told(task: asyncio.Task[None], change: Change) -> bool:
    # A library's cancellation is not ours: `exception` would raise it here, and end the follower without a word.
    failure = asyncio.CancelledError() if task.cancelled() else task.exception()
    if failure is not None:
        log.error("follow.not_told", service_id=change.follow.service_id, error=repr(failure))
    return failure is None
