"""
Requests in a ledger, one in each state, as workers leave them.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from worker.core.answers import Service, Trouble
from worker.core.following import Ending, Follow, Target
from worker.core.job import Doubt, Job, Outcome, OutcomeKind, Phase, RequestKey, conclude
from worker.ledger.opening import open_ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from worker.ledger.postgres import PostgresLedger
    from worker.ledger.sqlite import SqliteLedger
    from worker.ports import Ledger

FIRST_AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
QUOTA = Trouble("quota_exceeded", "The quota is used up.", 409, "VPN.0012", "req-of-quota")
LOST = Trouble("in_doubt", "The answer was lost.", api_request_id="req-of-loss")


def asked(
    request_id: str, *, source: str = "/shop", minutes: float = 0, phase: Phase = Phase.SENT, **changes: Any
) -> Job:
    """
    A request that came so many minutes after the first, on a router of its own.
    """
    router = f"router-of-{request_id}-{source.strip('/')}"
    at = FIRST_AT + timedelta(minutes=minutes)
    job = Job(
        RequestKey(source, request_id),
        "d" * 64,
        router,
        first_seen_at=at,
        deadline_at=at + timedelta(days=1),
        wanted={"router_id": router},
        phase=phase,
        attempts=1,
        first_sent_at=at + timedelta(seconds=1),
        sent_at=at + timedelta(seconds=1),
    )
    return replace(job, **changes)


def ended(job: Job, kind: OutcomeKind, **facts: Any) -> Job:
    """
    The request with its outcome, a minute after it came.
    """
    return conclude(job, Outcome(kind, job.first_seen_at + timedelta(minutes=1), **facts))


def service(service_id: str, status: str = "PENDING_CREATE") -> Service:
    """
    A service as the cloud shows it.
    """
    return Service(service_id, status, {"id": service_id, "status": status, "name": "vpn-1"})


CREATED = ended(
    asked("order-1", wanted={"router_id": "router-1", "tenant_id": "t-1", "order_id": "o-1"}, router_id="router-1"),
    OutcomeKind.CREATED,
    service=service("s-1"),
    api_request_id="req-of-create",
)
FAILED = ended(asked("order-2", minutes=1), OutcomeKind.FAILED, trouble=QUOTA)
IN_DOUBT = ended(
    asked("order-3", source="/billing", minutes=2, attempts=2, wanted={"router_id": "router-3", "tenant_id": "t-3"}),
    OutcomeKind.IN_DOUBT,
    trouble=LOST,
    evidence=(service("s-3a"), service("s-3b")),
    is_dead_letter=True,
)
SENT = asked("order-4", minutes=3)
LOOKING = asked("order-5", minutes=4, phase=Phase.LOOKING, doubt=Doubt.UNKNOWN, trouble=LOST, may_own=True)
READY = asked("order-6", minutes=5, phase=Phase.READY, due_at=FIRST_AT + timedelta(minutes=9))
SETTLED = ended(
    asked("order-1", source="/billing", minutes=6), OutcomeKind.CREATED, service=service("s-7"), reconciled=True
)
JOBS = (CREATED, FAILED, IN_DOUBT, SENT, LOOKING, READY, SETTLED)

FOLLOWED = Follow(
    CREATED.key,
    CREATED.digest,
    "t-1",
    "s-1",
    Target.ACTIVE,
    "PENDING_CREATE",
    begun_at=FIRST_AT,
    changed_at=FIRST_AT,
    deadline_at=FIRST_AT + timedelta(hours=1),
)
OVER = replace(FOLLOWED, key=SETTLED.key, tenant_id=None, service_id="s-7", target=Target.SETTLED)


async def fill(ledger: Path | str, jobs: Iterable[Job] = JOBS) -> None:
    """
    Writes requests into a ledger as workers would, made if there is none.
    """
    async with _opened(ledger) as writing:
        await asyncio.gather(*(_write(writing, job) for job in jobs))


async def follow(ledger: Path | str) -> None:
    """
    Has the two services followed; following the second one is over.
    """
    async with _opened(ledger) as writing:
        await writing.follows.begin(FOLLOWED)
        await writing.follows.begin(OVER)
        await writing.follows.note([replace(OVER, status="ACTIVE", changes=1, is_over=True, ending=Ending.REACHED)])


@asynccontextmanager
async def _opened(ledger: Path | str) -> AsyncIterator[SqliteLedger | PostgresLedger]:
    opened = await open_ledger(ledger if isinstance(ledger, str) else f"sqlite:///{ledger}", "test", 60.0)
    try:
        yield opened
    finally:
        await opened.close()


async def _write(ledger: Ledger, job: Job) -> None:
    at = job.first_seen_at
    if job.outcome is None:
        await ledger.claim(job, at)
        return
    await ledger.claim(replace(job, phase=Phase.SENT, outcome=None), at)
    await ledger.save(job, job.outcome.occurred_at)
