"""
Whether RabbitMQ still serves a consumer that it never said it had cancelled.

A consumer that silently stops after a reconnect is what users of such libraries complain of most (broker-facts: Names
and numbers people look for).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class QueueLook:
    """
    A look at the work queue, and what we know of ourselves at that moment.

    Attributes:
        messages: ready in the queue.
        consumers: that the broker has registered on the queue, of all workers.
        taken: deliveries that have arrived here so far.
        held: deliveries here that are not settled.
        is_wanted: we believe to be registered, and want deliveries.
        connection: the how manieth connection of this process it is.
    """

    messages: int
    consumers: int
    taken: int
    held: int
    is_wanted: bool
    connection: int = 1


class Service(Enum):
    """
    How the broker serves us. MISSING: it knows of no consumer at all. SILENT: it has messages, we hold none, and none
    came. Either at two looks in a row. UNSURE: it said at this look alone that there is no consumer.
    """

    WELL = "well"
    MISSING = "missing"
    SILENT = "silent"
    UNSURE = "unsure"


def judge(before: QueueLook | None, now: QueueLook) -> Service:
    """
    How the broker serves us, by two looks one interval apart.

    Args:
        before: the look before; None for the first.
        now: the latest.
    """
    if not now.is_wanted:
        return Service.WELL
    is_alike = before is not None and before.is_wanted and before.connection == now.connection
    if before is None or not is_alike or before.taken != now.taken:
        return Service.UNSURE if now.consumers == 0 else Service.WELL
    # A quorum queue whose leader does not answer within 250 ms says 0 and 0 as well (rabbit_quorum_queue, stat): once
    # is no reason to give up a connection that works.
    if now.consumers == 0:
        return Service.MISSING if before.consumers == 0 else Service.UNSURE
    # With other workers on the queue the number of consumers says nothing about ours; that nothing comes does.
    is_silent = before.messages > 0 and now.messages > 0 and before.held == now.held == 0
    return Service.SILENT if is_silent else Service.WELL
