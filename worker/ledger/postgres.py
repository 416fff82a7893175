"""
The ledger in PostgreSQL: for workers on several hosts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import structlog

from worker.core.job import Job, Phase, RequestKey
from worker.ledger import postgres_sql as sql
from worker.ledger.postgres_claims import ClaimOrder, claim_all, claim_order
from worker.ledger.postgres_follows import PostgresFollows
from worker.ledger.postgres_groups import Groups, Order
from worker.ledger.postgres_records import postgres_records
from worker.ledger.postgres_saves import SaveOrder, amend, save_all, save_order
from worker.ledger.postgres_schema import update_schema
from worker.ledger.postgres_server import PostgresServer
from worker.ledger.postgres_sql import from_text, to_text
from worker.ledger.rows import from_row
from worker.ports import Claim, Saved

log = structlog.get_logger()

_TIMEOUT_S = 10.0
#: A clock this far from the server's is told at the start.
_CLOCK_WARNING_S = 5.0


class PostgresLedger:
    """
    Jobs in a PostgreSQL database that any number of workers share; every commit is on its disk.

    Leases are measured by the workers' own clocks, as everything else here is. A host whose clock is ahead takes jobs
    over early by as much, which costs a look-up and no service: what the former owner saves is LEASE_LOST. So keep the
    hosts' clocks within a few seconds of each other, far less than a lease; the start warns otherwise.

    One connection serves claims and saves, in groups, and one what is followed; rare tasks have a connection each. A commit whose answer was
    lost may have been written. It is safe to repeat: a save is recognised, and a claim is no longer new, so that the
    engine looks before it posts.

    Args:
        url: `postgresql://user:password@host:port/database`.
        owner: who we are in leases; unique to this process.
        lease_s: how long a claim lasts without a write; longer than the longest API call.
        timeout_s: limit for connecting and for each transaction.

    Attributes:
        follows: the part about followed services.
        records: the part for people.
    """

    def __init__(self, url: str, owner: str, lease_s: float, timeout_s: float = _TIMEOUT_S) -> None:
        self._owner = owner
        self._lease = timedelta(seconds=lease_s)
        self._server = PostgresServer(url, timeout_s)
        self._groups = Groups(self._server, self._carry_out)
        self.follows = PostgresFollows(self._server, owner, self._lease)
        self.records = postgres_records(self._session)

    async def start(self) -> None:
        """
        Connects and brings the schema up to date; raises LedgerError.
        """
        async with self._server.session() as connection:
            await update_schema(connection, self._server.place)
            theirs: datetime = await connection.fetchval("SELECT clock_timestamp()")
        ahead_s = (datetime.now(UTC) - theirs).total_seconds()
        if abs(ahead_s) > _CLOCK_WARNING_S:
            log.warning("ledger.clock_differs", ahead_s=round(ahead_s, 3), remedy="let NTP set both clocks")
        self._groups.start()
        self.follows.start()

    async def close(self) -> None:
        """
        Finishes pending writes and disconnects.
        """
        # At once: a server that is away may keep each of them waiting.
        await asyncio.gather(self._groups.close(), self.follows.close())

    async def claim(self, job: Job, now: datetime) -> Claim:
        """
        See Ledger.claim.
        """
        return await self._groups.run(claim_order(job, now))

    async def save(self, job: Job, now: datetime) -> Saved:
        """
        See Ledger.save.
        """
        until = None if job.phase is Phase.DONE else now + self._lease
        return await self._groups.run(save_order(job, now, until))

    async def release(self, job: Job, now: datetime) -> Saved:
        """
        See Ledger.release.
        """
        return await self._groups.run(save_order(job, now, until=None))

    async def owned(self, service_ids: Iterable[str], by_others_than: RequestKey) -> frozenset[str]:
        """
        See Ledger.owned.
        """
        ids = {to_text(service_id): service_id for service_id in service_ids}
        touches = frozenset(("service", service_id) for service_id in ids)
        return await self._groups.run(_OwnedOrder(touches=touches, ids=ids, key=by_others_than))

    async def counts(self) -> Mapping[str, int]:
        """
        See Ledger.counts.
        """
        async with self._session() as connection:
            return {row["state"]: row["jobs"] for row in await connection.fetch(sql.COUNTS)}

    async def find(self, request_id: str, source: str | None = None) -> tuple[Job, ...]:
        """
        See Ledger.find.
        """
        wanted = to_text(request_id)
        async with self._session() as connection:
            if source is None:
                rows = await connection.fetch(sql.FIND, wanted)
            else:
                rows = await connection.fetch(sql.FIND_ONE, to_text(source), wanted)
        return tuple(_found(request_id, row) for row in rows)

    async def amend(self, was: Job, job: Job, now: datetime) -> Saved:
        """
        See Ledger.amend.
        """
        return await self._groups.run(save_order(job, now, until=None, was=was))

    async def prune(self, done_before: datetime, limit: int) -> int:
        """
        See Ledger.prune. What was followed goes with its job; notes about suspects that are as old go too, uncounted.
        """
        async with self._session() as connection:
            await connection.execute(sql.PRUNE_SUSPECTS, done_before)
            done = await connection.execute(sql.PRUNE, done_before, limit)
        return int(done.removeprefix("DELETE "))

    async def mark_suspect(self, fingerprint: str, now: datetime) -> int:
        """
        See Ledger.mark_suspect.
        """
        text = to_text(fingerprint)
        return await self._groups.run(_MarkOrder(touches=frozenset({("suspect", text)}), fingerprint=text, now=now))

    async def clear_suspect(self, fingerprint: str) -> None:
        """
        See Ledger.clear_suspect.
        """
        text = to_text(fingerprint)
        await self._groups.run(_ClearOrder(touches=frozenset({("suspect", text)}), fingerprint=text))

    def _session(self) -> AbstractAsyncContextManager[asyncpg.Connection]:
        self._groups.refuse_when_closed()
        return self._server.session()

    async def _carry_out(self, connection: asyncpg.Connection, group: Sequence[Order[Any]]) -> None:
        # Orders of a group touch nothing in common, so their sequence is free. Saves come first: they alone may wait
        # for another worker's rows, and who waits must hold nothing that others could want.
        saves = [order for order in group if isinstance(order, SaveOrder)]
        await save_all(connection, [order for order in saves if order.was is None], self._owner)
        for order in group:
            match order:
                case SaveOrder(was=Job()):
                    await amend(connection, order)
                case _MarkOrder():
                    order.result = await connection.fetchval(sql.MARK_SUSPECT, order.fingerprint, order.now)
        await _clear([order for order in group if isinstance(order, _ClearOrder)], connection)
        claims = [order for order in group if isinstance(order, ClaimOrder)]
        await claim_all(connection, claims, self._owner, self._lease)
        await _look_up([order for order in group if isinstance(order, _OwnedOrder)], connection)


@dataclass(slots=True, eq=False, kw_only=True)
class _OwnedOrder(Order[frozenset[str]]):
    ids: Mapping[str, str]
    key: RequestKey


@dataclass(slots=True, eq=False, kw_only=True)
class _MarkOrder(Order[int]):
    fingerprint: str
    now: datetime


@dataclass(slots=True, eq=False, kw_only=True)
class _ClearOrder(Order[None]):
    fingerprint: str


async def _clear(orders: Sequence[_ClearOrder], connection: asyncpg.Connection) -> None:
    if orders:
        await connection.execute(sql.CLEAR_SUSPECTS, [order.fingerprint for order in orders])


async def _look_up(orders: Sequence[_OwnedOrder], connection: asyncpg.Connection) -> None:
    ids = {service_id for order in orders for service_id in order.ids}
    rows = await connection.fetch(sql.OWNERS, list(ids)) if ids else []
    owners = {row["service_id"]: RequestKey(from_text(row["source"]), from_text(row["id"])) for row in rows}
    for order in orders:
        order.result = frozenset(
            service_id for text, service_id in order.ids.items() if owners.get(text, order.key) != order.key
        )


def _found(request_id: str, row: asyncpg.Record) -> Job:
    key = RequestKey(from_text(row["source"]), request_id)
    return from_row(key, from_text(row["digest"]), from_text(row["router_id"]), row["phase"], row["doc"])
