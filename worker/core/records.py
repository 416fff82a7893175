"""
A request as the ledger shows it to people, and which of them somebody wants to see.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from worker.core.following import Follow
from worker.core.job import Job

#: What `state` can be: the phase of a job under way, or its outcome.
OPEN_STATES = ("ready", "sent", "looking")
STATES = (*OPEN_STATES, "created", "failed", "in_doubt")


class Position(NamedTuple):
    """
    Where a record stands in the order of the list.
    """

    recorded_at: datetime
    source: str
    id: str


@dataclass(frozen=True, slots=True)
class Record:
    """
    One request in the ledger.

    Attributes:
        job: its row.
        recorded_at: when it was first written.
        updated_at: when its job was last written.
        follow: of its service, when that is or was followed.
    """

    job: Job
    recorded_at: datetime
    updated_at: datetime
    follow: Follow | None = None

    @property
    def state(self) -> str:
        """
        Its outcome, or its phase while there is none: one of STATES.
        """
        return self.job.outcome.kind.value if self.job.outcome else self.job.phase.value

    @property
    def status(self) -> str | None:
        """
        The service's status, as far as it is known.
        """
        if self.follow is not None:
            return self.follow.status
        service = self.job.outcome.service if self.job.outcome else None
        return service.status if service else None

    @property
    def place(self) -> Position:
        """
        Where it stands in the order of the list.
        """
        return Position(self.recorded_at, self.job.key.source, self.job.key.id)


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """
    Which requests; those that fit everything that is given.

    Attributes:
        states: of STATES; empty means all.
        tenant_id, order_id: as the request named them (doc: Table 1).
        source: of the request.
        service_id: of the service that it owns.
        since, until: first written then or later, then or earlier.
        is_followed: its service is being followed now.
        router_id: as the request named it (doc: Table 1).
        id_begins: how the request's id begins.
    """

    states: frozenset[str] = frozenset()
    tenant_id: str | None = None
    order_id: str | None = None
    source: str | None = None
    service_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    is_followed: bool = False
    router_id: str | None = None
    id_begins: str | None = None
