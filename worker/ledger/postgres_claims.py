"""
Claims on PostgreSQL: a group of them in a few statements, and never waiting for what another worker has locked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime, timedelta

import asyncpg

from worker.core.job import Job, Phase, RequestKey
from worker.ledger import postgres_sql as sql
from worker.ledger.claiming import FORGOTTEN, RIVAL_WAIT, Known, begins, judge
from worker.ledger.postgres_groups import Order
from worker.ledger.postgres_sql import from_text, to_text
from worker.ledger.rows import Row, from_row, to_row
from worker.ports import Claim, Claimed, Held

#: Source and id as they stand in the columns.
Place = tuple[str, str]


@dataclass(slots=True, eq=False, kw_only=True)
class ClaimOrder(Order[Claim]):
    """
    A claim to be made.
    """

    job: Job
    row: Row
    now: datetime
    known: Known | None = None

    @property
    def place(self) -> Place:
        """
        Where its row is, or will be.
        """
        return self.row.source, self.row.id

    @property
    def takes(self) -> bool:
        """
        Whether its result, as far as it is known, has to be written: a new row, or the lease of one under way.
        """
        claim = self.result
        return self.error is None and isinstance(claim, Claimed) and (claim.is_new or claim.job.phase is not Phase.DONE)


def claim_order(job: Job, now: datetime) -> ClaimOrder:
    """
    The order to claim a job; raises ValueError or TypeError for one that cannot be written.
    """
    row = escaped(to_row(job))
    return ClaimOrder(touches=touched_by(row), job=job, row=row, now=now)


def escaped(row: Row) -> Row:
    """
    The row as the columns can hold it.
    """

    def kept(text: str | None) -> str | None:
        return None if text is None else to_text(text)

    return replace(
        row,
        source=to_text(row.source),
        id=to_text(row.id),
        digest=to_text(row.digest),
        router_id=to_text(row.router_id),
        tenant_id=kept(row.tenant_id),
        order_id=kept(row.order_id),
        service_id=kept(row.service_id),
    )


def touched_by(row: Row) -> frozenset[tuple[str, ...]]:
    """
    What a write of this row reads or changes: itself, its router's rule, its service's owner.
    """
    touches: set[tuple[str, ...]] = {("job", row.source, row.id), ("router", row.router_id)}
    if row.service_id is not None:
        touches.add(("service", row.service_id))
    return frozenset(touches)


async def claim_all(connection: asyncpg.Connection, orders: Sequence[ClaimOrder], owner: str, lease: timedelta) -> None:
    """
    Carries out a group of claims, no two of one job or router.

    Nothing here waits for another worker, so nobody's slowness spreads: who is at a row or a router at this moment
    keeps it, and the claim is Held.
    """
    await _read(connection, sql.KNOWN, orders)
    _judge(orders, owner)
    takeovers = [order for order in orders if order.takes and order.known is not None]
    await _read(connection, sql.KNOWN_AND_LOCKED, takeovers)
    for order in takeovers:
        if order.known is None:
            order.result = Held(order.now + RIVAL_WAIT)
    _judge([order for order in takeovers if order.known is not None], owner)
    beginners = [order for order in orders if order.takes and begins(order.known)]
    blocked = await _blocked(connection, beginners)
    _judge([order for order in beginners if order.place in blocked], owner, has_rival=True)
    await _insert(connection, [order for order in orders if order.takes and order.known is None], owner, lease)
    await _lease(connection, [order for order in takeovers if order.takes], owner, lease)


def _judge(orders: Iterable[ClaimOrder], owner: str, *, has_rival: bool = False) -> None:
    for order in orders:
        if order.error is None:
            order.result = judge(order.job, order.known, owner, order.now, has_rival=has_rival)


async def _read(connection: asyncpg.Connection, statement: str, orders: Sequence[ClaimOrder]) -> None:
    found = await rows_of(connection, statement, [order.place for order in orders])
    for order in orders:
        row = found.get(order.place)
        try:
            order.known = None if row is None else to_known(order.job.key, row)
        except (ValueError, TypeError, KeyError) as exc:
            order.error = exc  # a row that nobody can read harms only its own request


async def rows_of(
    connection: asyncpg.Connection, statement: str, places: Sequence[Place]
) -> Mapping[Place, asyncpg.Record]:
    """
    The rows of these places, as one of the KNOWN statements gives them.
    """
    if not places:
        return {}
    rows = await connection.fetch(statement, *zip(*places, strict=True))
    return {(row["source"], row["id"]): row for row in rows}


def to_known(key: RequestKey, row: asyncpg.Record) -> Known:
    """
    What a row says; raises ValueError, TypeError or KeyError when it cannot be read.
    """
    job = from_row(key, from_text(row["digest"]), from_text(row["router_id"]), row["phase"], row["doc"])
    return Known(job, row["owner"], row["leased_until"])


async def _blocked(connection: asyncpg.Connection, orders: Sequence[ClaimOrder]) -> set[Place]:
    if not orders:
        return set()
    keys = [_router_lock(order.row.router_id) for order in orders]
    got = {row["key"] for row in await connection.fetch(sql.LOCK_ROUTERS, keys)}
    blocked = {order.place for order, key in zip(orders, keys, strict=True) if key not in got}
    # Only now: a statement sees what was committed before it began, and whoever had a lock has committed.
    rest = [order for order in orders if order.place not in blocked]
    if rest:
        claims = [(*order.place, order.row.router_id, order.now - FORGOTTEN, order.now) for order in rest]
        rivals = await connection.fetch(sql.RIVALS, *zip(*claims, strict=True))
        blocked |= {(row["source"], row["id"]) for row in rivals}
    return blocked


async def _insert(connection: asyncpg.Connection, orders: Sequence[ClaimOrder], owner: str, lease: timedelta) -> None:
    if not orders:
        return
    rows = [(*astuple(order.row), order.now + lease, order.now) for order in orders]
    inserted = await connection.fetch(sql.INSERT, owner, *zip(*rows, strict=True))
    written = {(row["source"], row["id"]) for row in inserted}
    for order in orders:
        if order.place not in written:  # another worker wrote it since we looked
            order.result = Held(order.now + RIVAL_WAIT)


async def _lease(connection: asyncpg.Connection, orders: Sequence[ClaimOrder], owner: str, lease: timedelta) -> None:
    if orders:
        rows = [(*order.place, order.now + lease) for order in orders]
        await connection.execute(sql.LEASE, owner, *zip(*rows, strict=True))


def _router_lock(router_id: str) -> int:
    # 64 bits are all there is; two routers that share them only wait for each other now and then.
    return int.from_bytes(
        hashlib.blake2b(router_id.encode(), digest_size=8, person=b"vpn-worker").digest(), signed=True
    )
