"""
What interrupts `vpn-worker publish FILE...`: signals, cut connections, a broker that is full or killed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from messages.routes import Routes
from tests.cli.conftest import TIMEOUT_S
from tests.cli.order_files import ended, orders_csv, result_rows, running
from tests.e2e.conftest import worker_environment
from tests.e2e.proxy import AmqpProxy
from tests.e2e.shop import Shop
from worker.broker.topology import apply_topology
from worker.sandbox.node import private_broker, server_script

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import StartCloud, StartWorker

pytestmark = pytest.mark.long


WORK = "requests.create"


@pytest.fixture
def at(amqp_url: str, prefix: str) -> dict[str, Any]:
    """
    The settings that lead to the test's broker.
    """
    return {"amqp_url": amqp_url, "prefix": prefix}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_stopped_and_run_again_nothing_is_created_twice(
    shop: Shop,
    at: dict[str, Any],
    folder: Path,
    start_cloud: StartCloud,
    start_worker: StartWorker,
    number: signal.Signals,
) -> None:
    count = 300
    cloud = await start_cloud(services_per_vpc=0, latency_ms=50)
    await start_worker(cloud.url, concurrency=10)
    orders_csv(folder, count)
    words = ("publish", "orders.csv", "--wait", "--result", "r.csv")
    async with running(folder, *words, **at) as process:
        await cloud.until(lambda state: state.creates >= 20)
        process.send_signal(number)
        status, _, err = await ended(process)
    half = Counter(row["status"] for row in result_rows(folder / "r.csv"))
    async with running(folder, *words, **at) as process:
        again, out, _ = await ended(process, 80)

    assert 130 == status
    assert f"of {count} orders are confirmed" in err
    assert "Running the same command again is safe" in err
    assert half["waiting"]
    assert (0, f"{count} orders: {count} created.\n") == (again, out)
    assert count == len(cloud.state.services) == cloud.state.creates
    assert {service.id for service in cloud.state.services.values()} == {
        row["service_id"] for row in result_rows(folder / "r.csv")
    }


async def test_stopped_while_checking_nothing_was_sent(shop: Shop, at: dict[str, Any], folder: Path) -> None:
    reading, writing = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker", "publish", "-"),
        cwd=folder,
        env=worker_environment(at),
        stdin=reading,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(reading)
    try:
        # More than the head and a pipe hold: when this is through, the command is reading rows.
        block = b"".join(b'{"order": %d, "router_id": "r-%d"}\n' % (n, n) for n in range(20_000))
        await asyncio.to_thread(os.write, writing, block)
        process.send_signal(signal.SIGTERM)
        status, out, err = await ended(process)
    finally:
        os.close(writing)

    assert (130, "") == (status, out)
    assert "Stopped." in err
    assert 0 == await shop.ready(f"{shop.prefix}.{WORK}")


async def test_cut_connections_lose_no_order_and_no_outcome(
    shop: Shop, at: dict[str, Any], folder: Path, start_cloud: StartCloud, start_worker: StartWorker
) -> None:
    count = 400
    cloud = await start_cloud(services_per_vpc=0, latency_ms=20)
    await start_worker(cloud.url, concurrency=10)
    orders_csv(folder, count)
    async with AmqpProxy(at["amqp_url"]) as proxy:
        settings = at | {"amqp_url": proxy.amqp_url}
        async with running(folder, "publish", "orders.csv", "--result", "r.csv", **settings) as process:
            for creates in (10, 100, 200):
                await cloud.until(lambda state, creates=creates: state.creates >= creates)  # type: ignore[misc]
                proxy.cut()
            status, out, err = await ended(process, 80)

    assert (0, f"{count} orders: {count} created.\n") == (status, out)
    assert "sent again under their ids" in err
    assert count == len(cloud.state.services) == cloud.state.creates
    rows = result_rows(folder / "r.csv")
    assert [str(1000 + n) for n in range(count)] == [row["id"] for row in rows]
    assert {service.id for service in cloud.state.services.values()} == {row["service_id"] for row in rows}


async def test_a_broker_that_is_short_of_memory_is_waited_for_in_words(
    at: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    if server_script(os.environ.get("PATH", "")) is None:
        pytest.skip("rabbitmq-server is not installed on this machine")
    orders_csv(folder, 600)
    async with private_broker(tmp_path / "node", lambda line: None) as node:
        await apply_topology(node.amqp_url, Routes("vpn"))
        await node.ctl("set_vm_memory_high_watermark", "0.00001")
        async with running(folder, "publish", "orders.csv", amqp_url=node.amqp_url, prefix="vpn") as process:
            assert process.stderr is not None
            async with asyncio.timeout(TIMEOUT_S):
                first = await process.stderr.readline()
            await node.ctl("set_vm_memory_high_watermark", "0.6")
            status, out, err = await ended(process, 80)

    assert b"short of memory or disk" in first
    assert "It goes on." in err
    assert (0, True) == (status, out.startswith("600 orders published"))


async def test_a_killed_broker_comes_back_and_the_batch_goes_on(
    folder: Path, tmp_path: Path, start_cloud: StartCloud, start_worker: StartWorker
) -> None:
    if server_script(os.environ.get("PATH", "")) is None:
        pytest.skip("rabbitmq-server is not installed on this machine")
    count = 200
    cloud = await start_cloud(services_per_vpc=0, latency_ms=50)
    orders_csv(folder, count)
    async with private_broker(tmp_path / "node", lambda line: None) as node:
        await apply_topology(node.amqp_url, Routes("vpn"))
        settings = {"amqp_url": node.amqp_url, "prefix": "vpn"}
        worker = await start_worker(cloud.url, concurrency=10, stranger_window_s=1, **settings)
        async with running(folder, "publish", "orders.csv", "--result", "r.csv", **settings) as process:
            await cloud.until(lambda state: state.creates >= 20)
            await node.kill()
            await node.start()
            status, out, _ = await ended(process, 80)
        assert 0 == await worker.child.stop()

    assert (0, f"{count} orders: {count} created.\n") == (status, out)
    assert count == len(cloud.state.services) == cloud.state.creates
