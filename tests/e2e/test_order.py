"""
No delivery is acked before its event is confirmed: seen at the broker and on the wire, never in a stand-in.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from tests.e2e.conftest import eventually
from tests.e2e.proxy import AmqpProxy
from tests.e2e.shop import Shop, binary, order

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pika.adapters.blocking_connection import BlockingChannel

    from tests.e2e.conftest import StartWorker
    from worker.simulator import Simulator

FULL = {"x-max-length": 0, "x-overflow": "reject-publish"}


def request_of_event(body: bytes) -> str:
    """
    The id of the request an event is about.
    """
    return str(json.loads(body)["request_id"])


async def test_requests_stay_unacked_while_the_broker_refuses_their_events(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, unacked: Callable[[], Awaitable[int]]
) -> None:
    full = f"{shop.prefix}.full"

    def bind_full(channel: BlockingChannel) -> None:
        channel.queue_declare(full, exclusive=True, arguments=FULL)
        channel.queue_bind(full, f"{shop.prefix}.events", "#")

    await shop.with_channel(bind_full)
    worker = await start_worker(cloud.url)
    ids = [f"order-{number}" for number in range(8)] + ["bad-1", "bad-2"]
    bodies = [order() if identity.startswith("order") else b"[]" for identity in ids]
    await shop.publish(*((body, binary(identity)) for body, identity in zip(bodies, ids, strict=True)))
    await cloud.until(lambda state: state.creates == 8)
    await worker.until_logged("event.not_confirmed", len(ids))

    assert len(ids) == await unacked()
    assert 0 == await shop.ready(f"{shop.prefix}.dead")

    await shop.with_channel(lambda channel: channel.queue_delete(full))
    # Meanwhile copies may have reached the other queue: a repeat is one event because its id is the same.
    await shop.until(lambda told: {request_of_event(message.body) for message in told} == set(ids))
    assert 0 == await worker.child.stop()
    assert 0 == await unacked()
    assert 0 == await shop.ready(f"{shop.prefix}.requests.create")
    assert len(ids) == len({message.headers["ce-id"] for message in shop.told})
    assert 8 == cloud.state.creates
    assert 2 == len(await shop.empty(f"{shop.prefix}.dead"))


async def test_every_ack_on_the_wire_comes_after_the_confirm_of_its_event(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, amqp_url: str
) -> None:
    async with AmqpProxy(amqp_url) as proxy:
        worker = await start_worker(cloud.url, amqp_url=proxy.amqp_url, concurrency=20)
        ids = [f"order-{number}" for number in range(200)]
        messages = [(order() if number % 10 else b"{}", binary(identity)) for number, identity in enumerate(ids)]
        await shop.publish(*messages)
        await shop.outcomes(len(ids))
        await eventually(lambda: len(list(proxy.acks())) == len(ids), "ack of every delivery")
        await worker.child.stop()

    told = {
        request_of_event(content.body): content
        for content in proxy.publishes()
        if content.publish.exchange == f"{shop.prefix}.events"
    }
    requests = {
        (content.passed.connection, content.passed.channel, content.tag): str(
            (content.properties.headers or {})["ce-id"]
        )
        for content in proxy.deliveries()
    }
    acked = []
    for passed, ack in proxy.acks():
        assert not ack.multiple
        request = requests[passed.connection, passed.channel, ack.delivery_tag or 0]
        confirmed_at = told[request].confirmed_at
        assert confirmed_at is not None, f"{request} was acked and its event was never confirmed"
        assert confirmed_at < passed.number, f"{request} was acked before its event was confirmed"
        acked.append(request)
    assert Counter(ids) == Counter(acked)


async def test_every_publish_is_persistent_mandatory_and_has_a_message_id_of_its_own(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, amqp_url: str
) -> None:
    cloud.state.faults.add({"fault": "answer", "status": 425, "retry_after": 6, "match": {"name": "later"}})
    async with AmqpProxy(amqp_url) as proxy:
        worker = await start_worker(cloud.url, amqp_url=proxy.amqp_url)
        asking = binary("good")
        asking.reply_to = f"replies-{shop.prefix}"
        await shop.declare(asking.reply_to)
        await shop.publish((order(), asking), (b"{}", binary("bad")), (order(name="later"), binary("late")))
        await shop.outcomes(3, 30)
        await worker.child.stop()
    publishes = proxy.publishes()
    exchanges = Counter(str(content.publish.exchange).removeprefix(shop.prefix) for content in publishes)

    # Two of the three are told at once, one goes to a rung first; one is a dead letter, one is answered.
    assert Counter({".events": 3, ".retry": 1, ".dead": 1, "": 1}) == exchanges
    assert all(content.publish.mandatory for content in publishes)
    assert {2} == {content.properties.delivery_mode for content in publishes}
    assert len(publishes) == len({content.properties.message_id for content in publishes})
    assert all(content.properties.message_id for content in publishes)
