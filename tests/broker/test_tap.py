"""
Reading events as they come: whoever reads slowly leaves them at the broker, and loses none that came.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pika
import pytest

from messages.routes import Routes
from tests.e2e.conftest import eventually, shop, topology
from tests.e2e.proxy import AmqpProxy
from worker.broker.tap import open_tap
from worker.errors import BrokerUnreachable

if TYPE_CHECKING:
    from tests.e2e.shop import Shop

__all__ = ["shop", "topology"]  # fixtures of the whole, wanted here too

COUNT = 500
LIMIT_S = 20.0


async def publish(shop: Shop, count: int, key: str = "vpnservice.created") -> None:
    """
    So many events, numbered.
    """

    def send(channel: pika.adapters.blocking_connection.BlockingChannel) -> None:
        for number in range(count):
            channel.basic_publish(f"{shop.prefix}.events", key, json.dumps({"number": number}).encode())

    await shop.with_channel(send)


async def test_a_slow_reader_has_few_events_in_memory_and_gets_all_in_order(shop: Shop) -> None:
    async with asyncio.timeout(LIMIT_S), open_tap(shop.amqp_url, Routes(shop.prefix)) as tap:
        await publish(shop, COUNT)
        read = [json.loads((await tap.next()).body)["number"]]
        await shop.until(lambda told: len(told) == COUNT)  # all are routed
        assert tap._events.qsize() <= 200

        read += [json.loads((await tap.next()).body)["number"] for _ in range(COUNT - 1)]
        assert list(range(COUNT)) == read


async def test_only_the_events_that_were_asked_for_come(shop: Shop) -> None:
    keys = ("vpnservice.created", "vpnservice.failed")
    async with asyncio.timeout(LIMIT_S), open_tap(shop.amqp_url, Routes(shop.prefix), *keys) as tap:
        for key in ("vpnservice.status.active", "vpnservice.failed", "vpnservice.rejected", "vpnservice.created"):
            await publish(shop, 1, key)
            await publish(shop, 2, "vpnservice.created")
        numbers = [json.loads((await tap.next()).body)["number"] for _ in range(10)]

        assert [0, 1, 0, 0, 1, 0, 1, 0, 0, 1] == numbers
        assert 0 == tap._events.qsize()


async def test_what_came_before_a_loss_is_given_before_the_loss_is_told(shop: Shop) -> None:
    async with (
        asyncio.timeout(LIMIT_S),
        AmqpProxy(shop.amqp_url) as proxy,
        open_tap(proxy.amqp_url, Routes(shop.prefix)) as tap,
    ):
        await publish(shop, 5)
        await eventually(lambda: tap._events.qsize() == 5, "events")
        proxy.cut()
        await eventually(lambda: tap._events.qsize() == 6, "end of the stream")

        assert [0, 1, 2, 3, 4] == [json.loads((await tap.next()).body)["number"] for _ in range(5)]
        for _ in range(2):
            with pytest.raises(BrokerUnreachable, match="lost"):
                await tap.next()
