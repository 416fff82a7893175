"""
Whatever ends in the middle - the worker, its connection, the broker - no request is lost and no service made twice.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import TYPE_CHECKING

import pika
import pytest

from messages.routes import RUNGS, Routes
from tests.e2e.conftest import eventually
from tests.e2e.proxy import AmqpProxy
from tests.e2e.shop import Message, Shop, binary, open_shop, order
from worker.broker.topology import apply_topology
from worker.sandbox.node import private_broker, server_script

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.e2e.conftest import StartCloud, StartWorker
    from worker.sandbox.rabbitmq import Broker
    from worker.simulator import Simulator

COUNT = 50


def orders(count: int = COUNT) -> list[tuple[bytes, pika.BasicProperties]]:
    """
    Requests for a router each.
    """
    return [(order(f"router-{number}"), binary(f"order-{number}")) for number in range(count)]


def check_each_once(told: list[Message], cloud: Simulator, count: int = COUNT) -> None:
    """
    Every request was told as created under one event id, and has one service.
    """
    events = {(message.data["request_id"], message.headers["ce-id"], message.type) for message in told}

    assert count == len({request for request, _, _ in events}) == len(events)
    assert {"vpn.vpnservice.created.v1"} == {kind for _, _, kind in events}
    assert Counter({f"router-{number}": 1 for number in range(count)}) == Counter(
        str(service.attributes["router_id"]) for service in cloud.state.services.values()
    )
    assert {service.id for service in cloud.state.services.values()} == {message.data["service_id"] for message in told}


def requests_told(told: list[Message]) -> set[str]:
    """
    The requests that have an outcome.
    """
    return {message.data["request_id"] for message in told if message.is_outcome}


async def test_the_same_request_twenty_times_makes_one_service_and_one_event_id(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker, unacked: Callable[[], Awaitable[int]]
) -> None:
    cloud = await start_cloud(services_per_vpc=0, latency_ms=200)
    worker = await start_worker(cloud.url)
    await shop.publish(*([(order("router-0"), binary("order-0"))] * 20))

    async def all_acked() -> bool:
        return await shop.ready(f"{shop.prefix}.requests.create") == 0 and await unacked() == 0

    await shop.until(bool)
    await eventually(all_acked, "ack of every delivery")
    await shop.publish((order("router-0"), binary("order-0")))  # and again, long after
    before = len(shop.told)
    await shop.until(lambda told: len(told) > before)

    check_each_once(shop.told, cloud, 1)
    assert 1 == cloud.state.calls["create"]
    assert [] == worker.mistakes()


async def test_sigterm_finishes_what_is_under_way_and_leaves_the_rest_in_the_queue(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker
) -> None:
    cloud = await start_cloud(services_per_vpc=0, latency_ms=300)
    first = await start_worker(cloud.url, concurrency=20, api_concurrency=20)
    await shop.publish(*orders())
    await cloud.until(lambda state: state.calls["create"] >= 20)
    status = await first.child.stop()
    posted = cloud.state.calls["create"]
    await shop.until(lambda told: len(requests_told(told)) == posted)
    left = await shop.ready(f"{shop.prefix}.requests.create")

    assert 0 == status
    assert 20 <= posted < COUNT
    assert COUNT == posted + left
    assert [] == first.mistakes()

    await start_worker(cloud.url, stranger_window_s=0.5)
    told = await shop.outcomes(COUNT)
    check_each_once(told, cloud)
    assert COUNT == cloud.state.calls["create"]


async def test_a_second_signal_ends_the_worker_at_once_and_nothing_is_lost(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker
) -> None:
    cloud = await start_cloud(services_per_vpc=0, latency_ms=5000)
    first = await start_worker(cloud.url, shutdown_grace_s=60)
    await shop.publish((order("router-0"), binary("order-0")))
    await cloud.until(lambda state: state.calls["create"] == 1)
    os.kill(first.child.pid, signal.SIGINT)
    await first.until_logged("worker.draining")
    os.kill(first.child.pid, signal.SIGINT)
    status = await first.child.wait()

    assert 0 == status
    assert 1 == await shop.ready(f"{shop.prefix}.requests.create")
    assert first.logged("worker.abandoned")


async def test_sigkill_in_the_middle_loses_and_doubles_nothing(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker
) -> None:
    cloud = await start_cloud(services_per_vpc=0, latency_ms=200)
    patience = {"lease_s": 10, "api_timeout_s": 5, "stranger_window_s": 1, "reconcile_window_s": 1}
    first = await start_worker(cloud.url, concurrency=20, **patience)
    await shop.publish(*orders())
    # Some are told, some are posted and not answered, some are only delivered.
    await shop.until(lambda told: len(told) >= 5)
    await first.child.kill()
    assert len(requests_told(shop.told)) < COUNT

    second = await start_worker(cloud.url, concurrency=20, **patience)
    told = await shop.until(lambda told: len(requests_told(told)) == COUNT, 40)
    assert 0 == await second.child.stop()
    check_each_once(told, cloud)
    for queue in ("requests.create", "dead", *(f"retry.{rung.name}" for rung in RUNGS)):
        assert (queue, 0) == (queue, await shop.ready(f"{shop.prefix}.{queue}"))
    assert [] == second.mistakes()


async def test_a_cut_connection_cuts_no_post_and_doubles_nothing(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker, amqp_url: str
) -> None:
    cloud = await start_cloud(services_per_vpc=0, latency_ms=300)
    async with AmqpProxy(amqp_url) as proxy:
        worker = await start_worker(cloud.url, amqp_url=proxy.amqp_url, concurrency=20, stranger_window_s=1)
        await shop.publish(*orders())
        await cloud.until(lambda state: state.calls["create"] >= 20)
        proxy.cut()
        await worker.until_logged("broker.lost", 2)
        await shop.until(lambda told: len(requests_told(told)) >= 30)
        proxy.cut()
        told = await shop.until(lambda told: len(requests_told(told)) == COUNT, 40)
        assert 0 == await worker.child.stop()

    check_each_once(told, cloud)
    assert COUNT == cloud.state.calls["create"]
    assert 0 == await shop.ready(f"{shop.prefix}.requests.create")
    assert [] == worker.mistakes()


async def test_the_worker_comes_back_by_itself_after_the_broker_was_killed(
    broker: Broker, start_cloud: StartCloud, start_worker: StartWorker, tmp_path: Path
) -> None:
    if server_script(os.environ.get("PATH", "")) is None:
        pytest.skip("rabbitmq-server is not installed on this machine")
    cloud = await start_cloud(services_per_vpc=0, latency_ms=300)
    async with private_broker(tmp_path / "node", lambda line: None) as node:
        await apply_topology(node.amqp_url, Routes("vpn"))
        async with open_shop(node.amqp_url, "vpn") as shop:
            worker = await start_worker(
                cloud.url, amqp_url=node.amqp_url, prefix="vpn", concurrency=20, api_concurrency=20, stranger_window_s=1
            )
            await shop.publish(*orders())
            await cloud.until(lambda state: state.calls["create"] >= 20)
            await node.kill()
        await worker.until_logged("broker.unreachable")
        await node.start()
        await eventually(lambda: len(worker.logged("consumer.registered")) > 1, "consumer after the restart", 30)
        async with open_shop(node.amqp_url, "vpn") as again:
            # What was told before this moment lies with the unrouted: nobody was bound then.
            found = shop.told + await again.empty("vpn.unrouted")
            told = await again.until(lambda told: len(requests_told(told + found)) == COUNT, 40)
            assert 0 == await worker.child.stop()

    check_each_once(told + found, cloud)
    assert COUNT == cloud.state.calls["create"]
