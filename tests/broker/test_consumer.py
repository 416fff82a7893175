"""
Taking deliveries from a real RabbitMQ: pausing, coming back, and what a delivery tells of its past.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from typing import TYPE_CHECKING

import pytest
from pamqp import commands
from structlog.testing import capture_logs

from tests.broker.conftest import Properties, ask, channel_to, consuming, counts
from tests.e2e.conftest import eventually
from tests.e2e.proxy import AmqpProxy
from worker.broker.consumer import BrokerConsumer
from worker.broker.publisher import BrokerPublisher
from worker.broker.topology import apply_topology
from worker.ports import Ack, Delivery, GiveBack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from messages.routes import Routes
    from worker.sandbox.node import PrivateBroker

LIMIT_S = 15.0


def consumer_of(amqp_url: str, routes: Routes, prefetch: int = 10) -> BrokerConsumer:
    """
    A consumer whose publisher does not run: these tests need no copies.
    """
    return BrokerConsumer(amqp_url, routes, prefetch, BrokerPublisher(amqp_url, routes))


async def taken(consumer: BrokerConsumer, count: int) -> list[Delivery]:
    """
    So many deliveries, as soon as they are there.
    """
    async with asyncio.timeout(LIMIT_S):
        return [await consumer.take() for _ in range(count)]


def bodies(deliveries: list[Delivery]) -> list[bytes]:
    """
    What was asked.
    """
    return [delivery.envelope.body for delivery in deliveries]


@pytest.fixture
async def proxy(amqp_url: str) -> AsyncIterator[AmqpProxy]:
    """
    A proxy to the session's broker.
    """
    async with AmqpProxy(amqp_url) as opened:
        yield opened


async def test_while_paused_nothing_is_delivered_and_what_was_delivered_before_is_settled(
    amqp_url: str, routes: Routes
) -> None:
    ask(amqp_url, routes, b"1", b"2", b"3", b"4")
    async with consuming(consumer_of(amqp_url, routes, prefetch=2)) as consumer:
        before = await taken(consumer, 2)
        await consumer.pause()
        for delivery in before:
            await consumer.settle(delivery, Ack())
        while_paused = counts(amqp_url, routes.requests_queue)
        was_registered = consumer.is_registered
        has_arrivals = consumer.has_arrivals
        await consumer.resume()
        after = await taken(consumer, 2)
        is_registered = consumer.is_registered
        for delivery in after:
            await consumer.settle(delivery, Ack())

    assert [b"1", b"2"] == bodies(before)
    assert (2, 0) == while_paused
    assert not was_registered
    assert not has_arrivals
    assert [b"3", b"4"] == bodies(after)
    assert is_registered
    assert not any(delivery.is_redelivered for delivery in after)
    assert (0, 0) == counts(amqp_url, routes.requests_queue)


async def test_a_pause_outlasts_a_reconnect(amqp_url: str, routes: Routes, proxy: AmqpProxy) -> None:
    with capture_logs() as logs:
        async with consuming(consumer_of(proxy.amqp_url, routes)) as consumer:
            await consumer.registered()
            await consumer.pause()
            proxy.cut()
            await eventually(lambda: has_found_the_queue(proxy, connection=1), "new connection")
            ask(amqp_url, routes, b"1", b"2", b"3")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await consumer.take()
            while_paused = counts(amqp_url, routes.requests_queue)
            await consumer.resume()
            after = await taken(consumer, 3)

    assert (3, 0) == while_paused
    assert [b"1", b"2", b"3"] == bodies(after)
    told = [entry["event"] for entry in logs if entry["event"].startswith("consumer.")]
    assert ["consumer.registered", "consumer.paused", "consumer.registered"] == told


def has_found_the_queue(proxy: AmqpProxy, connection: int) -> bool:
    """
    Whether the consumer had all it needs to consume on that connection.
    """
    return any(
        passed.connection == connection and isinstance(passed.frame, commands.Queue.DeclareOk)
        for passed in proxy.passed
    )


async def test_paused_before_the_first_connection_it_consumes_only_when_resumed(amqp_url: str, routes: Routes) -> None:
    ask(amqp_url, routes, b"1")
    consumer = consumer_of(amqp_url, routes)
    await consumer.pause()
    async with consuming(consumer):
        await asyncio.wait_for(consumer.registered(), LIMIT_S)
        was_registered = consumer.is_registered
        consumers = counts(amqp_url, routes.requests_queue)[1]
        await consumer.resume()
        after = await taken(consumer, 1)

    # It has come as far as it can: a start that waited for more would never be over while there is a reason to pause.
    assert not was_registered
    assert 0 == consumers
    assert [b"1"] == bodies(after)


async def test_whoever_speaks_last_is_obeyed_also_during_reconnects(
    amqp_url: str, routes: Routes, proxy: AmqpProxy
) -> None:
    luck = random.Random(7)
    async with consuming(consumer_of(proxy.amqp_url, routes)) as consumer:
        await consumer.registered()
        for _ in range(6):
            await asyncio.gather(*(luck.choice([consumer.pause, consumer.resume])() for _ in range(5)))
            if luck.random() < 0.5:
                proxy.cut()
            await consumer.resume()
            await eventually(lambda: consumer.is_registered, "consumer")
            await eventually(lambda: counts(amqp_url, routes.requests_queue)[1] == 1, "one consumer at the broker")
            await asyncio.gather(consumer.resume(), consumer.pause())
            await eventually(lambda: counts(amqp_url, routes.requests_queue)[1] == 0, "no consumer at the broker")
            assert not consumer.is_registered


async def test_a_drain_ends_all_taking_for_good(amqp_url: str, routes: Routes, proxy: AmqpProxy) -> None:
    ask(amqp_url, routes, b"1")
    async with consuming(consumer_of(proxy.amqp_url, routes)) as consumer:
        before = await taken(consumer, 1)
        await asyncio.gather(consumer.pause(), consumer.stop_taking(), consumer.resume())
        await consumer.resume()
        await consumer.settle(before[0], Ack())  # a cancelled consumer counts as one until it has settled everything
        await eventually(lambda: counts(amqp_url, routes.requests_queue) == (0, 0), "end of the consumer")
        ask(amqp_url, routes, b"2")
        proxy.cut()
        await eventually(lambda: has_found_the_queue(proxy, connection=1), "new connection")
        await consumer.resume()
        after_reconnect = counts(amqp_url, routes.requests_queue)

    assert (1, 0) == after_reconnect
    assert not consumer.is_registered
    await consumer.pause()
    await consumer.resume()


async def test_a_pause_that_the_broker_does_not_answer_ends_with_the_connection(
    node: PrivateBroker, node_routes: Routes
) -> None:
    """
    The call pending when the heartbeat gives up raises a bare CancelledError (broker-facts, 3): it must not end whoever
    asked for the pause.
    """
    async with consuming(consumer_of(f"{node.amqp_url}?heartbeat=1", node_routes)) as consumer:
        await consumer.registered()
        os.kill(node.pid, signal.SIGSTOP)
        try:
            begun = time.monotonic()
            pausing = asyncio.create_task(consumer.pause())
            await asyncio.wait({pausing}, timeout=20)
            spent_s = time.monotonic() - begun
        finally:
            os.kill(node.pid, signal.SIGCONT)
        await consumer.resume()
        await eventually(lambda: consumer.is_registered, "consumer again", 30)

    assert pausing.done()
    assert not pausing.cancelled()
    assert pausing.result() is None
    assert spent_s < 15


async def test_a_delivery_tells_how_often_it_was_taken_back(amqp_url: str, routes: Routes) -> None:
    ask(amqp_url, routes, b"1")
    found: list[Delivery] = []
    for _ in range(3):
        async with consuming(consumer_of(amqp_url, routes)) as consumer:
            found += await taken(consumer, 1)
            await consumer.settle(found[-1], GiveBack())

    assert [(0, False), (1, True), (2, True)] == [(delivery.returns, delivery.is_redelivered) for delivery in found]


async def test_a_forged_count_is_believed_neither_at_first_nor_later(amqp_url: str, routes: Routes) -> None:
    """
    RabbitMQ writes its own over it, but not on the first delivery.
    """
    ask(amqp_url, routes, b"1", properties=Properties(delivery_mode=2, headers={"x-delivery-count": 99}))
    found: list[Delivery] = []
    for _ in range(2):
        async with consuming(consumer_of(amqp_url, routes)) as consumer:
            found += await taken(consumer, 1)

    assert [99, 1] == [delivery.envelope.headers["x-delivery-count"] for delivery in found]
    assert [0, 1] == [delivery.returns for delivery in found]


async def test_a_queue_that_is_deleted_ends_the_consumer_until_it_is_back(amqp_url: str, routes: Routes) -> None:
    with capture_logs() as logs:
        async with consuming(consumer_of(amqp_url, routes)) as consumer:
            await consumer.registered()
            with channel_to(amqp_url) as channel:
                channel.queue_delete(routes.requests_queue)
            await eventually(lambda: not consumer.is_registered, "end of the consumer")
            await apply_topology(amqp_url, routes)
            ask(amqp_url, routes, b"1")
            found = await taken(consumer, 1)

    assert [b"1"] == bodies(found)
    assert "the broker cancelled our consumer" in [entry.get("error") for entry in logs]
