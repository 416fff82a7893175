"""
A consumer looks at its queue without changing it, and is served again after RabbitMQ has lost it without a word.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.broker.conftest import ask, channel_to, consuming, counts
from tests.e2e.conftest import eventually
from worker.broker.consumer import BrokerConsumer
from worker.broker.publisher import BrokerPublisher
from worker.broker.topology import apply_topology
from worker.core.selfcheck import QueueLook
from worker.gate import Gate
from worker.ports import Ack, Delivery
from worker.selfcheck import SelfCheck

if TYPE_CHECKING:
    from messages.routes import Routes

LIMIT_S = 45.0


async def nothing_to_mend() -> None:
    raise AssertionError


async def taken(consumer: BrokerConsumer) -> Delivery:
    async with asyncio.timeout(LIMIT_S):
        delivery = await consumer.take()
    await consumer.settle(delivery, Ack())
    return delivery


async def vanish(consumer: BrokerConsumer) -> None:
    """
    What a broker does that forgets a consumer: nothing is said to the client.
    """
    session = consumer._session
    assert session is not None
    channel = await session.channel.get_underlay_channel()
    for tag in session.rooms:
        await channel.basic_cancel(tag)


async def test_a_look_shows_the_queue_and_takes_nothing(amqp_url: str, routes: Routes) -> None:
    ask(amqp_url, routes, *(str(number).encode() for number in range(5)))
    async with consuming(BrokerConsumer(amqp_url, routes, 2, BrokerPublisher(amqp_url, routes))) as consumer:
        await consumer.registered()
        first, second = await taken(consumer), await taken(consumer)
        held = [await consumer.take(), await consumer.take()]
        await eventually(lambda: counts(amqp_url, routes.requests_queue)[0] == 1, "queue with one left", LIMIT_S)
        seen = await consumer.look()
        for delivery in held:
            await consumer.settle(delivery, Ack())

    assert QueueLook(messages=1, consumers=1, taken=4, held=2, is_wanted=True) == seen
    assert first.envelope.body != second.envelope.body


async def test_one_that_is_paused_wants_nothing_and_without_connection_there_is_no_look(
    amqp_url: str, routes: Routes
) -> None:
    consumer = BrokerConsumer(amqp_url, routes, 2, BrokerPublisher(amqp_url, routes))

    assert await consumer.look() is None

    async with consuming(consumer):
        await consumer.registered()
        await consumer.pause()
        seen = await consumer.look()

    assert QueueLook(messages=0, consumers=0, taken=0, held=0, is_wanted=False) == seen


async def test_one_that_vanished_is_found_and_served_again(amqp_url: str, routes: Routes) -> None:
    async with consuming(BrokerConsumer(amqp_url, routes, 2, BrokerPublisher(amqp_url, routes))) as consumer:
        await consumer.registered()
        await vanish(consumer)
        ask(amqp_url, routes, b"late")
        is_believed = consumer.is_registered
        check = SelfCheck(consumer, Gate(), nothing_to_mend, 1.0)
        await check.look()
        is_believed &= consumer.is_registered
        await check.look()
        delivery = await taken(consumer)

    assert is_believed
    assert b"late" == delivery.envelope.body


async def test_one_that_vanished_beside_others_is_found_by_the_silence(amqp_url: str, routes: Routes) -> None:
    async with (
        consuming(BrokerConsumer(amqp_url, routes, 1, BrokerPublisher(amqp_url, routes))) as full,
        consuming(BrokerConsumer(amqp_url, routes, 2, BrokerPublisher(amqp_url, routes))) as consumer,
    ):
        await full.registered()
        await consumer.registered()
        await vanish(consumer)
        ask(amqp_url, routes, b"first", b"second")
        other = await full.take()
        await eventually(lambda: counts(amqp_url, routes.requests_queue)[0] == 1, "queue with one left", LIMIT_S)
        check = SelfCheck(consumer, Gate(), nothing_to_mend, 1.0)
        await check.look()
        rebuilt_at_once = not consumer.is_registered
        await check.look()
        delivery = await taken(consumer)
        await full.settle(other, Ack())

    assert not rebuilt_at_once
    assert {b"first", b"second"} == {other.envelope.body, delivery.envelope.body}


async def test_a_queue_that_was_deleted_is_declared_and_consumed_again(amqp_url: str, routes: Routes) -> None:
    async with consuming(BrokerConsumer(amqp_url, routes, 2, BrokerPublisher(amqp_url, routes))) as consumer:
        await consumer.registered()
        with channel_to(amqp_url) as channel:
            channel.queue_delete(routes.requests_queue)
        await eventually(lambda: not consumer.is_registered, "end of the consumer", LIMIT_S)
        check = SelfCheck(consumer, Gate(), lambda: apply_topology(amqp_url, routes), 1.0)
        async with asyncio.timeout(LIMIT_S):
            while not consumer.is_registered:
                await check.look()
                await asyncio.sleep(0.1)
        ask(amqp_url, routes, b"again")
        delivery = await taken(consumer)

    assert b"again" == delivery.envelope.body
