"""
A request followed from its publisher's context to the events about it, on every way it can take.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pika
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from tests.e2e.shop import CREATED, TYPE, Message, Shop, order
from tests.tracing.conftest import (
    PARENT,
    TRACE,
    TRACEPARENT,
    Hearing,
    Traced,
    asked,
    attributes,
    ids_of,
    parent_of,
    traceparent_of,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.e2e.conftest import StartCloud
    from worker.simulator import Simulator

    Work = Callable[..., Awaitable[str]]

PATH = "/v2.0/vpn/vpnservices"
#: Known to be nobody's business: not part of what a test looks at.
CHANGING = {"messaging.message.body.size", "url.full", "server.port", "vpn_worker.api.request.id"}


def trace_ids(*messages: Message) -> set[str]:
    return {message.headers["traceparent"].split("-")[1] for message in messages}


async def test_a_trace_leads_from_the_publisher_to_the_event(
    shop: Shop, cloud: Simulator, hearing: Hearing, work: Work, traced: Traced
) -> None:
    queue = await work(hearing.front.url, traced)
    await shop.publish((order("router-1"), asked("order-1", tracestate="shop=7")))
    created = (await shop.created(1))[0]
    (process,) = await traced.until(SpanKind.CONSUMER)
    (post,), (publish,) = traced.ended(SpanKind.CLIENT), traced.ended(SpanKind.PRODUCER)
    service_id = created.data["service_id"]

    assert {TRACE} == {ids_of(span)[0] for span in traced.ended()}
    assert PARENT == parent_of(process)
    assert [PARENT] == [format(link.context.span_id, "016x") for link in process.links]
    assert [ids_of(process)[1]] * 2 == [parent_of(post), parent_of(publish)]
    assert traceparent_of(publish) == created.headers["traceparent"]
    assert traceparent_of(post) == hearing.heard[-1]["traceparent"]
    assert "shop=7" == created.headers["tracestate"] == hearing.heard[-1]["tracestate"]
    assert [f"process {queue}", f"POST {PATH}", f"publish {shop.prefix}.events"] == [
        span.name for span in traced.ended()
    ]
    assert {
        "messaging.system": "rabbitmq",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": f"{shop.prefix}.requests:vpnservice.create:{queue}",
        "messaging.rabbitmq.destination.routing_key": "vpnservice.create",
        "messaging.rabbitmq.message.delivery_tag": 1,
        "messaging.message.id": "order-1",
        "messaging.message.conversation_id": "batch-1",
        "vpn_worker.request.source": "/shop",
        "vpn_worker.router.id": "router-1",
        "vpn_worker.redelivered": False,
        "vpn_worker.verdict": "ack",
        "vpn_worker.outcome": "created",
        "vpn_worker.service.id": service_id,
        "vpn_worker.service.status": "PENDING_CREATE",
        "vpn_worker.attempts": 1,
        "vpn_worker.reconciled": False,
    } == {name: value for name, value in attributes(process).items() if name not in CHANGING}
    assert {
        "http.request.method": "POST",
        "http.response.status_code": 201,
        "server.address": "127.0.0.1",
        "url.template": PATH,
        "vpn_worker.api.target": "api",
    } == {name: value for name, value in attributes(post).items() if name not in CHANGING}
    assert {
        "messaging.system": "rabbitmq",
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.destination.name": f"{shop.prefix}.events:vpnservice.created",
        "messaging.rabbitmq.destination.routing_key": "vpnservice.created",
        "messaging.message.id": created.headers["ce-id"],
        "messaging.message.conversation_id": "batch-1",
        "vpn_worker.publish.kind": "events",
        "vpn_worker.publish.result": "acked",
    } == {name: value for name, value in attributes(publish).items() if name not in CHANGING}
    assert {StatusCode.UNSET} == {span.status.status_code for span in traced.ended()}


async def test_the_context_can_come_in_a_structured_event(
    shop: Shop, cloud: Simulator, work: Work, traced: Traced
) -> None:
    event = {"specversion": "1.0", "id": "order-1", "source": "/shop", "type": TYPE, "traceparent": TRACEPARENT}
    body = json.dumps(event | {"data": json.loads(order())}).encode()
    await work(cloud.url, traced)
    await shop.publish((body, pika.BasicProperties(content_type="application/cloudevents+json", delivery_mode=2)))
    await shop.created(1)
    (process,) = await traced.until(SpanKind.CONSUMER)

    assert (TRACE, PARENT) == (ids_of(process)[0], parent_of(process))


async def test_every_retry_stays_in_the_trace_of_its_request(
    shop: Shop, cloud: Simulator, work: Work, traced: Traced
) -> None:
    """
    One has its publisher's trace, the other none: that one's begins with us, and its copy takes it along.
    """
    cloud.state.faults.add({"fault": "answer", "status": 425, "retry_after": 6, "times": 2})
    await work(cloud.url, traced)
    await shop.publish((order("router-1"), asked("with")), (order("router-2"), asked("without", traceparent=None)))
    told = await shop.created(2)
    processes = await traced.until(SpanKind.CONSUMER, 4)
    of = {
        identity: [span for span in processes if attributes(span)["messaging.message.id"] == identity]
        for identity in ("with", "without")
    }

    assert {TRACE} == {ids_of(span)[0] for span in of["with"]}
    assert [PARENT, PARENT] == [parent_of(span) for span in of["with"]]
    first, second = of["without"]
    assert parent_of(first) is None
    assert ids_of(first)[0] == ids_of(second)[0]
    for spans in of.values():
        assert ("later", "5s", "busy") == tuple(
            attributes(spans[0])[f"vpn_worker.{name}"] for name in ("verdict", "retry.rung", "retry.cause")
        )
        assert "created" == attributes(spans[1])["vpn_worker.outcome"]
        assert {StatusCode.UNSET} == {span.status.status_code for span in spans}
    assert {TRACE, ids_of(first)[0]} == trace_ids(*told)
    refused = [span for span in traced.ended(SpanKind.CLIENT) if span.status.status_code is StatusCode.ERROR]
    assert ["425", "425"] == [attributes(span)["error.type"] for span in refused]


async def test_a_rejected_request_is_an_error_and_its_dead_letter_keeps_the_publishers_context(
    shop: Shop, cloud: Simulator, work: Work, traced: Traced
) -> None:
    await work(cloud.url, traced)
    await shop.publish((b"[]", asked("bad-1")))
    (letter,) = await shop.dead(1)
    (process,) = await traced.until(SpanKind.CONSUMER)

    assert StatusCode.ERROR is process.status.status_code
    assert ("rejected", "rejected", "rejected", "dead") == tuple(
        attributes(process)[name]
        for name in (
            "error.type",
            "vpn_worker.outcome",
            "vpn_worker.dead_letter.reason",
            "vpn_worker.verdict",
        )
    )
    assert [f"publish {shop.prefix}.events", f"publish {shop.prefix}.dead"] == [
        span.name for span in traced.ended(SpanKind.PRODUCER)
    ]
    assert {ids_of(process)[1]} == {parent_of(span) for span in traced.ended(SpanKind.PRODUCER)}
    assert TRACEPARENT == letter.headers["traceparent"]


async def test_a_refused_request_is_an_error_with_the_clouds_code(
    shop: Shop, cloud: Simulator, work: Work, traced: Traced
) -> None:
    cloud.state.faults.add({"fault": "answer", "status": 400, "body": '{"code": "VPN.0001", "message": "no"}'})
    await work(cloud.url, traced)
    await shop.publish((order(), asked("order-1")))
    (told,) = await shop.outcomes(1)
    (process,) = await traced.until(SpanKind.CONSUMER)

    assert "failed" == attributes(process)["vpn_worker.outcome"]
    assert StatusCode.ERROR is process.status.status_code
    assert told.data["error"]["code"] == attributes(process)["error.type"]


async def test_a_lost_answer_and_the_look_that_finds_the_service_are_in_the_trace(
    shop: Shop, cloud: Simulator, work: Work, traced: Traced
) -> None:
    cloud.state.faults.add({"fault": "commit_then_close"})
    await work(cloud.url, traced)
    await shop.publish((order(), asked("order-1")))
    await shop.created(1)
    (process,) = await traced.until(SpanKind.CONSUMER)
    post, *looks = traced.ended(SpanKind.CLIENT)

    assert ("ServerDisconnectedError", StatusCode.ERROR) == (attributes(post)["error.type"], post.status.status_code)
    assert "http.response.status_code" not in attributes(post)
    assert {(f"GET {PATH}", 200)} == {(look.name, attributes(look)["http.response.status_code"]) for look in looks}
    assert {ids_of(process)[1]} == {parent_of(span) for span in (post, *looks)}
    assert attributes(process)["vpn_worker.reconciled"]
    events = {event.name: dict(event.attributes or {}) for event in process.events}
    assert {"resolution": "found"} == events["answer.resolved"]
    assert "answer.unknown" in events


async def test_a_reply_carries_the_context_of_its_own_publish(
    shop: Shop, cloud: Simulator, work: Work, traced: Traced
) -> None:
    await work(cloud.url, traced)
    replies = f"replies-{shop.prefix}"
    await shop.declare(replies)
    properties = asked("order-1")
    properties.reply_to = replies
    await shop.publish((order(), properties))
    (reply,) = await shop.taken(replies, 1)
    await traced.until(SpanKind.CONSUMER)
    event, replied = traced.ended(SpanKind.PRODUCER)

    assert CREATED == reply.type
    assert (f"publish {shop.prefix}.events", "publish amq.default") == (event.name, replied.name)
    assert replies == attributes(replied)["messaging.destination.name"]
    assert traceparent_of(replied) == reply.headers["traceparent"]


async def test_a_delivery_that_joins_links_to_the_one_that_works(
    shop: Shop, start_cloud: StartCloud, work: Work, traced: Traced
) -> None:
    cloud = await start_cloud(latency_ms=300)
    await work(cloud.url, traced)
    other = TRACEPARENT.replace(TRACE, TRACE[::-1])
    message = order()
    await shop.publish((message, asked("order-1")), (message, asked("order-1", other)))
    worked, joined = await traced.until(SpanKind.CONSUMER, 2)

    assert TRACE[::-1] == ids_of(joined)[0]
    assert ids_of(worked)[1] in {format(link.context.span_id, "016x") for link in joined.links}
    assert attributes(joined)["vpn_worker.joined"]
    assert {"ack"} == {attributes(span)["vpn_worker.verdict"] for span in (worked, joined)}


async def test_changes_of_a_followed_service_belong_to_the_trace_of_its_request(
    shop: Shop, start_cloud: StartCloud, work: Work, traced: Traced
) -> None:
    cloud = await start_cloud(journey=((0.5, "ACTIVE"),))
    await work(cloud.url, traced, follow="active", follow_interval_s=0.3, follow_interval_max_s=1)
    await shop.publish((order(), asked("order-1")))
    told = await shop.until(lambda told: len(told) == 2)
    _, changed = await traced.until(SpanKind.PRODUCER, 2)

    assert "vpnservice.status.active" == told[1].routing_key
    assert (TRACE, PARENT) == (ids_of(changed)[0], parent_of(changed))
    assert traceparent_of(changed) == told[1].headers["traceparent"]


async def test_what_the_publisher_did_not_sample_stays_unsampled(
    shop: Shop, hearing: Hearing, work: Work, traced: Traced
) -> None:
    await work(hearing.front.url, traced)
    await shop.publish((order(), asked("order-1", f"00-{TRACE}-{PARENT}-00")))
    (created,) = await shop.created(1)

    assert [] == traced.ended()
    for written in (created.headers["traceparent"], hearing.heard[-1]["traceparent"]):
        assert (TRACE, "00") == (written.split("-")[1], written.split("-")[3])
        assert PARENT != written.split("-")[2]


async def test_baggage_goes_to_the_events_and_never_to_the_cloud(
    shop: Shop, hearing: Hearing, work: Work, traced: Traced
) -> None:
    await work(hearing.front.url, traced)
    await shop.publish((order(), asked("order-1", baggage="customer=4711")))
    (created,) = await shop.created(1)

    assert "customer=4711" == created.headers["baggage"]
    assert "baggage" not in hearing.heard[-1]


async def test_off_a_requests_own_context_is_passed_on_as_it_is(shop: Shop, hearing: Hearing, work: Work) -> None:
    await work(hearing.front.url)
    await shop.publish((order(), asked("with")), (order(), asked("without", traceparent=None)))
    told = {message.data["request_id"]: message.headers for message in await shop.created(2)}

    assert TRACEPARENT == told["with"]["traceparent"]
    assert "traceparent" not in told["without"]
    assert {None} == {headers.get("traceparent") for headers in hearing.heard}


@pytest.mark.parametrize("context", ["", "nonsense", f"00-{'0' * 32}-{PARENT}-01"])
async def test_a_context_that_is_none_begins_a_trace_of_ours(
    shop: Shop, cloud: Simulator, work: Work, traced: Traced, context: str
) -> None:
    await work(cloud.url, traced)
    await shop.publish((order(), asked("order-1", context)))
    (created,) = await shop.created(1)
    (process,) = await traced.until(SpanKind.CONSUMER)

    assert parent_of(process) is None
    assert () == tuple(process.links)
    assert {ids_of(process)[0]} == trace_ids(created)
