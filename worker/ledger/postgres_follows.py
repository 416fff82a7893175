"""
What the PostgreSQL ledger knows of followed services.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from worker.core.following import Follow, Glimpse
from worker.core.rounds import Round
from worker.ledger import postgres_follows_sql as sql
from worker.ledger.follow_rows import (
    FollowRow,
    batches_of,
    next_readable,
    readable,
    status_of,
    tenant_column,
    to_follow_row,
)
from worker.ledger.postgres_groups import Groups, Order
from worker.ledger.postgres_server import PostgresServer
from worker.ledger.postgres_sql import from_text, to_text


class PostgresFollows:
    """
    Followed services in the ledger's PostgreSQL database, over a connection of their own: no job waits for them.

    Args:
        server: where the ledger is.
        owner: who we are in leases; unique to this process.
        lease: how long a round is ours without being renewed.
    """

    def __init__(self, server: PostgresServer, owner: str, lease: timedelta) -> None:
        self._owner = owner
        self._lease = lease
        self._groups = Groups(server, _carry_out)

    def start(self) -> None:
        """
        Lets orders be carried out; connects with the first.
        """
        self._groups.start()

    async def close(self) -> None:
        """
        Finishes pending writes and disconnects.
        """
        await self._groups.close()

    async def begin(self, follow: Follow) -> None:
        """
        See Follows.begin.
        """
        row = _escaped(to_follow_row(follow))
        await self._groups.run(_BeginOrder(touches=_touched_by(row), row=row, begun_at=follow.begun_at))

    async def rounds(self, now: datetime) -> tuple[Round, ...]:
        """
        See Follows.rounds.
        """
        rows = await self._rows(sql.ROUNDS, self._owner, now)
        return tuple(Round(from_text(tenant) or None, *rest) for tenant, *rest in rows)

    async def take(self, tour: Round, now: datetime) -> bool:
        """
        See Follows.take.
        """
        return await self._writes(sql.TAKE, tour, tour.last_at, now, now + self._lease)

    async def renew(self, tour: Round, now: datetime) -> bool:
        """
        See Follows.renew.
        """
        return await self._writes(sql.RENEW, tour, now + self._lease)

    async def glimpses(self, tenant_id: str | None, service_ids: Iterable[str]) -> tuple[Glimpse, ...]:
        """
        See Follows.glimpses.
        """
        tenant = to_text(tenant_column(tenant_id))
        found: list[Glimpse] = []
        for ids in batches_of(service_ids):
            rows = await self._rows(sql.GLIMPSES, tenant, [to_text(service_id) for service_id in ids])
            found += [Glimpse(from_text(one), status_of(status), deadline_at) for one, status, deadline_at in rows]
        return tuple(found)

    async def of_services(self, tenant_id: str | None, service_ids: Iterable[str]) -> tuple[Follow, ...]:
        """
        See Follows.of_services.
        """
        tenant = to_text(tenant_column(tenant_id))
        found: list[FollowRow] = []
        for ids in batches_of(service_ids):
            rows = await self._rows(sql.OF_SERVICES, tenant, [to_text(service_id) for service_id in ids])
            found += [follow_row(*row) for row in rows]
        return readable(found)

    async def next_ids(self, tenant_id: str | None, after: str, limit: int) -> tuple[str, ...]:
        """
        See Follows.next_ids.
        """
        rows = await self._rows(sql.NEXT_IDS, to_text(tenant_column(tenant_id)), to_text(after), limit)
        return tuple(from_text(row["service_id"]) for row in rows)

    async def next_followed(
        self, tenant_id: str | None, after: str, limit: int, *, due_before: datetime | None = None
    ) -> tuple[Follow, ...]:
        """
        See Follows.next_followed.
        """
        tenant = to_text(tenant_column(tenant_id))

        async def read(after: str, limit: int) -> list[FollowRow]:
            values = (tenant, to_text(after), limit)
            if due_before is None:
                rows = await self._rows(sql.NEXT, *values)
            else:
                rows = await self._rows(sql.NEXT_DUE, *values, due_before)
            return [follow_row(*row) for row in rows]

        return await next_readable(read, after, limit)

    async def note(self, follows: Iterable[Follow]) -> None:
        """
        See Follows.note.
        """
        rows = [_escaped(to_follow_row(follow)) for follow in follows]
        orders = [_NoteOrder(touches=_touched_by(row), row=row) for row in rows]
        # All of them, whatever becomes of one: those that come at once share a commit.
        results = await asyncio.gather(*(self._groups.run(order) for order in orders), return_exceptions=True)
        for result in results:
            if result is not None:
                raise result

    async def finish(self, tour: Round) -> None:
        """
        See Follows.finish.
        """
        await self._writes(sql.FINISH, tour, tour.last_at, tour.rest_until, tour.failures)

    async def count(self) -> int:
        """
        See Follows.count.
        """
        [(number,)] = await self._rows(sql.COUNT)
        return int(number)

    async def _rows(self, statement: str, *values: object) -> Sequence[asyncpg.Record]:
        return await self._groups.run(_Asked(touches=frozenset(), statement=statement, values=values))

    async def _writes(self, statement: str, tour: Round, *values: object) -> bool:
        tenant = to_text(tenant_column(tour.tenant_id))
        touches = frozenset({("round", tenant)})
        rows = await self._groups.run(
            _Asked(touches=touches, statement=statement, values=(self._owner, tenant, *values))
        )
        return bool(rows)


@dataclass(slots=True, eq=False, kw_only=True)
class _BeginOrder(Order[None]):
    row: FollowRow
    begun_at: datetime


@dataclass(slots=True, eq=False, kw_only=True)
class _NoteOrder(Order[None]):
    row: FollowRow


@dataclass(slots=True, eq=False, kw_only=True)
class _Asked(Order[Sequence[asyncpg.Record]]):
    statement: str
    values: tuple[object, ...]


async def _carry_out(connection: asyncpg.Connection, group: Sequence[Order[Any]]) -> None:
    # Orders of a group touch nothing in common, so their sequence is free.
    await _begin([order for order in group if isinstance(order, _BeginOrder)], connection)
    await _note([order for order in group if isinstance(order, _NoteOrder)], connection)
    for order in group:
        if isinstance(order, _Asked):
            order.result = await connection.fetch(order.statement, *order.values)


async def _begin(orders: Sequence[_BeginOrder], connection: asyncpg.Connection) -> None:
    if orders:
        rounds = [(order.row.tenant_id, order.begun_at) for order in orders]
        await connection.execute(sql.BEGIN_ROUNDS, *zip(*rounds, strict=True))
        await connection.execute(sql.BEGIN, *zip(*(astuple(order.row) for order in orders), strict=True))


async def _note(orders: Sequence[_NoteOrder], connection: asyncpg.Connection) -> None:
    if orders:
        # Ordered, so that no two workers can wait for each other's rows.
        rows = sorted((order.row for order in orders), key=lambda row: (row.source, row.id))
        await connection.execute(sql.NOTE, *zip(*(_told(row) for row in rows), strict=True))


def _told(row: FollowRow) -> tuple[object, ...]:
    moments = (row.changed_at, row.deadline_at)
    return (row.source, row.id, row.status, row.changes, row.is_over, *moments, row.doc)


def _touched_by(row: FollowRow) -> frozenset[tuple[str, ...]]:
    return frozenset({("follow", row.source, row.id)})


def _escaped(row: FollowRow) -> FollowRow:
    return replace(
        row,
        source=to_text(row.source),
        id=to_text(row.id),
        tenant_id=to_text(row.tenant_id),
        service_id=to_text(row.service_id),
    )


def follow_row(*columns: Any) -> FollowRow:
    """
    A row as the statements give it.
    """
    source, request_id, tenant, service_id, *rest = columns
    return FollowRow(from_text(source), from_text(request_id), from_text(tenant), from_text(service_id), *rest)
