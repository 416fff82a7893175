"""
The FastStream consumer as a process: it reads every kind of event, acks what it did, and puts aside what it cannot read.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pika

from messages.events import encode_event, event_id, routing_key
from messages.examples import REQUEST_ID, REQUEST_SOURCE, example_events
from tests.e2e.conftest import eventually
from tests.examples.conftest import NOBODY

if TYPE_CHECKING:
    from tests.e2e.conftest import StartWorker
    from tests.e2e.shop import Shop
    from tests.examples.conftest import Run, Start
    from worker.simulator import Simulator

EXAMPLE = "faststream_consumer.py"
ROUTER = "66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa"  # doc: example request, router_id
STARTED_S = 20.0


async def tell(shop: Shop, body: bytes | None = None) -> None:
    """
    Publishes one of each event, as the worker does; or all with another body.
    """

    def publish(channel: Any) -> None:
        for event in example_events():
            sent = encode_event(
                event,
                id=event_id(REQUEST_SOURCE, REQUEST_ID, event.type),
                source="vpn-worker",
                subject=event.service_id,
                correlation_id=REQUEST_ID,
                extensions={},
            )
            headers: dict[str, Any] = dict(sent.headers)
            properties = pika.BasicProperties(headers=headers, content_type=sent.content_type, delivery_mode=2)
            channel.basic_publish(f"{shop.prefix}.events", routing_key(event), body or sent.body, properties)

    await shop.with_channel(publish)


async def test_every_event_is_read_and_acked(start: Start, shop: Shop, queues: list[str]) -> None:
    child = await start(EXAMPLE, "--queue", queues[2])
    await child.ready_line("reading", STARTED_S)
    await tell(shop)
    await eventually(lambda: len(child.lines) == 7, "six events")

    assert [
        "order-4711-1 5c561d9d-eaea-45f6-ae3e-08d1a7080828 went from PENDING_CREATE to ACTIVE",
        "order-4711-1 created 5c561d9d-eaea-45f6-ae3e-08d1a7080828 PENDING_CREATE",
        "order-4711-1 failed: Quota exceeded for resources: ['vpnservice']",
        "order-4711-1 in doubt: neither bill nor order again, a person looks; created or failed may follow",
        (
            "order-4711-1 rejected: vpnservice.name: must be 1 to 64 characters, got 65; "
            "vpnservice.router_id: is mandatory: give the ID of the VPC router"
        ),
        "order-4711-1 waits: the cloud answered 503; its outcome follows",
    ] == sorted(child.lines[1:])
    assert 0 == await child.stop()
    assert 0 == await shop.ready(queues[2])  # acked: none came back when it left
    assert "" == child.log_file.read_text(encoding="utf-8")


async def test_what_cannot_be_read_is_put_aside(start: Start, shop: Shop, queues: list[str]) -> None:
    child = await start(EXAMPLE, "--queue", queues[2])
    await child.ready_line("reading", STARTED_S)
    await tell(shop, b"{}")
    aside = await shop.taken(f"{queues[2]}.dead", 6)
    await tell(shop)
    await eventually(lambda: len(child.lines) == 7, "six events")

    assert [b"{}"] * 6 == [message.body for message in aside]
    assert 0 == await child.stop()
    assert 0 == await shop.ready(queues[2])


async def test_a_real_order_reaches_it_also_after_it_was_killed(
    start: Start, run: Run, shop: Shop, queues: list[str], cloud: Simulator, start_worker: StartWorker
) -> None:
    await start_worker(cloud.url)
    first = await start(EXAMPLE, "--queue", queues[2])
    await first.ready_line("reading", STARTED_S)
    assert -signal.SIGKILL == await first.kill()
    await run("publish_pika.py", "order-1", ROUTER, "myservice")
    again = await start(EXAMPLE, "--queue", queues[2])
    line = await again.ready_line("order-1 ", STARTED_S)

    assert [f"order-1 created {service} PENDING_CREATE" for service in cloud.state.services] == [line]


async def test_without_rabbitmq_it_says_what_to_do(run: Run) -> None:
    said = await run(EXAMPLE, amqp_url=NOBODY)

    assert (3, []) == (said.status, said.out)
    assert "Set VPN_WORKER_AMQP_URL; `make run` shows one." in said.err
    assert "Traceback" not in said.err
