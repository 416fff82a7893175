"""
Jobs, services and troubles to try the core on.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from worker.core.answers import Service, Trouble
from worker.core.job import Job, RequestKey, intend
from worker.core.policy import Policy

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ROUTER = "66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa"  # doc: example request, router_id
POLICY = Policy()
LUCK = 0.5


def after(delay_s: float) -> datetime:
    """
    The moment `delay_s` seconds after NOW.
    """
    return NOW + timedelta(seconds=delay_s)


def a_job(**changes: Any) -> Job:
    """
    A fresh job for a service named "mine", first seen at NOW.
    """
    fresh = Job(
        key=RequestKey("shop", "order-1"),
        digest="d" * 64,
        router_id=ROUTER,
        first_seen_at=NOW,
        deadline_at=after(POLICY.request_deadline_s),
        wanted={"router_id": ROUTER, "name": "mine"},
    )
    return replace(fresh, **changes)


def a_sent_job(**changes: Any) -> Job:
    """
    A job whose first POST has its intent written at NOW.
    """
    return replace(intend(a_job(), NOW), **changes)


def a_service(service_id: str = "s-1", *, created_at: datetime | None = NOW, **attributes: Any) -> Service:
    """
    A service named "mine" on the job's router, just created.
    """
    shown = {"id": service_id, "router_id": ROUTER, "name": "mine", "status": "PENDING_CREATE"} | attributes
    return Service(service_id, shown["status"], shown, created_at)


def a_trouble(http_status: int | None = 500, api_code: str | None = None, code: str = "server_error") -> Trouble:
    """
    A trouble as an answer of the cloud carries it.
    """
    return Trouble(code, "The cloud stumbled.", http_status, api_code, "req-1")
