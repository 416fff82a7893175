"""
Makes the rounds in which followed services are looked at, as they fall due.

Any worker makes any round; the ledger's lease keeps two from making the same one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

import structlog

from worker.core.following import FollowPolicy
from worker.core.rounds import Round, after_round, due_at
from worker.errors import LedgerError
from worker.facts import note
from worker.facts.requests import RoundMade
from worker.gate import Gate
from worker.pace import Pace
from worker.ports import Clock, Follows, Paging
from worker.progress import Progress
from worker.rounds import RoundMaker
from worker.teller import Teller

log = structlog.get_logger()

#: How often to see what others have begun to follow, or have left behind.
_LOOK_S = 5.0
#: To give a lease up on the way out; else it ends by itself.
_GIVE_UP_S = 2.0
#: Share of a lease after which it is renewed.
_KEEP_SHARE = 0.125


@dataclass(frozen=True, slots=True)
class FollowerPorts:
    """
    Everything the follower acts through; `pace` is its share of the rates.
    """

    follows: Follows
    cloud: Paging
    teller: Teller
    clock: Clock
    gate: Gate
    pace: Pace


class Follower:
    """
    Follows services until their status settles. Two rounds are under way at most: one of a tenant that fared well last
    time, and one of a tenant that did not, so that nobody waits for an endpoint that hangs but its own tenants.

    Args:
        ports: what to act through.
        policy: how often to look, and what to tell.
        lease_s: how long a round is ours without a word to the ledger.
    """

    def __init__(self, ports: FollowerPorts, policy: FollowPolicy, lease_s: float) -> None:
        self._follows = ports.follows
        self._clock = ports.clock
        self._gate = ports.gate
        self._policy = policy
        self._maker = RoundMaker(ports.follows, ports.cloud, ports.teller, ports.clock, ports.gate, ports.pace)
        self._lease_s = lease_s

    async def run(self) -> None:
        """
        Goes on until it is cancelled; begins nothing any more while the process stops.
        """
        with suppress(LedgerError):
            log.info("follow.started", followed=await self._follows.count())
        async with asyncio.TaskGroup() as group:
            group.create_task(self._run(is_ailing=False), name="follower")
            group.create_task(self._run(is_ailing=True), name="follower-ailing")

    async def _run(self, *, is_ailing: bool) -> None:
        while True:
            wait_s = _LOOK_S
            if not self._gate.is_stopping:
                try:
                    wait_s = await self.make_due(is_ailing=is_ailing)
                except LedgerError as exc:
                    log.warning("follow.not_made", error=str(exc))
            await asyncio.sleep(wait_s)

    async def make_due(self, *, is_ailing: bool = False) -> float:
        """
        Makes the rounds that are due, longest due first; says in how many seconds to look again.

        Args:
            is_ailing: of the tenants whose last round failed, or of all others.

        Raises:
            LedgerError: the ledger refused; what was told may be told again.
        """
        now = self._clock.now()
        tours = [tour for tour in await self._follows.rounds(now) if (tour.failures > 0) is is_ailing]
        dues = sorted(((due_at(tour, now, self._policy), tour) for tour in tours), key=lambda due: due[0])
        for due, tour in dues:
            now = self._clock.now()
            left_s = (due - now).total_seconds()
            if left_s > 0:
                return min(left_s, _LOOK_S, self._policy.least_interval_s)
            # It is ours only if nobody has made it since it was read.
            if not self._gate.is_stopping and await self._follows.take(tour, now):
                await self._make(tour, taken_at=now)
        return min(_LOOK_S, self._policy.least_interval_s)

    async def _make(self, tour: Round, taken_at: datetime) -> None:
        # From before the lease was taken: the ledger may have been slow.
        progress = Progress(tour, taken_at, self._policy, self._lease_s)
        try:
            async with self._kept(tour, progress):
                await self._maker.make(progress, lambda now: self._follows.renew(tour, now))
        except asyncio.CancelledError:
            await self._leave(tour)
            raise
        except LedgerError:
            raise
        except Exception:
            # A fault of ours must neither end the worker nor be met again at once.
            log.exception("follow.crashed", tenant_id=tour.tenant_id)
            progress.is_well = False
        if self._gate.is_stopping and not progress.is_well:
            await self._leave(tour)
            return
        now = self._clock.now()
        await self._follows.finish(after_round(tour, progress.asked_s, now, self._policy, is_well=progress.is_well))
        note(RoundMade())
        tell = log.info if progress.changes or not progress.is_well else log.debug
        tell("follow.round", took_s=round((now - progress.began_at).total_seconds(), 4), **progress.facts())

    async def _leave(self, tour: Round) -> None:
        """
        Gives a round up as it was found: somebody else may make it at once.
        """
        with suppress(LedgerError, TimeoutError):
            async with asyncio.timeout(_GIVE_UP_S):
                await self._follows.finish(tour)

    @asynccontextmanager
    async def _kept(self, tour: Round, progress: Progress) -> AsyncIterator[None]:
        """
        Renews the lease of a round while it is made, however slowly the cloud answers.
        """
        keeping = asyncio.create_task(self._keep(tour, progress), name="follow-lease")
        try:
            yield
        finally:
            keeping.cancel()

    async def _keep(self, tour: Round, progress: Progress) -> None:
        while True:
            await asyncio.sleep(self._lease_s * _KEEP_SHARE)
            now = self._clock.now()
            with suppress(LedgerError):
                if not await self._follows.renew(tour, now):
                    return
                progress.held_at = now
