"""
The durable record of jobs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from worker.core.job import Job, RequestKey


@dataclass(frozen=True, slots=True)
class Claimed:
    """
    The job is ours until the lease ends; `is_new` when this claim wrote its row.
    """

    job: Job
    is_new: bool


@dataclass(frozen=True, slots=True)
class Held:
    """
    Another worker holds the job, or another request for the same router is undecided; until about `until`.
    """

    until: datetime


@dataclass(frozen=True, slots=True)
class Reused:
    """
    The key belongs to a request with another body.
    """


Claim = Claimed | Held | Reused


class Saved(Enum):
    """
    What became of a write to the ledger; only WRITTEN changed anything.

    LEASE_LOST: another worker has taken the job over. SERVICE_TAKEN: another job owns the service id.
    """

    WRITTEN = "written"
    LEASE_LOST = "lease_lost"
    SERVICE_TAKEN = "service_taken"


class Ledger(Protocol):
    """
    The durable record of jobs. Every write is on disk when the call returns; concurrent writes share a commit.
    Every call may raise LedgerError, with nothing written; repeating it is safe.
    """

    async def claim(self, job: Job, now: datetime) -> Claim:
        """
        Takes the lease of the job with this key, writing `job` as its row if there is none. Safe to repeat.

        At most one job of a router is under way or in doubt at a time: a look-up could not tell two apart.
        """
        ...

    async def save(self, job: Job, now: datetime) -> Saved:
        """
        Writes the job. While it is under way our lease is renewed; once it is done the lease is given up.
        """
        ...

    async def release(self, job: Job, now: datetime) -> Saved:
        """
        Writes the job and gives the lease up, so that any worker can claim it at once.
        """
        ...

    async def owned(self, service_ids: Iterable[str], by_others_than: RequestKey) -> frozenset[str]:
        """
        Those of the ids that belong to another job.
        """
        ...

    async def counts(self) -> Mapping[str, int]:
        """
        How many jobs there are in each phase, outcomes told apart.
        """
        ...

    async def find(self, request_id: str, source: str | None = None) -> tuple[Job, ...]:
        """
        The jobs of that request id, of every source or of one; for people, who rarely know the source.
        """
        ...

    async def amend(self, was: Job, job: Job, now: datetime) -> Saved:
        """
        Writes what a person decided about a job that was done, and leaves it to whoever claims it next.

        LEASE_LOST when it is not done any more, or has another outcome than `was`: somebody was faster.
        """
        ...

    async def prune(self, done_before: datetime, limit: int) -> int:
        """
        Forgets up to `limit` jobs that were done before that moment, oldest first; says how many.

        Jobs in doubt stay: a person has not decided yet. What is forgotten is a stranger when it comes again.
        """
        ...

    async def mark_suspect(self, fingerprint: str, now: datetime) -> int:
        """
        Notes, before a message that may kill us is touched, that it is; says how often that was noted, this one included.
        """
        ...

    async def clear_suspect(self, fingerprint: str) -> None:
        """
        Forgets the notes about a message that we have survived.
        """
        ...
