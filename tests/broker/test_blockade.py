"""
Publishing while RabbitMQ blocks publishers, as it does when it is short of memory or disk.

What is written then is delivered after the alarm: whatever is given up meanwhile and sent again is there twice.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from structlog.testing import capture_logs

from tests.broker.conftest import alarm, ask, channel_to, consuming, counts, emptied, event, publishing
from tests.e2e.conftest import eventually
from tests.e2e.proxy import AmqpProxy
from worker.broker.blockade import Blockade
from worker.broker.consumer import BrokerConsumer
from worker.broker.publisher import BrokerPublisher
from worker.broker.replier import BrokerReplier
from worker.ports import Ack, Dead, Later, Published

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from messages.routes import Routes
    from worker.sandbox.node import PrivateBroker

CREATED = "vpnservice.created"
TIMEOUT_S = 1.0
LONGEST_RUNG_S = 3600.0


@pytest.fixture
async def publisher(node: PrivateBroker, node_routes: Routes) -> AsyncIterator[BrokerPublisher]:
    """
    A publisher that gives a publish up after a second, and has published once.
    """
    async with publishing(BrokerPublisher(node.amqp_url, node_routes, TIMEOUT_S)) as running:
        assert Published.ACKED is await running.publish_event(event("before"), CREATED)
        yield running


def copies(publisher: BrokerPublisher, number: int) -> list[Any]:
    """
    One publish of each kind.
    """
    now = datetime.now(UTC)
    later = Later(LONGEST_RUNG_S, now, attempts=1, last_error="busy")
    dead = Dead("failed", now, attempts=1, last_error="refused")
    return [
        publisher.publish_event(event(f"event-{number}"), CREATED),
        publisher.copy_to_rung(event(f"rung-{number}"), later),
        publisher.copy_to_dead(event(f"dead-{number}"), dead),
    ]


async def test_an_alarm_much_longer_than_the_publish_timeout_doubles_and_loses_nothing(
    node: PrivateBroker, node_routes: Routes, publisher: BrokerPublisher
) -> None:
    with capture_logs() as logs:
        async with alarm(node):
            under_way = [asyncio.create_task(copy) for number in range(7) for copy in copies(publisher, number)]
            await eventually(lambda: publisher.is_blocked, "word of the blockade")
            held_back = [asyncio.create_task(copy) for number in range(7, 10) for copy in copies(publisher, number)]
            done, _ = await asyncio.wait(under_way + held_back, timeout=3 * TIMEOUT_S)
            was_open = publisher.is_open
        results = await asyncio.gather(*under_way, *held_back)

    assert set() == done
    assert not was_open
    assert publisher.is_open
    assert [Published.ACKED] * 30 == results
    for kind, queue in (("event", "unrouted"), ("rung", "retry.1h"), ("dead", "dead")):
        found = emptied(node.amqp_url, f"{node_routes.prefix}.{queue}")
        expected = Counter(f"{kind}-{number}" for number in range(10))
        assert expected == Counter(found) - Counter(["before"])
    told = [entry for entry in logs if entry["event"].startswith("broker.")]
    assert ["broker.blocked", "broker.unblocked"] == [entry["event"] for entry in told]
    assert "low on memory" == told[0]["reason"]


async def test_an_alarm_that_is_on_when_the_connection_is_opened_is_noticed_too(
    node: PrivateBroker, node_routes: Routes
) -> None:
    async with alarm(node), publishing(BrokerPublisher(node.amqp_url, node_routes, TIMEOUT_S)) as publisher:
        telling = [asyncio.create_task(publisher.publish_event(event(f"e-{number}"), CREATED)) for number in range(20)]
        await eventually(lambda: publisher.is_blocked, "word of the blockade")
        done, _ = await asyncio.wait(telling, timeout=2 * TIMEOUT_S)
        await node.ctl("set_vm_memory_high_watermark", "0.4")
        results = await asyncio.gather(*telling)

    assert set() == done
    assert [Published.ACKED] * 20 == results
    assert {f"e-{number}": 1 for number in range(20)} == Counter(
        emptied(node.amqp_url, f"{node_routes.prefix}.unrouted")
    )


async def test_what_comes_during_an_alarm_is_not_written_until_it_ends(
    node: PrivateBroker, node_routes: Routes
) -> None:
    """
    What is written to a connection that is then lost may be delivered all the same, and published again as well.
    """
    async with (
        AmqpProxy(node.amqp_url) as proxy,
        publishing(BrokerPublisher(proxy.amqp_url, node_routes, TIMEOUT_S)) as publisher,
    ):
        async with alarm(node):
            first = asyncio.create_task(publisher.publish_event(event("first"), CREATED))
            await eventually(lambda: publisher.is_blocked, "word of the blockade")
            held_back = [asyncio.create_task(copy) for number in range(3) for copy in copies(publisher, number)]
            await asyncio.wait(held_back, timeout=0.3)
            written = len(proxy.publishes())
        results = await asyncio.gather(first, *held_back)

    assert 1 == written
    assert [Published.ACKED] * 10 == results


async def test_a_broker_that_dies_during_an_alarm_loses_the_publishes_at_once(
    node: PrivateBroker, publisher: BrokerPublisher
) -> None:
    async with alarm(node):
        under_way = asyncio.create_task(publisher.publish_event(event("under way"), CREATED))
        await eventually(lambda: publisher.is_blocked, "word of the blockade")
        held_back = asyncio.create_task(publisher.publish_event(event("held back"), CREATED))
        await asyncio.sleep(0)
        await node.kill()
        begun = time.monotonic()
        results = [await under_way, await held_back]
        spent_s = time.monotonic() - begun
        is_blocked = publisher.is_blocked
        await node.start()

    assert Published.LOST is results[0]
    assert results[1] in {Published.LOST, Published.TIMED_OUT}  # it may just have begun to write when the node died
    assert spent_s < 5
    assert not is_blocked


async def test_deliveries_are_settled_while_publishers_are_blocked(
    node: PrivateBroker, node_routes: Routes, publisher: BrokerPublisher
) -> None:
    """
    The connection that consumes does not publish, so its acks are read; a blocked one's are not (broker-facts, 7).
    """
    ask(node.amqp_url, node_routes, b"1", b"2", b"3")
    async with consuming(BrokerConsumer(node.amqp_url, node_routes, 2, publisher)) as consumer:
        first = [await consumer.take(), await consumer.take()]
        async with alarm(node):
            blocked = asyncio.create_task(publisher.publish_event(event("blocked"), CREATED))
            await eventually(lambda: publisher.is_blocked, "word of the blockade")
            for delivery in first:
                await consumer.settle(delivery, Ack())
            async with asyncio.timeout(10):
                last = await consumer.take()  # there is room in the prefetch for it only after an ack was read
            await consumer.settle(last, Ack())
        await blocked

    assert [b"1", b"2", b"3"] == [delivery.envelope.body for delivery in [*first, last]]
    assert (0, 0) == counts(node.amqp_url, node_routes.requests_queue)


async def test_a_reply_does_not_wait_for_the_end_of_an_alarm_and_is_never_sent_twice(
    node: PrivateBroker, node_routes: Routes
) -> None:
    inbox = f"{node_routes.prefix}-inbox"
    with channel_to(node.amqp_url) as channel:
        channel.queue_declare(inbox, durable=True)
    replier = BrokerReplier(node.amqp_url, node_routes, TIMEOUT_S)
    try:
        async with alarm(node):
            begun = time.monotonic()
            results = [await replier.reply(event(f"e-{number}"), inbox) for number in range(2)]
            spent_s = time.monotonic() - begun
        after = await replier.reply(event("after"), inbox)
    finally:
        await replier.close()

    assert [Published.TIMED_OUT, Published.TIMED_OUT] == results
    assert spent_s < 4 * TIMEOUT_S
    assert Published.ACKED is after
    assert ["e-0", "after"] == emptied(node.amqp_url, inbox)


async def test_replies_go_on_after_the_broker_died_during_an_alarm(node: PrivateBroker, node_routes: Routes) -> None:
    inbox = f"{node_routes.prefix}-inbox"
    with channel_to(node.amqp_url) as channel:
        channel.queue_declare(inbox, durable=True)
    replier = BrokerReplier(node.amqp_url, node_routes, TIMEOUT_S)
    try:
        async with alarm(node):
            during = await replier.reply(event("e-0"), inbox)
            await node.kill()
            await node.start()
        after = await replier.reply(event("after"), inbox)
    finally:
        await replier.close()

    assert Published.TIMED_OUT is during
    assert Published.ACKED is after
    assert "after" in emptied(node.amqp_url, inbox)


async def test_a_limit_runs_out_when_nothing_is_blocked() -> None:
    with pytest.raises(TimeoutError):
        async with Blockade("test").limit(0.01):
            await asyncio.Event().wait()


async def test_a_client_library_without_the_hooks_is_told_and_works_on() -> None:
    connection = SimpleNamespace(transport=SimpleNamespace(connection=object()), close_callbacks=set())
    blockade = Blockade("test")
    with capture_logs() as logs:
        blockade.watch(cast("Any", connection))

    assert ["broker.blocks_unseen"] == [entry["event"] for entry in logs]
    assert not blockade.is_blocked
