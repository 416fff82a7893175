"""
One look at all followed services of a tenant: the pages of its list, and what the list is silent about one by one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import structlog

from worker.core.answers import Busy, Listed, Misconfigured, Service, Throttled
from worker.core.concurrency import Signal
from worker.core.following import Change, Follow, FollowPolicy, missing, seen, unanswered
from worker.core.signals import signal_of
from worker.core.telling import status_event
from worker.gate import Gate
from worker.pace import Pace
from worker.ports import Clock, Follows, Page, Paging
from worker.teller import Teller

log = structlog.get_logger()

A = TypeVar("A", bound=Page | Service | Listed | Busy | Throttled | Misconfigured)
#: Whether the round is still ours, from a moment on.
Holding = Callable[[datetime], Awaitable[bool]]

#: Followed services read from the ledger at once, and told at once when the list is silent about them.
_BATCH = 200
#: Calls for the same page or service until a round goes on without it, and the wait after the first; then doubled.
_TRIES = 3
_FIRST_WAIT_S = 0.5
#: Services in a row that could not be shown: it is not theirs, the round ends.
_MOST_UNSHOWN = 3
#: More services than that are not gone all at once, and no other there: the login leads elsewhere.
_MOST_ABSENT = 10
_ALL_ABSENT = "none of the followed services is there any more; does the login still lead to their project?"
#: Shares of the lease: after the first it is renewed, and no telling takes longer than the second.
_RENEW_SHARE = 0.25
_TELL_SHARE = 0.5


class _Ended(Exception):  # noqa: N818 - a turn of events, not an error
    """
    The look ends before it is complete: the process stops, or another worker has the round.
    """


class _Unanswered(_Ended):
    """
    The cloud does not answer, or not in a way that can be believed.
    """


@dataclass(slots=True)
class Look:
    """
    One look at a tenant's services, and how far it came.

    Attributes:
        tenant_id: whose services.
        began_at: aware UTC; what was first followed later may not be on its pages.
        policy: what to tell.
        lease_s: how long the round is ours without a renewal.
        is_well: the cloud has answered everything, and did not ask for calm.
        pages, services: how much the cloud has listed.
        followed: how many followed ones the cloud has shown.
        shown: services that were asked for one by one.
        changes: what was told.
        asked_s: how long calls to the cloud were under way.
        heard_of: hashes of the followed services that were listed.
        held_at: since when the round is known to be ours.
    """

    tenant_id: str | None
    began_at: datetime
    policy: FollowPolicy
    lease_s: float
    is_well: bool = True
    pages: int = 0
    services: int = 0
    followed: int = 0
    shown: int = 0
    changes: int = 0
    asked_s: float = 0.0
    heard_of: set[int] = field(default_factory=set)
    held_at: datetime | None = None


class Looker:
    """
    Looks at services, tells what has changed, then writes it down.

    Args:
        follows: what is followed.
        cloud: whom to ask.
        teller: for the events.
        clock: the time.
        gate: says when the cloud may be asked.
        pace: the follower's own share of the rates; each call takes its turn among all others as well.
    """

    def __init__(self, follows: Follows, cloud: Paging, teller: Teller, clock: Clock, gate: Gate, pace: Pace) -> None:
        self._follows = follows
        self._cloud = cloud
        self._teller = teller
        self._clock = clock
        self._gate = gate
        self._pace = pace

    async def make(self, look: Look, is_ours: Holding) -> None:
        """
        Makes a look. What it could not see to the end stays as it was in the ledger; `look` says how far it came.

        Args:
            look: just begun.
            is_ours: renews the lease of the round; False when another worker has it.

        Raises:
            LedgerError: the ledger refused.
        """
        look.held_at = look.began_at
        try:
            try:
                await self._read_pages(look, is_ours)
                await self._ask_for_silent(look, is_ours)
            except _Unanswered as end:
                _note_end(look, end)
                await self._end_overdue(look, is_ours)
        except _Ended as end:
            _note_end(look, end)

    async def _read_pages(self, look: Look, is_ours: Holding) -> None:
        after: str | None = None
        links = set[int]()
        while True:
            at = after
            answer = await self._asked(look, lambda: self._cloud.list_page(look.tenant_id, at))  # noqa: B023 - awaited here
            if not isinstance(answer, Page):
                raise _Unanswered(answer.trouble.message)
            look.pages += 1
            look.services += len(answer.services)
            await self._heed_page(look, answer.services, is_ours)
            after = answer.next
            if after is None:
                return
            if hash(after) in links:
                raise _Unanswered("the cloud's pages lead in a circle")
            links.add(hash(after))

    async def _heed_page(self, look: Look, services: tuple[Service, ...], is_ours: Holding) -> None:
        now = self._clock.now()
        shown = {service.id: service for service in services}
        follows = await self._follows.of_services(look.tenant_id, shown)
        look.followed += len(follows)
        look.heard_of.update(hash(follow.service_id) for follow in follows)
        changes = (seen(follow, shown[follow.service_id], now, look.policy) for follow in follows)
        await self._tell(look, changes, is_ours)

    async def _ask_for_silent(self, look: Look, is_ours: Holding) -> None:
        after, unshown, absent = "", 0, 0
        while batch := await self._follows.next_followed(look.tenant_id, after, _BATCH):
            after = batch[-1].service_id
            changes: list[Change | None] = []
            for follow in batch:
                if hash(follow.service_id) in look.heard_of or follow.begun_at >= look.began_at:
                    continue
                answer = await self._shown(look, follow)
                now = self._clock.now()
                match answer:
                    case Service():
                        look.followed += 1
                        changes.append(seen(follow, answer, now, look.policy))
                    case Listed():
                        absent += 1
                        changes.append(missing(follow, now, look.policy))
                    case _:
                        changes.append(unanswered(follow, now))
                unshown = 0 if isinstance(answer, Service | Listed) else unshown + 1
                if absent > _MOST_ABSENT and look.followed == 0:
                    raise _Unanswered(_ALL_ABSENT)
                if unshown == _MOST_UNSHOWN:
                    raise _Unanswered("the cloud does not show services one by one")
            await self._tell(look, changes, is_ours)

    async def _shown(self, look: Look, follow: Follow) -> Service | Listed | Busy | Throttled | Misconfigured:
        look.shown += 1
        answer = await self._asked(look, lambda: self._cloud.show(follow.service_id, follow.tenant_id))
        if not isinstance(answer, Service | Listed):
            log.warning("follow.not_shown", service_id=follow.service_id, reason=answer.trouble.message)
        return answer

    async def _end_overdue(self, look: Look, is_ours: Holding) -> None:
        """
        Ends what is followed for far longer than it should be, while the cloud cannot be asked.
        """
        after, now = "", self._clock.now()
        while batch := await self._follows.next_followed(look.tenant_id, after, _BATCH, due_before=now):
            after = batch[-1].service_id
            await self._tell(look, (unanswered(follow, now) for follow in batch), is_ours)

    async def _asked(self, look: Look, ask: Callable[[], Awaitable[A]]) -> A:
        """
        What the cloud says, in the end, when it is asked patiently.
        """
        wait_s = _FIRST_WAIT_S
        for left in reversed(range(_TRIES)):
            async with self._pace.turn(), self._gate.look_turn() as turn:
                if turn is None:
                    raise _Ended("the process is stopping")
                began_s = asyncio.get_running_loop().time()
                answer = await ask()
                look.asked_s += asyncio.get_running_loop().time() - began_s
                turn.heard(Signal.OK if isinstance(answer, Page | Service) else signal_of(answer))
            match answer:
                case Throttled():
                    look.is_well = False
                    self._gate.heed_throttled(answer)  # it shuts: the next turn waits for as long as it asks
                case Busy() if left:
                    await asyncio.sleep(wait_s)
                    wait_s *= 2
                case _:
                    break
        look.is_well = look.is_well and isinstance(answer, Page | Service | Listed)
        return answer

    async def _tell(self, look: Look, changes: Iterable[Change | None], is_ours: Holding) -> None:
        """
        Tells changes of different services at once, then writes down what was told.
        """
        wanted = [change for change in changes if change is not None]
        await self._hold(look, is_ours)
        if not wanted:
            return
        # An event that leaves when the round is another worker's could come after what that one has told: no telling
        # outlasts the lease.
        tasks = {asyncio.create_task(self._tell_one(change)): change for change in wanted}
        try:
            done, pending = await asyncio.wait(tasks, timeout=look.lease_s * _TELL_SHARE)
        except BaseException:
            for task in tasks:
                task.cancel()
            raise
        for task in pending:
            task.cancel()
        told = [tasks[task] for task in done if not _failure(task, tasks[task])]
        await self._follows.note(change.follow for change in told)
        look.changes += len(told)
        if pending:
            raise _Ended("the broker does not confirm events")
        if len(told) < len(wanted):
            look.is_well = False

    async def _tell_one(self, change: Change) -> None:
        follow = change.follow
        await self._teller.tell(follow, status_event(change), follow.service_id, sequence=change.sequence)
        log.info(
            "service.status_changed",
            request_id=follow.id,
            request_source=follow.source,
            service_id=follow.service_id,
            status=follow.status,
            previous_status=change.previous_status,
            is_final=change.is_final,
            deadline_reached=change.deadline_reached,
        )

    async def _hold(self, look: Look, is_ours: Holding) -> None:
        """
        Makes sure that the round is ours for at least as long as a telling may take.
        """
        now = self._clock.now()
        held_at = look.held_at or look.began_at
        if (now - held_at).total_seconds() < look.lease_s * _RENEW_SHARE:
            return
        if not await is_ours(now):
            raise _Ended("another worker has taken the round over")
        look.held_at = now


def _note_end(look: Look, end: _Ended) -> None:
    look.is_well = False
    log.warning("follow.not_completed", tenant_id=look.tenant_id, reason=str(end))


def _failure(task: asyncio.Task[None], change: Change) -> BaseException | None:
    """
    Why an event could not be told; one that cannot be written harms only itself.
    """
    failure = task.exception()
    if failure is not None:
        log.error("follow.not_told", service_id=change.follow.service_id, error=repr(failure))
    return failure
