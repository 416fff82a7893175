"""
One round: looks at all followed services of a tenant, by the pages of its list, and at what the list is silent about one
by one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

import structlog

from worker.changes import ChangeTeller, Renew
from worker.core.answers import Busy, Listed, Misconfigured, Service, Throttled
from worker.core.following import Change, Ending, Follow, is_news, missing, seen, unanswered
from worker.gate import Gate
from worker.pace import Pace
from worker.ports import Clock, Follows, Page, Paging
from worker.progress import Ended, Progress, Unanswered
from worker.teller import Teller

log = structlog.get_logger()

A = TypeVar("A", bound=Page | Service | Listed | Busy | Throttled | Misconfigured)

#: Services that are read from the ledger, asked for and told in one go; ids alone.
_BATCH = 100
_IDS = 1000
#: Pages of one list; a cloud with more leaves the rest to be asked for one by one.
_MOST_PAGES = 2000
#: Services that are asked for one by one in a round. Which ones is luck, so that none is left out for ever.
_MOST_SILENT = 500
#: So many that the list was silent about and that are there are worth a word.
_NOTABLE_SILENT = 10
#: Calls for the same page, when they fail quickly, and the wait after the first; then doubled.
_TRIES = 3
_FIRST_WAIT_S = 0.5
_QUICK_S = 5.0
#: Services in a row that could not be shown: it is not theirs, the round ends.
_MOST_UNSHOWN = 5
#: More services than that are not gone all at once, all but younger ones: the login leads elsewhere.
_MOST_ABSENT = 10
_ALL_ABSENT = "none of the elder services is there any more; does the login still lead to their project?"
#: Share of the lease for which a call waits until the cloud may be asked.
_WAIT_SHARE = 0.25


class RoundMaker:
    """
    Makes rounds.

    Args:
        follows: what is followed.
        cloud: whom to ask.
        teller: for the events.
        clock: time, and luck for the order of the silent ones.
        gate: says when the cloud may be asked.
        pace: the follower's own share of the rates.
    """

    def __init__(self, follows: Follows, cloud: Paging, teller: Teller, clock: Clock, gate: Gate, pace: Pace) -> None:
        self._follows = follows
        self._cloud = cloud
        self._changes = ChangeTeller(follows, teller, clock)
        self._clock = clock
        self._gate = gate
        self._pace = pace

    async def make(self, progress: Progress, renew: Renew) -> None:
        """
        Makes a round. What it could not see to the end stays as it was in the ledger; `progress` says how far it came.

        Args:
            progress: just begun.
            renew: the lease of the round.

        Raises:
            LedgerError: the ledger refused.
        """
        try:
            try:
                await self._read_pages(progress, renew)
                await self._ask_for_silent(progress, renew)
            except Unanswered as end:
                _note(progress, end)
                await self._end_overdue(progress, renew)
        except Ended as end:
            _note(progress, end)

    async def _read_pages(self, progress: Progress, renew: Renew) -> None:
        tries = 1 if progress.tour.failures else _TRIES
        links = {hash(None)}
        after: str | None = None
        while True:
            answer = await self._asked(progress, self._page_call(progress, after), tries)
            if not isinstance(answer, Page):
                raise Unanswered(answer.trouble.message)
            progress.pages += 1
            progress.services += len(answer.services)
            await self._heed_page(progress, answer.services, renew)
            after = answer.next
            if after is None:
                return
            if hash(after) in links or progress.pages == _MOST_PAGES:
                progress.is_well = False
                log.warning("follow.list_without_end", tenant_id=progress.tenant_id, pages=progress.pages)
                return
            links.add(hash(after))

    def _page_call(
        self, progress: Progress, after: str | None
    ) -> Callable[[], Awaitable[Page | Busy | Throttled | Misconfigured]]:
        return lambda: self._cloud.list_page(progress.tenant_id, after)

    async def _heed_page(self, progress: Progress, services: tuple[Service, ...], renew: Renew) -> None:
        now = self._clock.now()
        shown = {service.id: service for service in services}
        glimpses = await self._follows.glimpses(progress.tenant_id, shown)
        for glimpse in glimpses:
            progress.note_shown(glimpse)
        # Most of them are as they were: only the others are read in full.
        news = [one.service_id for one in glimpses if is_news(one, shown[one.service_id], now)]
        follows = await self._follows.of_services(progress.tenant_id, news) if news else ()
        changes = (seen(follow, shown[follow.service_id], now, progress.policy) for follow in follows)
        await self._changes.tell(progress, changes, renew)

    async def _ask_for_silent(self, progress: Progress, renew: Renew) -> None:
        listed = progress.followed
        silent = await self._silent(progress)
        for begin in range(0, len(silent), _BATCH):
            follows = await self._follows.of_services(progress.tenant_id, silent[begin : begin + _BATCH])
            # What was first followed since need not be on the pages.
            older = [follow for follow in follows if follow.begun_at < progress.began_at]
            await self._ask_for(progress, older, renew)
        if progress.followed - listed >= _NOTABLE_SILENT:
            log.warning("follow.list_incomplete", tenant_id=progress.tenant_id, services=progress.followed - listed)

    async def _silent(self, progress: Progress) -> Sequence[str]:
        after, silent = "", list[str]()
        while ids := await self._follows.next_ids(progress.tenant_id, after, _IDS):
            after = ids[-1]
            silent += [service_id for service_id in ids if hash(service_id) not in progress.heard_of]
        first = int(self._clock.roll() * len(silent))
        return (silent[first:] + silent[:first])[:_MOST_SILENT]

    async def _ask_for(self, progress: Progress, follows: Iterable[Follow], renew: Renew) -> None:
        changes: list[Change] = []
        end: Ended | None = None
        for follow in follows:
            try:
                change = await self._looked_at(progress, follow)
            except Ended as exc:
                end = exc
                break
            except Exception:
                # A fault of ours with one service is no reason to look at no other.
                log.exception("follow.crashed", service_id=follow.service_id)
                continue
            changes += [] if change is None else [change]
            if progress.absent > _MOST_ABSENT:
                end = Unanswered(_ALL_ABSENT)
                changes = [change for change in changes if change.follow.ending is not Ending.GONE]
                break
            if progress.unshown == _MOST_UNSHOWN:
                end = Unanswered("the cloud does not show services one by one")
                break
        # What was seen is told also when the rest could not be.
        await self._changes.tell(progress, changes, renew)
        if end is not None:
            raise end

    async def _looked_at(self, progress: Progress, follow: Follow) -> Change | None:
        progress.shown += 1
        answer = await self._asked(progress, lambda: self._cloud.show(follow.service_id, follow.tenant_id), tries=1)
        now = self._clock.now()
        progress.unshown = 0 if isinstance(answer, Service | Listed) else progress.unshown + 1
        match answer:
            case Service():
                progress.note_shown(follow)
                return seen(follow, answer, now, progress.policy)
            case Listed():
                change = missing(follow, now, progress.policy)
                progress.absent += change is not None and progress.is_elder(follow)
                return change
            case _:
                log.warning("follow.not_shown", service_id=follow.service_id, reason=answer.trouble.message)
                return unanswered(follow, now)

    async def _end_overdue(self, progress: Progress, renew: Renew) -> None:
        """
        Ends what is followed for far longer than it should be, while the cloud cannot be asked.
        """
        after, now = "", self._clock.now()
        if now < progress.tour.deadline_at:
            return
        while batch := await self._follows.next_followed(progress.tenant_id, after, _BATCH, due_before=now):
            after = batch[-1].service_id
            await self._changes.tell(progress, (unanswered(follow, now) for follow in batch), renew)

    async def _asked(self, progress: Progress, ask: Callable[[], Awaitable[A]], tries: int) -> A:
        """
        What the cloud says in the end. What took long is not asked again at once: the next round will.
        """
        loop = asyncio.get_running_loop()
        wait_s = _FIRST_WAIT_S
        for left in reversed(range(tries)):
            async with self._pace.turn():
                await self._until_open(progress)
                began_s = loop.time()
                answer = await ask()
            took_s = loop.time() - began_s
            progress.asked_s += took_s
            match answer:
                case Throttled():
                    progress.is_well = False
                    self._gate.heed_throttled(answer)  # it shuts: the next call waits for as long as it asks
                case Busy() if left and took_s < _QUICK_S:
                    await asyncio.sleep(wait_s)
                    wait_s *= 2
                case _:
                    break
        progress.is_well = progress.is_well and isinstance(answer, Page | Service | Listed)
        return answer

    async def _until_open(self, progress: Progress) -> None:
        try:
            async with asyncio.timeout(progress.lease_s * _WAIT_SHARE):
                is_open = await self._gate.call_beside()
        except TimeoutError:
            # Another worker may be let in; and deadlines do not wait for ever.
            raise Unanswered(self._gate.trouble or "the cloud could not be asked in time") from None
        if not is_open:
            raise Ended("the process is stopping")


def _note(progress: Progress, end: Ended) -> None:
    progress.is_well = False
    log.warning("follow.not_completed", tenant_id=progress.tenant_id, reason=str(end))
