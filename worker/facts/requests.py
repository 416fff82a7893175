"""
Facts about requests: what arrived, what was decided, what was told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from worker.facts.noting import Fact, Level


@dataclass(frozen=True, slots=True)
class DeliveryTaken(Fact):
    """
    A delivery arrived. `is_redelivered`: it, or the original it is a copy of, may have been delivered before.
    """

    is_redelivered: bool


@dataclass(frozen=True, slots=True)
class DeliveryProcessed(Fact):
    """
    A delivery has its verdict: ack, later, dead or give_back. `duration_s`: since it was taken.
    """

    verdict: str
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeTold(Fact):
    """
    RabbitMQ has confirmed the outcome of a request.

    Attributes:
        outcome: created, failed or in_doubt.
        total_s: since a worker saw the request first.
        critical_s: since the request was sent, as far as its publisher said when; else as total_s.
    """

    outcome: str
    service_id: str | None
    status: str | None
    attempts: int
    reconciled: bool
    code: str | None
    http_status: int | None
    api_request_id: str | None
    total_s: float
    critical_s: float

    UNLOGGED: ClassVar[frozenset[str]] = frozenset({"outcome"})

    @property
    def event(self) -> str:
        """
        See Fact.
        """
        return f"request.{self.outcome}"

    @property
    def level(self) -> Level:
        """
        See Fact: a person has to look after what is in doubt.
        """
        return "warning" if self.outcome == "in_doubt" else "info"


@dataclass(frozen=True, slots=True)
class RequestRejected(Fact):
    """
    RabbitMQ has confirmed that a message was rejected: the fourth outcome. `critical_s`: see OutcomeTold.
    """

    reason: str
    faults: int
    critical_s: float

    EVENT: ClassVar[str | None] = "request.rejected"


@dataclass(frozen=True, slots=True)
class RequestJoined(Fact):
    """
    A delivery of a request that is under way shares its verdict.
    """

    is_redelivered: bool

    EVENT: ClassVar[str | None] = "request.joined"


@dataclass(frozen=True, slots=True)
class StrangerMet(Fact):
    """
    A redelivered request that the ledger does not know: it is looked up before anything is sent.
    """

    EVENT: ClassVar[str | None] = "request.unknown_redelivery"


@dataclass(frozen=True, slots=True)
class RequestShelved(Fact):
    """
    A request must wait; a copy of it goes to a rung.
    """

    delay_s: float
    attempts: int
    cause: str
    reason: str

    EVENT: ClassVar[str | None] = "request.shelved"


@dataclass(frozen=True, slots=True)
class RetryScheduled(Fact):
    """
    RabbitMQ has confirmed the copy of a request on a rung.

    Attributes:
        rung: 5s, 30s, 2m, 10m or 1h.
        cause: see worker.core.causes.
    """

    rung: str
    cause: str


@dataclass(frozen=True, slots=True)
class DeadLettered(Fact):
    """
    RabbitMQ has confirmed the copy of a request in the dead letters. `reason`: rejected, failed, in_doubt or poison.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class UnknownMet(Fact):
    """
    A POST may have created a service and nobody knows: its answer was lost, or the worker that would have heard it.
    """


@dataclass(frozen=True, slots=True)
class UnknownResolved(Fact):
    """
    It is known, or given up. `resolution`: found, not_found, refused or in_doubt.
    """

    resolution: str


@dataclass(frozen=True, slots=True)
class StatusTold(Fact):
    """
    RabbitMQ has confirmed that a followed service has another status, or that following it is over.
    """

    request_id: str
    request_source: str
    service_id: str
    status: str | None
    previous_status: str | None
    is_final: bool
    deadline_reached: bool

    EVENT: ClassVar[str | None] = "service.status_changed"


@dataclass(frozen=True, slots=True)
class RoundMade(Fact):
    """
    The followed services of a tenant were looked at, as far as they could be.
    """
