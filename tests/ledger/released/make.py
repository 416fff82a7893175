"""
Writes what this version of the ledger leaves behind, for the versions to come: see README.md beside this file.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from worker.core.answers import Service, Trouble
from worker.core.job import Doubt, Job, Outcome, OutcomeKind, Phase, RequestKey
from worker.ledger.sqlite import SqliteLedger

HERE = Path(__file__).parent
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LEASE_S = 120.0


def jobs() -> list[Job]:
    """
    A job in every phase and with every outcome, its fields filled as the worker fills them.
    """
    service = Service("5f0e2b9c", "PENDING_CREATE", {"id": "5f0e2b9c", "name": "über-vpn"}, NOW)
    lost = Trouble("timeout", "The cloud did not answer within 30 s.", 504, "APIGW.0201", "req-1")
    waiting = {"phase": Phase.READY, "attempts": 2, "trouble": lost, "due_at": NOW, "delayed_told": True}
    looking = {"doubt": Doubt.UNKNOWN, "doubt_since": NOW, "looks": 3, "may_own": True, "strikes": 1, "trouble": lost}
    made = Outcome(OutcomeKind.CREATED, NOW, service=service, reconciled=True)
    refused = Outcome(OutcomeKind.FAILED, NOW, trouble=lost, existing_service_id="other", is_retryable=True)
    doubtful = Outcome(OutcomeKind.IN_DOUBT, NOW, trouble=lost, evidence=(service,), is_dead_letter=True)
    return [
        _job("ready", **waiting),
        _job("sent", phase=Phase.SENT, attempts=1, expires_at=NOW + timedelta(days=1)),
        _job("looking", phase=Phase.LOOKING, attempts=1, **looking),
        _job("created", phase=Phase.DONE, attempts=1, outcome=made),
        _job("failed", phase=Phase.DONE, attempts=3, outcome=refused),
        _job("in-doubt", phase=Phase.DONE, attempts=1, outcome=doubtful),
    ]


def as_json(job: Job) -> dict[str, Any]:
    """
    Every field of a job, in JSON; not the ledger's own form, which is what is tested.
    """
    read: dict[str, Any] = json.loads(json.dumps(asdict(job), default=_plain))
    return read


def _job(request_id: str, **fields: Any) -> Job:
    return Job(
        key=RequestKey("/shop", request_id),
        digest=request_id * 3,
        router_id=f"router-of-{request_id}",
        first_seen_at=NOW,
        deadline_at=NOW + timedelta(days=1),
        wanted={"router_id": f"router-of-{request_id}", "name": "über-vpn", "tenant_id": "t", "order_id": "o"},
        **{"first_sent_at": NOW, "sent_at": NOW, **fields},
    )


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else value.isoformat() if isinstance(value, datetime) else str(value)


async def _fill(make: Callable[[], Any]) -> None:
    ledger = make()
    await ledger.start()
    for job in jobs():
        await ledger.claim(replace(job, phase=Phase.READY, outcome=None), NOW)
        await (ledger.release if job.phase is Phase.READY else ledger.save)(job, NOW)
    await ledger.close()


def _sqlite_dump() -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite3"
        asyncio.run(_fill(lambda: SqliteLedger(path, "a-worker-of-that-time", LEASE_S)))
        with closing(sqlite3.connect(path)) as database:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            return "\n".join([*database.iterdump(), f"PRAGMA user_version = {version};", ""])


def _postgres_dump(url: str) -> str:
    from worker.ledger.postgres import PostgresLedger  # noqa: PLC0415 - the first versions had none

    asyncio.run(_fill(lambda: PostgresLedger(url, "a-worker-of-that-time", LEASE_S)))
    said = subprocess.run(
        ["pg_dump", "--inserts", "--no-owner", "--no-privileges", url], check=True, capture_output=True, text=True
    ).stdout
    # Without the comments and the commands to psql.
    return "".join(f"{line}\n" for line in said.splitlines() if line and not line.startswith(("--", "\\")))


def main() -> None:
    """
    Makes the folder of a version: `make.py VERSION [URL of an empty PostgreSQL database]`.
    """
    version, *urls = sys.argv[1:]
    folder = HERE / version
    folder.mkdir()
    (folder / "jobs.json").write_text(json.dumps([as_json(job) for job in jobs()], indent=1) + "\n", encoding="utf-8")
    (folder / "sqlite.sql").write_text(_sqlite_dump(), encoding="utf-8")
    for url in urls:
        (folder / "postgres.sql").write_text(_postgres_dump(url), encoding="utf-8")


if __name__ == "__main__":
    main()
