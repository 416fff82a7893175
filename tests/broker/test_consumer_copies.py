"""
A delivery that goes to a rung or to the dead letters is acked when its copy is confirmed, and not before.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.broker.conftest import ask, consuming, counts, publishing
from tests.e2e.conftest import eventually
from worker.broker.consumer import BrokerConsumer
from worker.broker.publisher import BrokerPublisher
from worker.ports import Dead, Later, Verdict

if TYPE_CHECKING:
    from messages.routes import Routes

NOW = datetime(2026, 3, 1, tzinfo=UTC)
VERDICTS = pytest.mark.parametrize(
    "verdict",
    [Later(3_600.0, NOW, 1, "busy"), Dead("failed", NOW, 1, "given up")],
    ids=["later", "dead"],
)


@VERDICTS
async def test_a_copy_that_is_not_confirmed_leaves_the_delivery_to_the_broker(
    amqp_url: str, routes: Routes, verdict: Verdict
) -> None:
    ask(amqp_url, routes, b"1")
    unconnected = BrokerPublisher(amqp_url, routes)
    async with consuming(BrokerConsumer(amqp_url, routes, 10, unconnected)) as consumer:
        delivery = await consumer.take()
        settling = asyncio.create_task(consumer.settle(delivery, verdict))
        done, _ = await asyncio.wait({settling}, timeout=0.7)  # long enough for several tries
        settling.cancel()
        await asyncio.gather(settling, return_exceptions=True)

    assert set() == done
    await eventually(lambda: (1, 0) == counts(amqp_url, routes.requests_queue), "request back in its queue")


@VERDICTS
async def test_it_is_acked_as_soon_as_its_copy_is_confirmed(amqp_url: str, routes: Routes, verdict: Verdict) -> None:
    ask(amqp_url, routes, b"1")
    publisher = BrokerPublisher(amqp_url, routes)
    async with consuming(BrokerConsumer(amqp_url, routes, 10, publisher)) as consumer:
        delivery = await consumer.take()
        settling = asyncio.create_task(consumer.settle(delivery, verdict))
        await asyncio.sleep(0)
        async with publishing(publisher), asyncio.timeout(15):
            await settling

    copies = f"{routes.prefix}.retry.1h" if isinstance(verdict, Later) else routes.dead_queue
    assert (0, 0) == counts(amqp_url, routes.requests_queue)
    assert 1 == counts(amqp_url, copies)[0]
