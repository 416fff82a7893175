"""
Workers that share a PostgreSQL ledger, as on several hosts.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.e2e.shop import Shop, binary, order
from tests.e2e.test_crash import COUNT, check_each_once, orders, requests_told

if TYPE_CHECKING:
    from tests.e2e.conftest import StartCloud, StartWorker


async def test_what_a_killed_worker_had_is_finished_by_the_other(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker, postgres_url: str
) -> None:
    cloud = await start_cloud(services_per_vpc=0, latency_ms=200)
    settings = {"ledger_url": postgres_url, "lease_s": 10, "api_timeout_s": 2, "reconcile_window_s": 2}
    first, second = [await start_worker(cloud.url, **settings, concurrency=15) for _ in range(2)]
    await shop.publish(*orders())
    await cloud.until(lambda state: state.calls["create"] >= 20)
    status = await first.child.kill()

    # A lease of the dead, a rung or two in between, and the looking.
    told = await shop.until(lambda told: len(requests_told(told)) == COUNT, 60)

    assert -signal.SIGKILL == status
    check_each_once(told, cloud)
    assert [] == second.mistakes()


async def test_the_password_of_the_ledger_is_in_no_log(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker, postgres_url: str
) -> None:
    cloud = await start_cloud()
    worker = await start_worker(cloud.url, ledger_url=postgres_url, log_level="debug")
    await shop.publish((order("router-0"), binary("order-0")))
    await shop.outcomes(1)
    await worker.child.stop()

    password = urlsplit(postgres_url).password
    assert password
    assert password not in worker.child.log_file.read_text(encoding="utf-8")
