"""
Facts about RabbitMQ: connections, publishes, acks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from worker.facts.noting import Fact, Level


@dataclass(frozen=True, slots=True)
class BrokerConnected(Fact):
    """
    A connection is open. `role`: consume or publish. `is_first`: of this process, in this role.
    """

    role: str
    is_first: bool

    EVENT: ClassVar[str | None] = "broker.connected"
    UNLOGGED: ClassVar[frozenset[str]] = frozenset({"is_first"})


@dataclass(frozen=True, slots=True)
class PublishEnded(Fact):
    """
    What became of a publish.

    Attributes:
        kind: events, retries, dead or reply.
        result: acked, nacked, returned, timed_out or lost.
        duration_s: until RabbitMQ confirmed it, or it was given up; a blockade counts.
    """

    kind: str
    result: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class AckStale(Fact):
    """
    A delivery could not be acked: its channel has gone, so RabbitMQ delivers it again.
    """

    error: str | None = None

    EVENT: ClassVar[str | None] = "delivery.stale"


@dataclass(frozen=True, slots=True)
class QueueLooked(Fact):
    """
    What a look at the work queue showed.

    Attributes:
        result: well, vanished (RabbitMQ does not serve our consumer), or unanswered.
        messages: ready in the queue; None when nobody answered.
    """

    result: str
    messages: int | None = None


@dataclass(frozen=True, slots=True)
class ConsumerVanished(Fact):
    """
    RabbitMQ does not serve our consumer, though it never said so: the connection is made anew.
    """

    reason: str
    rebuilds: int

    EVENT: ClassVar[str | None] = "consumer.vanished"
    LEVEL: ClassVar[Level] = "error"
