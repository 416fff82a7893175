"""
However often it pauses and resumes, a consumer never has more unsettled deliveries than its prefetch.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.broker.conftest import ask, consuming, counts
from tests.e2e.conftest import eventually
from worker.broker.consumer import BrokerConsumer
from worker.broker.publisher import BrokerPublisher
from worker.ports import Ack, Delivery

if TYPE_CHECKING:
    from messages.routes import Routes

LIMIT_S = 15.0
PREFETCH = 8
COUNT = 40


async def arrived(consumer: BrokerConsumer, amqp_url: str, routes: Routes, *, ready: int, count: int) -> list[Delivery]:
    """
    So many deliveries and no more, once so many are left in the queue.
    """
    await eventually(lambda: counts(amqp_url, routes.requests_queue)[0] == ready, f"queue with {ready} left", 45)
    # What has left the queue may still be on its way to us.
    async with asyncio.timeout(LIMIT_S):
        deliveries = [await consumer.take() for _ in range(count)]

    assert not consumer.has_arrivals
    return deliveries


async def test_pausing_and_resuming_with_everything_held_takes_no_more(amqp_url: str, routes: Routes) -> None:
    """
    RabbitMQ counts a prefetch for each consumer: a new one would get as many again each time.
    """
    ask(amqp_url, routes, *(str(number).encode() for number in range(COUNT)))
    async with consuming(BrokerConsumer(amqp_url, routes, PREFETCH, BrokerPublisher(amqp_url, routes))) as consumer:
        held = await arrived(consumer, amqp_url, routes, ready=COUNT - PREFETCH, count=PREFETCH)
        for _ in range(3):
            await consumer.pause()
            await consumer.resume()
        left_after_flapping, _ = counts(amqp_url, routes.requests_queue)
        for delivery in held[:4]:
            await consumer.settle(delivery, Ack())
        more = await arrived(consumer, amqp_url, routes, ready=COUNT - PREFETCH - 4, count=4)
        for delivery in (*held[4:], *more):
            await consumer.settle(delivery, Ack())
        rest: list[Delivery] = []
        async with asyncio.timeout(LIMIT_S):
            while len(rest) < COUNT - PREFETCH - 4:
                rest.append(await consumer.take())
                await consumer.settle(rest[-1], Ack())

    assert COUNT - PREFETCH == left_after_flapping
    bodies = [delivery.envelope.body for delivery in (*held, *more, *rest)]
    assert sorted(str(number).encode() for number in range(COUNT)) == sorted(bodies)
    assert (0, 0) == counts(amqp_url, routes.requests_queue)


async def test_when_the_held_ones_are_settled_the_whole_prefetch_is_had_again(amqp_url: str, routes: Routes) -> None:
    ask(amqp_url, routes, *(str(number).encode() for number in range(COUNT)))
    async with consuming(BrokerConsumer(amqp_url, routes, PREFETCH, BrokerPublisher(amqp_url, routes))) as consumer:
        held = await arrived(consumer, amqp_url, routes, ready=COUNT - PREFETCH, count=PREFETCH)
        await consumer.pause()
        for delivery in held[:3]:
            await consumer.settle(delivery, Ack())
        await consumer.resume()
        await arrived(consumer, amqp_url, routes, ready=COUNT - PREFETCH - 3, count=3)
        for delivery in held[3:]:
            await consumer.settle(delivery, Ack())
        await arrived(consumer, amqp_url, routes, ready=COUNT - 2 * PREFETCH, count=PREFETCH - 3)
        after = counts(amqp_url, routes.requests_queue)

    assert COUNT - 2 * PREFETCH == after[0]
