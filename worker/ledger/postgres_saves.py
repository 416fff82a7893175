"""
Writes to known jobs on PostgreSQL: what workers save, a group in one statement, and what people amend.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from worker.core.job import Job
from worker.ledger import postgres_sql as sql
from worker.ledger.claiming import is_kept, is_still
from worker.ledger.postgres_claims import Place, escaped, rows_of, to_known, touched_by
from worker.ledger.postgres_groups import Order
from worker.ledger.rows import Row, to_row
from worker.ports import Saved


@dataclass(slots=True, eq=False, kw_only=True)
class SaveOrder(Order[Saved]):
    """
    A job to be written.

    Attributes:
        until: when the lease ends that is kept; None gives it up.
        was: the job as a person saw it who amends it; None for a worker's own.
    """

    job: Job
    row: Row
    now: datetime
    until: datetime | None
    was: Job | None = None

    @property
    def place(self) -> Place:
        """
        Where its row is.
        """
        return self.row.source, self.row.id

    @property
    def values(self) -> tuple[object, ...]:
        """
        What the statements need, in their order.
        """
        row = self.row
        state = (row.phase, row.outcome, row.service_id, row.attempts, row.doc)
        return (*self.place, *state, self.now, self.until)

    def clashed(self) -> bool:
        """
        See Order.clashed: another job has taken the service at the same moment.
        """
        self.result = Saved.SERVICE_TAKEN
        return True


def save_order(job: Job, now: datetime, until: datetime | None, was: Job | None = None) -> SaveOrder:
    """
    The order to write a job; raises ValueError or TypeError for one that cannot be written.
    """
    row = escaped(to_row(job))
    return SaveOrder(touches=touched_by(row), job=job, row=row, now=now, until=until, was=was)


async def save_all(connection: asyncpg.Connection, orders: Sequence[SaveOrder], owner: str) -> None:
    """
    Carries out a group of saves, no two of one job or service.
    """
    if not orders:
        return
    # Ordered, so that no two workers can wait for each other's rows.
    ordered = sorted(orders, key=lambda order: order.place)
    written = await connection.fetch(sql.SAVE, owner, *zip(*(order.values for order in ordered), strict=True))
    places = {(row["source"], row["id"]) for row in written}
    left = [order for order in ordered if order.place not in places]
    found = await rows_of(connection, sql.KNOWN, [order.place for order in left])
    for order in ordered:
        row = found.get(order.place)
        order.result = Saved.WRITTEN if order.place in places else _unwritten(order, row, owner)


def _unwritten(order: SaveOrder, row: asyncpg.Record | None, owner: str) -> Saved:
    if row is None:
        return Saved.LEASE_LOST
    if row["owner"] == owner:
        return Saved.SERVICE_TAKEN  # nothing else keeps us from writing what is ours
    if order.until is None and is_kept(to_known(order.job.key, row), order.job):
        return Saved.WRITTEN
    return Saved.LEASE_LOST


async def amend(connection: asyncpg.Connection, order: SaveOrder) -> None:
    """
    Carries out what a person decided.
    """
    row = (await rows_of(connection, sql.LOCKED, [order.place])).get(order.place)
    known = None if row is None else to_known(order.job.key, row)
    if is_kept(known, order.job):
        order.result = Saved.WRITTEN
    elif known is None or order.was is None or not is_still(known, order.was):
        order.result = Saved.LEASE_LOST
    else:
        columns = zip(order.values, strict=True)
        is_written = await connection.fetch(sql.AMEND, None, *columns)
        order.result = Saved.WRITTEN if is_written else Saved.SERVICE_TAKEN
