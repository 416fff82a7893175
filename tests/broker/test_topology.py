"""
The exchanges and queues at a real RabbitMQ: what they are, and what happens when they are something else.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pika
import pytest

from messages.routes import RUNGS, Routes
from worker.broker.topology import Applied, apply_topology, is_complete, remove_topology
from worker.errors import BrokerUnreachable, TopologyMismatch
from worker.sandbox.rabbitmq import PrivateBroker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pika.adapters.blocking_connection import BlockingChannel

    from worker.sandbox.rabbitmq import Broker

SAFE = {"x-queue-type": "quorum", "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}


@pytest.fixture
def channel(amqp_url: str) -> Iterator[BlockingChannel]:
    """
    A channel of another client.
    """
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    yield connection.channel()
    connection.close()


async def listed(broker: Broker, what: str, prefix: str) -> dict[str, dict[str, Any]]:
    """
    What the broker itself tells of our things.
    """
    if not isinstance(broker, PrivateBroker):
        pytest.skip("only a broker of our own tells its arguments")
    kind = "type" if what == "list_exchanges" else "durable"
    said = await broker.ctl(what, "name", kind, "durable", "arguments", "--formatter", "json")
    return {row["name"]: row for row in json.loads(said) if row["name"].startswith(prefix)}


def arguments(row: dict[str, Any]) -> dict[str, object]:
    """
    Arguments as rabbitmqctl tells them: name, type, value.
    """
    told = row["arguments"]
    return dict(told) if isinstance(told, dict) else {name: value for name, _, value in told}


async def test_exchanges_are_of_the_kinds_the_contract_names(amqp_url: str, prefix: str, broker: Broker) -> None:
    await apply_topology(amqp_url, Routes(prefix))
    exchanges = await listed(broker, "list_exchanges", prefix)

    assert {
        f"{prefix}.requests": "direct",
        f"{prefix}.events": "topic",
        f"{prefix}.unrouted": "fanout",
        f"{prefix}.retry": "direct",
        f"{prefix}.dead": "fanout",
    } == {name: row["type"] for name, row in exchanges.items()}
    assert {"alternate-exchange": f"{prefix}.unrouted"} == arguments(exchanges[f"{prefix}.events"])
    assert all(row["durable"] for row in exchanges.values())


async def test_queues_are_durable_quorum_queues_that_lose_nothing(amqp_url: str, prefix: str, broker: Broker) -> None:
    await apply_topology(amqp_url, Routes(prefix))
    queues = {
        name.removeprefix(f"{prefix}."): arguments(row)
        for name, row in (await listed(broker, "list_queues", prefix)).items()
    }
    rungs = {
        f"retry.{name}": {
            **SAFE,
            "x-message-ttl": delay_s * 1000,
            "x-dead-letter-exchange": f"{prefix}.requests",
            "x-dead-letter-routing-key": "vpnservice.create",
        }
        for name, delay_s in (("5s", 5), ("30s", 30), ("2m", 120), ("10m", 600), ("1h", 3600))
    }

    assert {
        "requests.create": {**SAFE, "x-dead-letter-exchange": f"{prefix}.dead", "x-delivery-limit": 50},
        "dead": {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000},
        "unrouted": {"x-queue-type": "quorum", "x-max-length": 100_000, "x-overflow": "drop-head"},
        **rungs,
    } == queues


async def test_applying_twice_changes_nothing_and_says_what_was_there(amqp_url: str, prefix: str) -> None:
    first: list[Applied] = []
    second: list[Applied] = []
    assert not await is_complete(amqp_url, Routes(prefix))
    await apply_topology(amqp_url, Routes(prefix), first.append)
    await apply_topology(amqp_url, Routes(prefix), second.append)

    assert 5 + (3 + len(RUNGS)) * 2 == len(first) == len(second)
    assert {"created"} == {one.became for one in first}
    # AMQP does not tell whether a binding was there.
    assert {"there already", "made sure of"} == {one.became for one in second}
    assert [one.thing for one in first] == [one.thing for one in second]
    assert await is_complete(amqp_url, Routes(prefix))


async def test_a_queue_with_other_arguments_is_named(amqp_url: str, prefix: str, channel: BlockingChannel) -> None:
    channel.queue_declare(f"{prefix}.dead", durable=True, arguments={"x-queue-type": "classic"})

    with pytest.raises(TopologyMismatch, match=rf"Queue {prefix}\.dead exists with other arguments"):
        await apply_topology(amqp_url, Routes(prefix))


async def test_an_exchange_of_another_kind_is_named(amqp_url: str, prefix: str, channel: BlockingChannel) -> None:
    channel.exchange_declare(f"{prefix}.events", "fanout", durable=True)

    with pytest.raises(TopologyMismatch, match=rf"Exchange {prefix}\.events exists with other arguments"):
        await apply_topology(amqp_url, Routes(prefix))


async def test_a_missing_queue_makes_it_incomplete_and_is_brought_back(
    amqp_url: str, prefix: str, channel: BlockingChannel
) -> None:
    await apply_topology(amqp_url, Routes(prefix))
    channel.queue_delete(f"{prefix}.retry.2m")

    assert not await is_complete(amqp_url, Routes(prefix))
    await apply_topology(amqp_url, Routes(prefix))
    assert await is_complete(amqp_url, Routes(prefix))


async def test_removing_leaves_nothing(amqp_url: str, prefix: str, broker: Broker) -> None:
    await apply_topology(amqp_url, Routes(prefix))
    await remove_topology(amqp_url, Routes(prefix))

    assert {} == await listed(broker, "list_queues", prefix)
    assert {} == await listed(broker, "list_exchanges", prefix)


async def test_a_message_on_the_shortest_rung_comes_back_to_the_work_queue(
    amqp_url: str, prefix: str, channel: BlockingChannel
) -> None:
    await apply_topology(amqp_url, Routes(prefix))
    channel.confirm_delivery()
    begun = time.monotonic()
    channel.basic_publish(
        f"{prefix}.retry", "5s", b"body", pika.BasicProperties(message_id="m-1", delivery_mode=2), mandatory=True
    )
    body = None
    while body is None and time.monotonic() - begun < 15:
        _, properties, body = channel.basic_get(f"{prefix}.requests.create", auto_ack=True)
        channel.connection.process_data_events(0.05)

    assert b"body" == body
    assert properties is not None
    assert "m-1" == properties.message_id
    assert 4.5 < time.monotonic() - begun < 10


async def test_a_broker_that_is_not_there_is_told_without_the_password() -> None:
    with pytest.raises(BrokerUnreachable) as told:
        await is_complete("amqp://someone:s3cret@127.0.0.1:1/", Routes("vpn"))

    assert "127.0.0.1:1/" in str(told.value)
    assert "s3cret" not in str(told.value)
