"""
The durable record of the services that are followed, and of the rounds in which they are looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from worker.core.following import Follow, Glimpse
from worker.core.rounds import Round


class Follows(Protocol):
    """
    The ledger's part about followed services. Every write is on disk when the call returns.
    Every call may raise LedgerError, with nothing written; repeating it is safe.
    """

    async def begin(self, follow: Follow) -> None:
        """
        Has a service followed from now on, and gives its tenant a round. One that is known stays as it is, also when
        following it is over: safe to repeat.
        """
        ...

    async def rounds(self, now: datetime) -> tuple[Round, ...]:
        """
        The rounds of the tenants that have something followed and whose round nobody else holds.
        """
        ...

    async def take(self, tour: Round, now: datetime) -> bool:
        """
        Leases a round to us. False, without waiting, when somebody else holds it or has made it since it was read.
        """
        ...

    async def renew(self, tour: Round, now: datetime) -> bool:
        """
        Lengthens our lease of a round from `now`. False when another worker has it meanwhile.
        """
        ...

    async def glimpses(self, tenant_id: str | None, service_ids: Iterable[str]) -> tuple[Glimpse, ...]:
        """
        As much as is needed most of the time of those of the tenant's services that are being followed, in any order.
        """
        ...

    async def of_services(self, tenant_id: str | None, service_ids: Iterable[str]) -> tuple[Follow, ...]:
        """
        Those of the tenant's services that are being followed, in any order.
        """
        ...

    async def next_ids(self, tenant_id: str | None, after: str, limit: int) -> tuple[str, ...]:
        """
        Up to `limit` ids of the tenant's followed services, in order, those after the id `after` ("" for the first).
        """
        ...

    async def next_followed(
        self, tenant_id: str | None, after: str, limit: int, *, due_before: datetime | None = None
    ) -> tuple[Follow, ...]:
        """
        Up to `limit` of the tenant's followed services, by service id, those after the id `after` ("" for the first).

        Args:
            tenant_id: whose; None for requests that name no tenant.
            after: the last id of the batch before.
            limit: 1 or more.
            due_before: only those whose deadline lies before that moment.
        """
        ...

    async def note(self, follows: Iterable[Follow]) -> None:
        """
        Writes what was told of each service. What somebody else has told meanwhile (its `changes` are not one less)
        stays as it is.
        """
        ...

    async def finish(self, tour: Round) -> None:
        """
        Writes when the round was made and gives its lease up; nothing when another worker has it meanwhile.
        """
        ...

    async def count(self) -> int:
        """
        How many services are followed.
        """
        ...
