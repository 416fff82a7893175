"""
One life of the consuming channel, and what is held of it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractQueue

from worker.broker.link import Loss


class Session:
    """
    One life of the consuming channel; delivery tags mean nothing outside theirs.

    A prefetch holds for one consumer. What a cancelled one has left unsettled is held beside it, so a new one gets
    only the room that is left, and another one the rest when those are settled: all together never exceed it.

    Attributes:
        rooms: prefetch of each consumer that is registered, by its tag.
        unsettled: deliveries not settled yet, by the tag of their consumer.
    """

    def __init__(
        self, connection: AbstractConnection, channel: AbstractChannel, queue: AbstractQueue, loss: Loss
    ) -> None:
        self.connection = connection
        self.channel = channel
        self.queue = queue
        self.loss = loss
        self.rooms: dict[str, int] = {}
        self.unsettled: Counter[str] = Counter()
        self.is_lost = False

    @property
    def held(self) -> int:
        """
        Unsettled deliveries of consumers that are cancelled.
        """
        return sum(count for tag, count in self.unsettled.items() if tag not in self.rooms)

    def room(self, prefetch: int) -> int:
        """
        Prefetch that a further consumer may have; 0 as long as a bigger one is soon to be had.
        """
        left = prefetch - sum(self.rooms.values()) - self.held
        return left if not self.held or left >= max(1, prefetch // 4) else 0

    def settled(self, tag: str) -> None:
        """
        Counts a delivery as settled.
        """
        self.unsettled[tag] -= 1
        if self.unsettled[tag] <= 0:
            del self.unsettled[tag]


@dataclass(frozen=True, slots=True)
class Token:
    """
    What is needed to settle a delivery.
    """

    session: Session
    delivery_tag: int
    consumer_tag: str
