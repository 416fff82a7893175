"""
Many requests at once: none lost, none twice, and three records that agree.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from typing import TYPE_CHECKING

from messages.routes import RUNGS
from tests.e2e.shop import Message, Shop, binary, order

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import StartCloud, StartWorker
    from worker.simulator import Simulator

REQUESTS = 2000


def ledger_ids(file: Path) -> list[str]:
    """
    The service ids in the ledger, as another program reads them.
    """
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
        rows = database.execute("SELECT service_id FROM jobs WHERE outcome = 'created'").fetchall()
    database.close()
    return [row[0] for row in rows]


async def waiting(shop: Shop) -> dict[str, int]:
    """
    Messages that wait anywhere.
    """
    names = ["requests.create", "dead", *(f"retry.{rung.name}" for rung in RUNGS)]
    counts = {name: await shop.ready(f"{shop.prefix}.{name}") for name in names}
    return {name: count for name, count in counts.items() if count}


def check_books(told: list[Message], cloud: Simulator, ledger: Path, ids: list[str]) -> None:
    """
    Events, cloud and ledger name the same services, one for each request.
    """
    services = {service.id for service in cloud.state.services.values()}

    assert Counter(ids) == Counter(message.data["request_id"] for message in told)
    assert len(ids) == len({message.headers["ce-id"] for message in told})
    assert services == {message.data["service_id"] for message in told}
    assert len(ids) == len(cloud.state.services)
    assert len(ids) == len({service.attributes["router_id"] for service in cloud.state.services.values()})
    assert services == set(ledger_ids(ledger))
    assert len(ids) == len(ledger_ids(ledger))


async def test_two_thousand_requests_make_two_thousand_services_and_events(
    shop: Shop,
    start_cloud: StartCloud,
    start_worker: StartWorker,
    tmp_path: Path,
) -> None:
    # Without a limit per VPC a second POST would make a second service and show.
    cloud = await start_cloud(services_per_vpc=0)
    ids = [f"order-{number}" for number in range(REQUESTS)]
    await shop.publish(*((order(f"router-{identity}"), binary(identity)) for identity in ids))
    begun = time.monotonic()
    worker = await start_worker(cloud.url, concurrency=50)
    told = await shop.outcomes(REQUESTS, 90)
    took_s = time.monotonic() - begun
    print(f"{REQUESTS} requests in {took_s:.1f} s with the worker's start, {REQUESTS / took_s:.0f} a second")  # noqa: T201
    status = await worker.child.stop()

    assert 0 == status
    assert {"vpn.vpnservice.created.v1"} == {message.type for message in told}
    check_books(told, cloud, tmp_path / "ledger.sqlite3", ids)
    assert REQUESTS == cloud.state.creates
    assert {} == await waiting(shop)
    assert [] == worker.mistakes()


async def test_lost_answers_and_errors_lose_nothing_and_double_nothing(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker, tmp_path: Path
) -> None:
    cloud = await start_cloud(services_per_vpc=0, faults=("error_503:0.05", "commit_then_close:0.05"), seed=7)
    ids = [f"order-{number}" for number in range(200)]
    worker = await start_worker(cloud.url, concurrency=50, reconcile_window_s=1)
    await shop.publish(*((order(f"router-{identity}"), binary(identity)) for identity in ids))
    told = await shop.outcomes(len(ids), 60)
    status = await worker.child.stop()

    assert 0 == status
    assert {"vpn.vpnservice.created.v1"} == {message.type for message in told}
    check_books(told, cloud, tmp_path / "ledger.sqlite3", ids)
    assert any(message.data["reconciled"] for message in told), "no fault struck"
    assert any(message.data["attempts"] > 1 for message in told), "no fault struck"
    assert {} == await waiting(shop)
    assert [] == worker.mistakes()
