"""
What the tests of the broker room share: a node that may be hurt, alarms, a running publisher and consumer, and questions
to the broker on a client of its own.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import pika
import pytest

from messages.envelope import Envelope
from messages.routes import Routes
from tests.e2e.conftest import eventually
from worker.broker.topology import apply_topology
from worker.sandbox.node import PrivateBroker, private_broker, server_script

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from pika.adapters.blocking_connection import BlockingChannel

    from worker.broker.consumer import BrokerConsumer
    from worker.broker.publisher import BrokerPublisher

Properties = pika.BasicProperties


def event(identity: str, body: bytes = b"{}") -> Envelope:
    """
    An event as the teller makes them, known by its id.
    """
    return Envelope(
        body=body,
        headers={"ce-id": identity},
        content_type="application/json",
        message_id=None,
        app_id=None,
        correlation_id=None,
        reply_to=None,
    )


@contextmanager
def channel_to(amqp_url: str) -> Iterator[BlockingChannel]:
    """
    A channel of another client, with confirms.
    """
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel
    finally:
        connection.close()


def emptied(amqp_url: str, queue: str) -> list[str]:
    """
    The event ids of all messages that were ready in a queue, in order.
    """
    found: list[str] = []
    with channel_to(amqp_url) as channel:
        while True:
            _, properties, _ = channel.basic_get(queue, auto_ack=True)
            if properties is None:
                return found
            found.append(str((properties.headers or {}).get("ce-id")))


def ask(amqp_url: str, routes: Routes, *bodies: bytes, properties: Properties | None = None) -> None:
    """
    Publishes requests, each confirmed.
    """
    with channel_to(amqp_url) as channel:
        for body in bodies:
            channel.basic_publish(
                routes.requests_exchange, routes.request_routing_key, body, properties or Properties(delivery_mode=2)
            )


def counts(amqp_url: str, queue: str) -> tuple[int, int]:
    """
    Messages ready, and consumers, of a queue.
    """
    with channel_to(amqp_url) as channel:
        method = channel.queue_declare(queue, passive=True).method
        return method.message_count, method.consumer_count


@asynccontextmanager
async def publishing(publisher: BrokerPublisher) -> AsyncIterator[BrokerPublisher]:
    """
    A publisher that runs and has its connection.
    """
    running = asyncio.create_task(publisher.run())
    try:
        await eventually(lambda: publisher.is_open, "connection to publish on")
        yield publisher
    finally:
        publisher.close()
        await running


@asynccontextmanager
async def consuming(consumer: BrokerConsumer) -> AsyncIterator[BrokerConsumer]:
    """
    A consumer that runs; registered unless it was paused before.
    """
    running = asyncio.create_task(consumer.run())
    try:
        yield consumer
    finally:
        consumer.close()
        await running


@asynccontextmanager
async def alarm(node: PrivateBroker) -> AsyncIterator[None]:
    """
    A memory alarm: the broker stops reading from whoever publishes.
    """
    await node.ctl("set_vm_memory_high_watermark", "0.0001")
    try:
        yield
    finally:
        await node.ctl("set_vm_memory_high_watermark", "0.4")


@pytest.fixture(scope="package")
def rough_node(broker: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateBroker]:
    """
    A node for the tests that freeze, kill or starve it; asking for `broker` has installed RabbitMQ, where possible.
    """
    if server_script(os.environ.get("PATH", "")) is None:
        pytest.skip("rabbitmq-server is not installed on this machine")
    loop = asyncio.new_event_loop()  # set nowhere: pytest-asyncio keeps its own
    try:
        holding = private_broker(tmp_path_factory.mktemp("rough"), lambda line: None)
        node = loop.run_until_complete(holding.__aenter__())
        try:
            yield node
        finally:
            loop.run_until_complete(holding.__aexit__(None, None, None))
    finally:
        loop.close()


@pytest.fixture
async def node(rough_node: PrivateBroker) -> PrivateBroker:
    """
    The node for rough tests, up and without an alarm.
    """
    await rough_node.start()
    return rough_node


@pytest.fixture
async def node_routes(node: PrivateBroker) -> Routes:
    """
    Names on that node that no other test has, with their exchanges and queues.
    """
    routes = Routes(f"t{uuid.uuid4().hex[:8]}")
    await apply_topology(node.amqp_url, routes)
    return routes


@pytest.fixture
async def routes(amqp_url: str, prefix: str) -> Routes:
    """
    The test's names on the session's broker, with their exchanges and queues.
    """
    await apply_topology(amqp_url, Routes(prefix))
    return Routes(prefix)
