"""
What must have happened before a page can be followed: each function prepares a stage for one page or several.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from messages.routes import Routes
from tests.cli import record_book
from tests.cli.graveyard import Death, bury, note
from tests.cli.record_book import asked, ended, fill, service
from tests.e2e.shop import open_shop
from worker.broker.topology import apply_topology
from worker.core.answers import Trouble
from worker.core.following import Ending, Target
from worker.core.job import OutcomeKind, Phase
from worker.ledger.opening import open_ledger
from worker.simulator import User

if TYPE_CHECKING:
    from tests.docs_run.stage import Stage

ROUTER = "66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa"


async def topology(stage: Stage) -> None:
    """
    Exchanges and queues are there.
    """
    await apply_topology(stage.amqp_url, Routes(stage.prefix))


async def running(stage: Stage) -> None:
    """
    A worker runs, with a simulated cloud and the HTTP port 8080.
    """
    await stage.cloud()
    stage.set(auth="none")
    await stage.worker(http_port=stage.here("8080"))


async def cloud_without_login(stage: Stage) -> None:
    """
    A simulated cloud, and settings that lead to it.
    """
    await stage.cloud()
    stage.set(auth="none")


async def account_at_cloud(stage: Stage) -> None:
    """
    A simulated cloud with the account that README.md logs in with.
    """
    await stage.cloud(users=(User("provisioner", "secret", domain="OTC-EU-DE-00000000001000000001"),))


async def refused(stage: Stage) -> None:
    """
    A worker runs with the HTTP port 8080, and the cloud refuses its login.
    """
    cloud = await stage.cloud(users=(User("worker", "secret"),))
    login = {"username": "worker", "user_domain_name": "Default", "project_name": "eu-de", "iam_url": cloud.url}
    stage.set(password="changed-meanwhile", **login)
    worker = await stage.start_worker(None, stage.environ, auth=None, http_port=stage.here("8080"))
    await worker.until_logged("login.refused")


async def with_faults(stage: Stage) -> None:
    """
    Everything that a check can look at, with a misspelt setting, no folder for the ledger and a wrong password.
    """
    await topology(stage)
    cloud = await stage.cloud(users=(User("worker", "secret"),))
    stage.set(username="worker", user_domain_name="Default", project_name="eu-de", password="old", iam_url=cloud.url)
    stage.set(ledger_url="sqlite:////var/lib/vpn/ledger.sqlite3", concurency=50)


async def rabbitmqctl(stage: Stage) -> None:
    """
    A rabbitmqctl that says yes to everything; what the real one makes of it is seen in tests/deploy/test_permissions.py.
    """
    program = stage.host / "rabbitmqctl"
    program.write_text("#!/bin/sh\ncat >/dev/null\n", encoding="utf-8")
    program.chmod(0o755)
    stage.environ["RABBITMQCTL"] = str(program)


async def dead_letters(stage: Stage) -> None:
    """
    Three requests that the cloud could not be reached for, one in doubt, one rejected.
    """
    await topology(stage)
    away = "Given up at the request's deadline after 17 attempts. Last trouble: The cloud could not be reached; nothing was sent."
    deaths = [
        *(Death(f"order-{7100 + number}", error=away) for number in range(3)),
        Death(
            "order-7104",
            reason="in_doubt",
            router=ROUTER,
            error="The service may exist: it was looked for and not found, and may still appear.",
        ),
        Death("order-7105", reason="rejected", error="vpnservice.router_id: is mandatory", body=b'{"vpnservice": {}}'),
    ]
    first = datetime.now(UTC) - timedelta(hours=2)
    deaths = [replace(death, died_at=first + timedelta(minutes=number)) for number, death in enumerate(deaths)]
    async with open_shop(stage.amqp_url, stage.prefix) as shop:
        await bury(shop, *deaths)
    stage.set(ledger_url=stage.ledger_url)
    await note(stage.ledger_url, *(death.job() for death in deaths if death.reason != "rejected"))


async def records(stage: Stage) -> None:
    """
    A ledger with a request in each of five states.
    """
    now = datetime.now(UTC)

    def minutes_ago(minutes: float) -> float:
        return (now - timedelta(minutes=minutes) - record_book.FIRST_AT).total_seconds() / 60

    followed, over = "a1f0c0de-3c1b-4b43-8b0b-0b1f5a9f1c2d", "5bed3d25-aa56-4ae8-9ee0-d67eb4d2a4f4"
    busy = Trouble("busy", "The cloud answered 425.", 425)
    lost = Trouble("answer_lost", "The request was sent and no answer came. It was looked for and not found.")
    quota = Trouble("quota_exceeded", "The project's quota of VPN services is used up.", 409)
    jobs = (
        ended(asked("order-7101", minutes=minutes_ago(305)), OutcomeKind.CREATED, service=service(over)),
        ended(asked("order-7102", minutes=minutes_ago(245)), OutcomeKind.FAILED, trouble=quota),
        ended(
            asked("order-7104", minutes=minutes_ago(32), attempts=2, wanted={"router_id": ROUTER, "name": "berlin"}),
            OutcomeKind.IN_DOUBT,
            trouble=lost,
            is_dead_letter=True,
        ),
        asked("order-7107", minutes=minutes_ago(12), attempts=3, phase=Phase.READY, trouble=busy),
        ended(asked("order-7108", minutes=minutes_ago(3)), OutcomeKind.CREATED, service=service(followed)),
    )
    await fill(stage.ledger_url, jobs)
    begun = replace(record_book.FOLLOWED, begun_at=now, changed_at=now, deadline_at=now + timedelta(hours=1))
    ledger = await open_ledger(stage.ledger_url, "test", 60.0)
    try:
        old, new = jobs[0], jobs[-1]
        await ledger.follows.begin(replace(begun, key=new.key, service_id=followed))
        ending = replace(begun, key=old.key, service_id=over, target=Target.SETTLED)
        await ledger.follows.begin(ending)
        await ledger.follows.note([replace(ending, status="ACTIVE", changes=1, is_over=True, ending=Ending.REACHED)])
    finally:
        await ledger.close()
    stage.set(ledger_url=stage.ledger_url)
