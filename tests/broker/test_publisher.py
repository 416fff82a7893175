"""
What becomes of a publish: one of acked, nacked, returned, timed out and lost, and never silence.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

from messages.routes import Routes
from tests.broker.conftest import channel_to, emptied, event, publishing
from tests.e2e.conftest import eventually
from tests.e2e.proxy import AmqpProxy
from worker.broker.publisher import BrokerPublisher
from worker.ports import Published

if TYPE_CHECKING:
    from worker.sandbox.node import PrivateBroker

CREATED = "vpnservice.created"


async def until_acked(publisher: BrokerPublisher, identity: str) -> list[Published]:
    """
    Publishes one event until the broker has it, as the teller does; what became of each try.
    """
    results: list[Published] = []
    while not results or results[-1] is not Published.ACKED:
        results.append(await publisher.publish_event(event(identity), CREATED))
        await asyncio.sleep(0.02)
    return results


async def until_published(proxy: AmqpProxy, many: int) -> None:
    """
    Returns once so many publishes are on the wire.
    """
    await eventually(lambda: len(proxy.publishes()) >= many, f"{many} publishes on the wire")


async def test_an_event_that_a_queue_has_is_acked(amqp_url: str, routes: Routes) -> None:
    async with publishing(BrokerPublisher(amqp_url, routes)) as publisher:
        result = await publisher.publish_event(event("e-1"), CREATED)

    assert Published.ACKED is result
    assert ["e-1"] == emptied(amqp_url, f"{routes.prefix}.unrouted")


async def test_an_event_that_a_full_queue_refuses_is_nacked(amqp_url: str, routes: Routes) -> None:
    async with publishing(BrokerPublisher(amqp_url, routes)) as publisher:
        with channel_to(amqp_url) as channel:
            full = {"x-max-length": 1, "x-overflow": "reject-publish"}
            queue = channel.queue_declare("", exclusive=True, arguments=full).method.queue
            channel.queue_bind(queue, routes.events_exchange, "#")
            results = [await publisher.publish_event(event(f"e-{number}"), CREATED) for number in range(3)]

    assert [Published.ACKED, Published.NACKED, Published.NACKED] == results


async def test_an_event_that_no_queue_is_bound_for_is_returned(amqp_url: str, prefix: str) -> None:
    with channel_to(amqp_url) as channel:
        channel.exchange_declare(Routes(prefix).events_exchange, "topic", durable=True)  # no alternate exchange
    async with publishing(BrokerPublisher(amqp_url, Routes(prefix))) as publisher:
        result = await publisher.publish_event(event("e-1"), CREATED)

    assert Published.RETURNED is result


async def test_an_exchange_that_is_missing_loses_the_publish_and_no_other_kind(amqp_url: str, routes: Routes) -> None:
    async with publishing(BrokerPublisher(amqp_url, routes)) as publisher:
        with channel_to(amqp_url) as channel:
            channel.exchange_delete(routes.events_exchange)
        lost = await publisher.publish_event(event("e-1"), CREATED)
        with channel_to(amqp_url) as channel:
            channel.exchange_declare(
                routes.events_exchange,
                "topic",
                durable=True,
                arguments={"alternate-exchange": f"{routes.prefix}.unrouted"},
            )
        again = await until_acked(publisher, "e-1")

    assert Published.LOST is lost
    assert [Published.ACKED] == again


async def test_an_event_whose_confirm_stays_away_is_timed_out_though_the_broker_may_have_it(
    amqp_url: str, routes: Routes
) -> None:
    async with AmqpProxy(amqp_url) as proxy, publishing(BrokerPublisher(proxy.amqp_url, routes, 0.5)) as publisher:
        before = await publisher.publish_event(event("before"), CREATED)
        proxy.hold(is_from_client=False)
        result = await publisher.publish_event(event("unknown"), CREATED)
        proxy.release()
        after = await publisher.publish_event(event("after"), CREATED)

    assert [Published.ACKED, Published.TIMED_OUT, Published.ACKED] == [before, result, after]
    assert ["before", "unknown", "after"] == emptied(amqp_url, f"{routes.prefix}.unrouted")


async def test_an_event_under_way_when_the_connection_is_cut_is_lost_and_the_next_one_goes_out(
    amqp_url: str, routes: Routes
) -> None:
    async with AmqpProxy(amqp_url) as proxy, publishing(BrokerPublisher(proxy.amqp_url, routes, 30)) as publisher:
        await publisher.publish_event(event("before"), CREATED)
        proxy.hold(is_from_client=False)
        pending = asyncio.create_task(publisher.publish_event(event("under way"), CREATED))
        await until_published(proxy, 2)
        proxy.cut()
        lost = await pending
        proxy.release()
        after = await until_acked(publisher, "after")

    assert Published.LOST is lost
    assert {Published.LOST, Published.ACKED} >= set(after)
    assert "after" == emptied(amqp_url, f"{routes.prefix}.unrouted")[-1]


async def test_without_a_connection_a_publish_is_lost_at_once() -> None:
    publisher = BrokerPublisher("amqp://guest:guest@127.0.0.1:1/", Routes("vpn"))
    running = asyncio.create_task(publisher.run())
    begun = time.monotonic()
    result = await publisher.publish_event(event("e-1"), CREATED)
    spent_s = time.monotonic() - begun
    publisher.close()
    await running

    assert Published.LOST is result
    assert spent_s < 1
    assert not publisher.is_open


async def test_an_event_under_way_when_the_broker_is_killed_is_lost_and_goes_out_after_its_restart(
    node: PrivateBroker, node_routes: Routes
) -> None:
    async with publishing(BrokerPublisher(node.amqp_url, node_routes, 60)) as publisher:
        await publisher.publish_event(event("before"), CREATED)
        os.kill(node.pid, signal.SIGSTOP)
        pending = asyncio.create_task(publisher.publish_event(event("under way"), CREATED))
        await asyncio.sleep(0)
        await node.kill()
        lost = await pending
        await node.start()
        results = await until_acked(publisher, "under way")

    assert Published.LOST is lost
    assert {Published.LOST, Published.ACKED} >= set(results)
    assert {"before", "under way"} == set(emptied(node.amqp_url, f"{node_routes.prefix}.unrouted"))


async def test_an_event_under_way_when_the_heartbeat_gives_up_is_lost_and_published_again(
    node: PrivateBroker, node_routes: Routes
) -> None:
    """
    The client library raises a bare CancelledError then, and a TaskGroup takes it for an order (broker-facts, 3):
    without a guard the event would silently never be published.
    """
    results: list[Published] = []

    async def tell() -> None:
        results.extend(await until_acked(publisher, "told"))

    async with publishing(BrokerPublisher(f"{node.amqp_url}?heartbeat=1", node_routes, 60)) as publisher:
        await publisher.publish_event(event("before"), CREATED)
        os.kill(node.pid, signal.SIGSTOP)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(tell())
                await eventually(lambda: not publisher.is_open, "end of the connection", 30)
                os.kill(node.pid, signal.SIGCONT)
        finally:
            os.kill(node.pid, signal.SIGCONT)

    assert Published.LOST is results[0]
    assert Published.ACKED is results[-1]
    assert {"before", "told"} == set(emptied(node.amqp_url, f"{node_routes.prefix}.unrouted"))


async def test_the_same_event_twice_at_once_does_not_swap_the_confirms(amqp_url: str, prefix: str) -> None:
    """
    With one message id for both, the one that no queue took was reported as kept (broker-facts, 4).
    """
    routes = Routes(prefix)
    with channel_to(amqp_url) as channel:
        channel.exchange_declare(routes.events_exchange, "topic", durable=True)
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(queue, routes.events_exchange, "kept")
        async with publishing(BrokerPublisher(amqp_url, routes)) as publisher:
            results = await asyncio.gather(
                *(
                    publisher.publish_event(event(f"e-{number}"), key)
                    for number in range(50)
                    for key in ("kept", "gone", "kept")
                )
            )

    assert [Published.ACKED, Published.RETURNED, Published.ACKED] * 50 == results


async def test_cuts_in_the_middle_of_many_publishes_lose_none(amqp_url: str, routes: Routes) -> None:
    async with AmqpProxy(amqp_url) as proxy, publishing(BrokerPublisher(proxy.amqp_url, routes)) as publisher:
        telling = [asyncio.create_task(until_acked(publisher, f"e-{number}")) for number in range(60)]
        for many in (1, 25, 50):
            await until_published(proxy, many)
            proxy.cut()
        tries = await asyncio.gather(*telling)

    found = Counter(emptied(amqp_url, f"{routes.prefix}.unrouted"))
    assert {f"e-{number}" for number in range(60)} == set(found)
    assert {Published.ACKED, Published.LOST} >= {result for results in tries for result in results}
