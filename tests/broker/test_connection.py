"""
Opening and closing connections to brokers that do not answer.
"""

from __future__ import annotations

import asyncio
import time

import aio_pika
import pytest

from tests.e2e.proxy import AmqpProxy
from worker.broker.connection import close_quietly, connect, user_of


async def test_a_close_towards_a_broker_that_reads_nothing_ends_in_time(amqp_url: str) -> None:
    """
    What was written fills every buffer on the way, as behind a long alarm: the close itself waits for them to empty.
    """

    async def publish() -> None:
        async with asyncio.timeout(1):
            await exchange.publish(aio_pika.Message(bytes(100_000)), "", mandatory=False)

    async with AmqpProxy(amqp_url) as proxy:
        connection = await connect(proxy.amqp_url, "test")
        exchange = await (await connection.channel()).get_exchange("amq.fanout", ensure=False)
        proxy.hold(is_from_client=True)
        results = await asyncio.gather(*(publish() for _ in range(200)), return_exceptions=True)
        begun = time.monotonic()
        await close_quietly(connection, timeout_s=0.5)
        spent_s = time.monotonic() - begun
        still_closing = [task for task in asyncio.all_tasks() if "Connection.close" in str(task.get_coro())]

    assert [] == still_closing
    assert {TimeoutError} == {type(result) for result in results}
    assert spent_s < 2


@pytest.mark.parametrize(
    ("url", "user"),
    [
        ("amqp://shop%40a:secret@broker/vpn", "shop@a"),
        ("amqp://broker", "guest"),
        ("amqps://broker/vpn?auth=EXTERNAL", None),
        ("amqps://ignored:secret@broker/vpn?auth=external", None),
    ],
)
def test_our_user_is_known_unless_the_certificate_tells_it(url: str, user: str | None) -> None:
    assert user == user_of(url)
