"""
The first of two passes: every order is read and checked before any is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from messages.faults import quoted
from worker.batch.identities import Identities
from worker.batch.orders import Manner, Order, order_of
from worker.batch.rows import Fault, Row
from worker.batch.spool import Spool

#: Of faults and of repeats; nobody reads more at once.
MAX_TOLD = 100


class Orders:
    """
    All orders of a batch in the order of its files, on disk.
    """

    def __init__(self, manner: Manner) -> None:
        self.manner = manner
        self._spool = Spool()
        self._identities = Identities()

    def __len__(self) -> int:
        return len(self._spool)

    def __iter__(self) -> Iterator[Order]:
        return (Order.read(record) for record in self._spool)

    @property
    def size_bytes(self) -> int:
        """
        What they take on disk.
        """
        return self._spool.size_bytes

    def at(self, place: int) -> Order:
        """
        The order at a place, from 0.
        """
        return Order.read(self._spool.read(place))

    def place_of(self, identity: str) -> int | None:
        """
        Where the order of that id is.
        """
        return self._identities.place_of(identity)

    def add(self, order: Order) -> None:
        """
        Adds an order whose id is new.
        """
        self._identities.add(order.id)
        self._spool.add(order.written())

    def close(self) -> None:
        """
        Removes the file.
        """
        self._spool.__exit__()


@dataclass
class Checked:
    """
    What the first pass found.

    Attributes:
        orders: those that are right; to be sent only when there are no faults.
        faults: the first of them.
        fault_count: how many there are.
        repeats: the first of the rows that say once more what an earlier one said; they are left out.
        repeat_count: how many there are.
    """

    orders: Orders
    faults: list[Fault] = field(default_factory=list)
    fault_count: int = 0
    repeats: list[tuple[Order, Order]] = field(default_factory=list)
    repeat_count: int = 0

    def add(self, fault: Fault) -> None:
        """
        Counts a fault.
        """
        self.fault_count += 1
        if len(self.faults) < MAX_TOLD:
            self.faults.append(fault)

    def _repeated(self, first: Order, order: Order) -> None:
        if first.asks_the_same(order):
            self.repeat_count += 1
            if len(self.repeats) < MAX_TOLD:
                self.repeats.append((first, order))
            return
        message = (
            f"{quoted(order.id)} is the id of another order at {first.file}:{first.line}: give each its own, "
            "since under one id only one is created"
        )
        self.add(Fault(order.file, order.line, "id", "id_repeated", message))

    def take(self, row: Row | Fault) -> None:
        """
        Checks what stands next in a file.
        """
        read = row if isinstance(row, Fault) else order_of(row, self.orders.manner)
        match read:
            case Fault():
                self.add(read)
            case list():
                for fault in read:
                    self.add(fault)
            case Order():
                place = self.orders.place_of(read.id)
                if place is None:
                    self.orders.add(read)
                else:
                    self._repeated(self.orders.at(place), read)


@contextmanager
def checked(rows: Iterable[Row | Fault], manner: Manner) -> Iterator[Checked]:
    """
    Every row checked; the orders are there until it is left.
    """
    orders = Orders(manner)
    try:
        found = Checked(orders)
        for row in rows:
            found.take(row)
        if not len(orders) and not found.fault_count:
            found.add(Fault("", 0, "row", "no_orders", "there are no orders in it"))
        yield found
    finally:
        orders.close()
