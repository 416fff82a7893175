"""
What the SQLite ledger knows of followed services.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from worker.core.following import Follow, Glimpse
from worker.core.rounds import Round
from worker.ledger import sqlite_follows_sql as sql
from worker.ledger.follow_rows import (
    FollowRow,
    batches_of,
    next_readable,
    readable,
    status_of,
    tenant_column,
    to_follow_row,
)
from worker.ledger.writer import GroupWriter


class SqliteFollows:
    """
    Followed services in the ledger's SQLite file; reads and writes take turns with those of the jobs.

    Args:
        writer: of the ledger's file.
        owner: who we are in leases; unique to this process.
        lease: how long a round is ours without being renewed.
    """

    def __init__(self, writer: GroupWriter, owner: str, lease: timedelta) -> None:
        self._writer = writer
        self._owner = owner
        self._lease = lease

    async def begin(self, follow: Follow) -> None:
        """
        See Follows.begin.
        """
        await self._writer.run(partial(_begin, to_follow_row(follow), follow.begun_at.timestamp()))

    async def rounds(self, now: datetime) -> tuple[Round, ...]:
        """
        See Follows.rounds.
        """
        rows = await self._all(sql.ROUNDS, self._owner, now.timestamp())
        return tuple(_round(*row) for row in rows)

    async def take(self, tour: Round, now: datetime) -> bool:
        """
        See Follows.take.
        """
        place = (tenant_column(tour.tenant_id), tour.last_at.timestamp())
        until = (now + self._lease).timestamp()
        return await self._writes(sql.TAKE, self._owner, until, *place, self._owner, now.timestamp())

    async def renew(self, tour: Round, now: datetime) -> bool:
        """
        See Follows.renew.
        """
        until = (now + self._lease).timestamp()
        return await self._writes(sql.RENEW, until, tenant_column(tour.tenant_id), self._owner)

    async def glimpses(self, tenant_id: str | None, service_ids: Iterable[str]) -> tuple[Glimpse, ...]:
        """
        See Follows.glimpses.
        """
        found: list[Glimpse] = []
        for ids in batches_of(service_ids):
            rows = await self._all(sql.glimpses(len(ids)), tenant_column(tenant_id), *ids)
            found += [Glimpse(one, status_of(status), moment_of(deadline_at)) for one, status, deadline_at in rows]
        return tuple(found)

    async def of_services(self, tenant_id: str | None, service_ids: Iterable[str]) -> tuple[Follow, ...]:
        """
        See Follows.of_services.
        """
        found: list[FollowRow] = []
        for ids in batches_of(service_ids):
            found += await self._writer.run(partial(_of_services, tenant_column(tenant_id), ids))
        return readable(found)

    async def next_ids(self, tenant_id: str | None, after: str, limit: int) -> tuple[str, ...]:
        """
        See Follows.next_ids.
        """
        rows = await self._all(sql.NEXT_IDS, tenant_column(tenant_id), after, limit)
        return tuple(service_id for (service_id,) in rows)

    async def next_followed(
        self, tenant_id: str | None, after: str, limit: int, *, due_before: datetime | None = None
    ) -> tuple[Follow, ...]:
        """
        See Follows.next_followed.
        """
        tenant = tenant_column(tenant_id)

        async def read(after: str, limit: int) -> list[FollowRow]:
            if due_before is None:
                rows = await self._all(sql.NEXT, tenant, after, limit)
            else:
                rows = await self._all(sql.NEXT_DUE, tenant, after, due_before.timestamp(), limit)
            return [follow_row(*row) for row in rows]

        return await next_readable(read, after, limit)

    async def note(self, follows: Iterable[Follow]) -> None:
        """
        See Follows.note.
        """
        told = [_told_values(to_follow_row(follow)) for follow in follows]
        await self._writer.run(lambda database: database.executemany(sql.NOTE, told).rowcount)

    async def finish(self, tour: Round) -> None:
        """
        See Follows.finish.
        """
        made = (tour.last_at.timestamp(), tour.rest_until.timestamp(), tour.failures)
        await self._writes(sql.FINISH, *made, tenant_column(tour.tenant_id), self._owner)

    async def count(self) -> int:
        """
        See Follows.count.
        """
        [(number,)] = await self._all(sql.COUNT)
        return int(number)

    async def _all(self, statement: str, *values: object) -> list[Any]:
        return await self._writer.run(lambda database: database.execute(statement, values).fetchall())

    async def _writes(self, statement: str, *values: object) -> bool:
        return await self._writer.run(lambda database: database.execute(statement, values).rowcount > 0)


def _begin(row: FollowRow, begun_at: float, database: sqlite3.Connection) -> None:
    database.execute(sql.BEGIN_ROUND, (row.tenant_id, begun_at, begun_at))
    moments = (row.changed_at.timestamp(), row.deadline_at.timestamp())
    values = (
        row.source,
        row.id,
        row.tenant_id,
        row.service_id,
        row.status,
        row.changes,
        row.is_over,
        *moments,
        row.doc,
    )
    database.execute(sql.BEGIN, values)


def _of_services(tenant: str, ids: Iterable[str], database: sqlite3.Connection) -> list[FollowRow]:
    found = (database.execute(sql.OF_SERVICE, (tenant, service_id)).fetchall() for service_id in ids)
    return [follow_row(*row) for rows in found for row in rows]


def _told_values(row: FollowRow) -> tuple[object, ...]:
    moments = (row.changed_at.timestamp(), row.deadline_at.timestamp())
    return (row.status, row.changes, row.is_over, *moments, row.doc, row.source, row.id, row.changes - 1)


def _round(
    tenant: str, last_at: float, rest_until: float, failures: int, newest_at: float, deadline_at: float
) -> Round:
    moments = (moment_of(last_at), moment_of(rest_until), failures, moment_of(newest_at), moment_of(deadline_at))
    return Round(tenant or None, *moments)


def follow_row(*columns: Any) -> FollowRow:
    """
    A row as the statements give it.
    """
    source, request_id, tenant, service_id, status, changes, is_over, changed_at, deadline_at, doc = columns
    moments = (moment_of(changed_at), moment_of(deadline_at))
    return FollowRow(source, request_id, tenant, service_id, status, changes, bool(is_over), *moments, doc)


def moment_of(stamp: float) -> datetime:
    """
    The moment of a column, to the microsecond: until 2242 a float of seconds tells them apart.
    """
    return datetime.fromtimestamp(stamp, UTC)
