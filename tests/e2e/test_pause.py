"""
When the cloud asks for calm, refuses the login, or the ledger cannot be written: everything waits, nothing is lost.
"""

from __future__ import annotations

import resource
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import READY_S, eventually, worker_environment
from tests.e2e.shop import Shop, binary, order
from worker.sandbox.processes import Child

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.e2e.conftest import StartWorker
    from worker.simulator import Simulator


async def test_a_429_pauses_the_process_and_costs_no_attempt(
    shop: Shop, cloud: Simulator, start_worker: StartWorker
) -> None:
    cloud.state.faults.add({"fault": "throttle", "retry_after": 1, "times": 5})
    worker = await start_worker(cloud.url, concurrency=5)
    await shop.publish(*((order(), binary()) for _ in range(20)))
    told = await shop.outcomes(20)

    assert {"vpn.vpnservice.created.v1"} == {event.type for event in told}
    assert {1} == {event.data["attempts"] for event in told}
    assert 20 == cloud.state.creates
    assert 25 == cloud.state.calls["create"]
    assert worker.logged("worker.paused")


async def test_a_request_that_expires_during_a_pause_is_not_created(
    shop: Shop, cloud: Simulator, start_worker: StartWorker
) -> None:
    """
    `ce-expirytime` promises the publisher that nothing is created after it, whatever the worker waited for.
    """
    cloud.state.faults.add({"fault": "throttle", "retry_after": 3, "times": 1})
    worker = await start_worker(cloud.url, concurrency=2)
    await shop.publish((order(), binary("first")))
    await worker.until_logged("worker.paused")
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    await shop.publish((order(), binary("short", expirytime=soon)))
    told = await shop.outcomes(2)

    by_id = {event.data["request_id"]: event for event in told}
    assert "vpn.vpnservice.created.v1" == by_id["first"].type
    assert "vpn.vpnservice.create-failed.v1" == by_id["short"].type
    assert "expired" == by_id["short"].data["error"]["code"]
    assert 1 == cloud.state.creates


async def test_a_throttled_request_that_expires_during_its_own_pause_is_not_created(
    shop: Shop, cloud: Simulator, start_worker: StartWorker
) -> None:
    cloud.state.faults.add({"fault": "throttle", "retry_after": 2, "times": 1})
    await start_worker(cloud.url)
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    await shop.publish((order(), binary("short", expirytime=soon)))
    told = await shop.outcomes(1)

    assert ["expired"] == [event.data["error"]["code"] for event in told]
    assert 0 == cloud.state.creates
    assert 1 == cloud.state.calls["create"]


async def test_a_drain_during_a_pause_ends_soon_and_leaves_every_request_in_a_queue(
    shop: Shop, cloud: Simulator, start_worker: StartWorker
) -> None:
    cloud.state.faults.add({"fault": "throttle", "retry_after": 60, "times": None})
    worker = await start_worker(cloud.url, concurrency=5)
    await shop.publish(*((order(), binary()) for _ in range(12)))
    await worker.until_logged("worker.paused")
    status = await worker.child.stop()

    assert 0 == status
    assert [] == shop.told
    assert 12 == await shop.ready(f"{shop.prefix}.requests.create") + await shop.ready(f"{shop.prefix}.retry.5s")
    assert 0 == cloud.state.creates
    assert [] == worker.mistakes()


@pytest.mark.skipif(sys.platform != "linux", reason="needs prlimit")
async def test_requests_wait_unacked_while_the_ledger_cannot_grow(
    shop: Shop,
    cloud: Simulator,
    amqp_url: str,
    tmp_path: Path,
    unacked: Callable[[], Awaitable[int]],
) -> None:
    """
    A limit on the size of the worker's files acts like a full disk: the system refuses the write.
    """
    ledger = tmp_path / "ledger.sqlite3"
    settings: dict[str, object] = {
        "amqp_url": amqp_url,
        "api_url": cloud.url,
        "auth": "none",
        "prefix": shop.prefix,
        "ledger_url": f"sqlite:///{ledger}",
    }
    # Its log goes through a pipe, which the limit does not hold.
    argv = ["sh", "-c", 'exec "$0" -m worker run 2>&1', sys.executable]
    async with Child(argv, log_file=tmp_path / "sh.log", env=worker_environment(settings)) as child:
        await child.ready_line('{"started"', READY_S)
        size_bytes = ledger.with_name(ledger.name + "-wal").stat().st_size
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))
        await shop.publish(*((order(), binary()) for _ in range(5)))
        await eventually(lambda: any("ledger.unavailable" in line for line in child.lines), "word of the ledger")

        assert 5 == await unacked()
        assert [] == shop.told
        assert 0 == cloud.state.calls["create"]

        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        told = await shop.outcomes(5)
        assert {"vpn.vpnservice.created.v1"} == {event.type for event in told}
        assert 5 == cloud.state.creates
        assert 0 == await child.stop()
        assert not any("Traceback" in line for line in child.lines)


@pytest.mark.parametrize(
    "moment", ["9999-12-31T23:59:59+00:00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+14:00"]
)
async def test_a_forged_first_seen_header_does_not_keep_a_request_from_its_outcome(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, moment: str
) -> None:
    worker = await start_worker(cloud.url, stranger_window_s=0)
    asking = binary("forged")
    asking.headers = {**(asking.headers or {}), "x-vpn-first-seen": moment}
    await shop.publish((order(), asking))
    told = await shop.outcomes(1)

    assert ["vpn.vpnservice.created.v1"] == [event.type for event in told]
    assert [] == worker.mistakes()
