"""
How events and replies leave.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from messages.envelope import Envelope


class Published(Enum):
    """
    What became of one publish.

    ACKED: the broker has it. NACKED: it has not. RETURNED: no queue is bound for it.
    TIMED_OUT: it may have it (broker-facts: What aio-pika does, 7). LOST: the connection went, it may have it.
    """

    ACKED = "acked"
    NACKED = "nacked"
    RETURNED = "returned"
    TIMED_OUT = "timed_out"
    LOST = "lost"


class Publisher(Protocol):
    """
    Publishes events. Safe to call from many tasks, and safe to repeat: readers know an event by its id.
    """

    async def publish_event(self, event: Envelope, routing_key: str) -> Published:
        """
        Sends one event; only ACKED means it is kept. Returns within the publish timeout whatever the broker does, save
        that it waits for as long as the broker says that it takes no publishes (memory or disk alarm).
        """
        ...


class Replier(Protocol):
    """
    Sends courtesy copies of outcomes. Safe to call from many tasks.
    """

    async def reply(self, event: Envelope, reply_to: str) -> Published:
        """
        Sends a copy of an outcome to the queue that a requester named; tries a few times, never for long.

        RETURNED when the queue is gone, is one of our own, or may not be written to.
        """
        ...
