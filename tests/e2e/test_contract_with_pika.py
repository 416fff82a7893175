"""
A client nobody here wrote the worker for publishes in every form and reads the events.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pika
import pytest

from tests.e2e.shop import TYPE, Message, Shop, binary, order

if TYPE_CHECKING:
    from tests.e2e.conftest import StartWorker
    from worker.simulator import Simulator

ROUTER = "66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa"  # doc: example request, router_id
# doc: Table 1, all parameters of a service; with vpnservice itself they are twelve
EVERYTHING: dict[str, object] = {
    "subnet_id": "0f5d5ee0-5e1c-4d5b-8c3e-4f3c2d7d1a11",
    "router_id": ROUTER,
    "name": "büro 東京",
    "admin_state_up": True,
    "tenant_id": "10039663455a446d8ba2cbb058b0f578",
    "description": "head office",
    "order_id": "CS2211260001",
    "product_id": "00301-110016-0--0",
    "prepay_connection_num": 10,
    "resource_speccode": "vpn.default",
    "external_v4_ip": "172.32.1.11",
}


def in_form(form: str, body: bytes, identity: str) -> tuple[bytes, pika.BasicProperties]:
    """
    A request in one of the three forms of the contract, with an order item as an extension.
    """
    if form == "plain":
        properties = pika.BasicProperties(message_id=identity, app_id="/shop", headers={"ce-orderitem": "item-7"})
        return body, properties
    if form == "binary":
        return body, binary(identity, orderitem="item-7")
    event = {
        "specversion": "1.0",
        "id": identity,
        "source": "/shop",
        "type": TYPE,
        "orderitem": "item-7",
        "data": json.loads(body),
    }
    return json.dumps(event).encode(), pika.BasicProperties(content_type="application/cloudevents+json")


def as_sent(told: Message) -> dict[str, Any]:
    """
    The service that an event tells.
    """
    service: dict[str, Any] = told.data["vpnservice"]
    return service


@pytest.mark.parametrize("form", ["plain", "binary", "structured"])
async def test_a_request_in_each_form_becomes_a_service_and_its_event(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, form: str
) -> None:
    await start_worker(cloud.url, event_source="/vpn/eu-de")
    identity = str(uuid.uuid4())
    await shop.publish(in_form(form, order(ROUTER, name="myservice"), identity))
    told = (await shop.outcomes(1))[0]
    [service] = cloud.state.services.values()

    assert "vpnservice.created" == told.routing_key
    assert "vpn.vpnservice.created.v1" == told.headers["ce-type"]
    assert "1.0" == told.headers["ce-specversion"]
    assert "/vpn/eu-de" == told.headers["ce-source"]
    assert service.id == told.headers["ce-subject"]
    assert "item-7" == told.headers["ce-orderitem"]
    assert uuid.UUID(told.headers["ce-id"]).version == 5
    assert "application/json" == told.properties.content_type
    assert identity == told.properties.correlation_id
    assert 2 == told.properties.delivery_mode
    assert (identity, "/shop") == (told.data["request_id"], told.data["request_source"])
    assert (service.id, "PENDING_CREATE") == (told.data["service_id"], told.data["status"])
    assert (1, False, None) == (told.data["attempts"], told.data["reconciled"], told.data["error"])
    assert 15 == len(as_sent(told))  # doc: Table 2


async def test_every_parameter_reaches_the_cloud_as_it_was_sent(
    shop: Shop, cloud: Simulator, start_worker: StartWorker
) -> None:
    await start_worker(cloud.url)
    await shop.publish((json.dumps({"vpnservice": EVERYTHING}).encode(), binary("all")))
    told = (await shop.outcomes(1))[0]
    [service] = cloud.state.services.values()

    assert "vpn.vpnservice.created.v1" == told.type
    assert EVERYTHING == {name: service.attributes[name] for name in EVERYTHING}
    assert EVERYTHING == {name: as_sent(told)[name] for name in EVERYTHING}


async def test_correlation_reply_to_and_trace_come_back(
    shop: Shop, cloud: Simulator, start_worker: StartWorker
) -> None:
    await start_worker(cloud.url)
    replies = f"replies-{shop.prefix}"
    await shop.declare(replies)
    asking = binary("one")
    asking.correlation_id, asking.reply_to = "corr-1", replies
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    asking.headers = {**(asking.headers or {}), "traceparent": trace}
    await shop.publish((order(), asking))
    told = (await shop.outcomes(1))[0]
    [reply] = await shop.taken(replies, 1)

    assert "corr-1" == told.properties.correlation_id == reply.properties.correlation_id
    assert told.body == reply.body
    assert told.headers == reply.headers
    assert trace == told.headers["traceparent"]


async def test_a_reply_into_one_of_our_own_queues_is_refused(
    shop: Shop, cloud: Simulator, start_worker: StartWorker
) -> None:
    """
    An event in the work queue would be a request, whose rejection would be one more, and so on.
    """
    worker = await start_worker(cloud.url)
    asking = binary("one")
    asking.reply_to = f"{shop.prefix}.requests.create"
    await shop.publish((order(), asking))
    await shop.outcomes(1)
    await worker.until_logged("reply.not_delivered")
    assert 0 == await worker.child.stop()

    assert 1 == len(shop.told)
    assert 0 == await shop.ready(f"{shop.prefix}.requests.create")
    assert 0 == await shop.ready(f"{shop.prefix}.dead")


async def test_a_reply_queue_that_is_gone_holds_nothing_up(
    shop: Shop, cloud: Simulator, start_worker: StartWorker
) -> None:
    worker = await start_worker(cloud.url)
    asking = binary("one")
    asking.reply_to = "gone-with-the-requester"
    await shop.publish((order(), asking))
    told = await shop.outcomes(1)
    await worker.until_logged("reply.not_delivered")
    assert 0 == await worker.child.stop()

    assert ["vpn.vpnservice.created.v1"] == [event.type for event in told]
    assert 0 == await shop.ready(f"{shop.prefix}.requests.create")


async def test_a_request_past_its_expiry_fails_and_creates_nothing(
    shop: Shop, cloud: Simulator, start_worker: StartWorker
) -> None:
    await start_worker(cloud.url)
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    future = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    await shop.publish((order(), binary("late", expirytime=past)), (order(), binary("timely", expirytime=future)))
    by_id = {event.data["request_id"]: event for event in await shop.outcomes(2)}

    assert ("vpnservice.failed", "expired") == (by_id["late"].routing_key, by_id["late"].data["error"]["code"])
    assert "vpnservice.created" == by_id["timely"].routing_key
    assert 1 == cloud.state.calls["create"]


async def test_a_second_service_on_a_router_fails_and_names_the_first(
    shop: Shop, cloud: Simulator, start_worker: StartWorker
) -> None:
    await start_worker(cloud.url)
    await shop.publish((order(ROUTER), binary("first")))
    first = (await shop.outcomes(1))[0]
    await shop.publish((order(ROUTER, name="other"), binary("second")))
    second = (await shop.outcomes(2))[1]

    assert "vpn.vpnservice.create-failed.v1" == second.type
    assert "conflict" == second.data["error"]["code"]
    assert first.data["service_id"] == second.data["error"]["existing_service_id"]
    assert second.data["service_id"] is None
