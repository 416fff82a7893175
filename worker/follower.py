"""
Makes the rounds in which followed services are looked at, as they fall due, one after the other.

Any worker makes any round; the ledger's lease keeps two from making the same one.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

import structlog

from worker.core.following import FollowPolicy
from worker.core.rounds import Round, after_round, due_at
from worker.errors import LedgerError
from worker.rounds import Look, Looker
from worker.gate import Gate
from worker.pace import Pace
from worker.ports import Clock, Follows, Paging
from worker.teller import Teller

log = structlog.get_logger()

#: How often to see what others have begun to follow, or have left behind.
_LOOK_S = 5.0
#: To give a lease up on the way out; else it ends by itself.
_GIVE_UP_S = 2.0


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
    Follows services until their status settles.

    Args:
        ports: what to act through.
        policy: how often to look, and what to tell.
        lease_s: how long a round is ours without a word to the ledger.
    """

    def __init__(self, ports: FollowerPorts, policy: FollowPolicy, lease_s: float) -> None:
        self._follows = ports.follows
        self._clock = ports.clock
        self._policy = policy
        self._looker = Looker(ports.follows, ports.cloud, ports.teller, ports.clock, ports.gate, ports.pace)
        self._lease_s = lease_s

    async def run(self) -> None:
        """
        Goes on until it is cancelled.
        """
        while True:
            try:
                wait_s = await self.make_due()
            except LedgerError as exc:
                log.warning("follow.not_made", error=str(exc))
                wait_s = _LOOK_S
            await asyncio.sleep(wait_s)

    async def make_due(self) -> float:
        """
        Makes the round that has been due for longest, if there is one; says in how many seconds to look again.

        Raises:
            LedgerError: the ledger refused; what was told may be told again.
        """
        now = self._clock.now()
        tours = sorted(await self._follows.rounds(now), key=lambda tour: due_at(tour, self._policy))
        for tour in tours:
            left_s = (due_at(tour, self._policy) - now).total_seconds()
            if left_s > 0:
                return min(left_s, _LOOK_S, self._policy.least_interval_s)
            if await self._follows.take(tour, now):
                await self._make(tour)
                return 0.0
        return min(_LOOK_S, self._policy.least_interval_s)

    async def _make(self, tour: Round) -> None:
        began_at = self._clock.now()
        look = Look(tour.tenant_id, began_at, self._policy, self._lease_s)
        try:
            await self._looker.make(look, lambda now: self._follows.renew(tour, now))
        except asyncio.CancelledError:
            # Somebody else may go on at once.
            with suppress(LedgerError, TimeoutError):
                async with asyncio.timeout(_GIVE_UP_S):
                    await self._follows.finish(tour, self._clock.now())
            raise
        except LedgerError:
            raise
        except Exception:
            # A fault of ours must neither end the worker nor be met again at once.
            log.exception("follow.crashed", tenant_id=tour.tenant_id)
            look.is_well = False
        now = self._clock.now()
        made = after_round(tour, look.asked_s, now, self._policy, is_well=look.is_well)
        await self._follows.finish(made, now)
        log.info(
            "follow.round",
            tenant_id=tour.tenant_id,
            pages=look.pages,
            services=look.services,
            followed=look.followed,
            shown=look.shown,
            changes=look.changes,
            is_well=look.is_well,
            asked_s=round(look.asked_s, 4),
            took_s=round((now - began_at).total_seconds(), 4),
        )
