"""
Services that are followed by real workers, which are killed, stopped and cut off meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tests.e2e.shop import Message, Shop, binary, order

if TYPE_CHECKING:
    import pika

    from tests.e2e.conftest import StartCloud, StartWorker

CHANGED = "vpn.vpnservice.status-changed.v1"
PENDING = "PENDING_CREATE"
#: Quick looks at what is followed.
QUICK = {"follow_interval_s": 0.3, "follow_interval_max_s": 2, "concurrency": 50, "api_concurrency": 50}


def orders(count: int) -> list[tuple[bytes, pika.BasicProperties]]:
    """
    Requests for a router each.
    """
    return [(order(f"router-{number}"), binary(f"order-{number}")) for number in range(count)]


def changes(told: list[Message]) -> dict[str, list[dict[str, Any]]]:
    """
    What was told of the status of each request's service, each event once, in the order it came.
    """
    found: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for message in told:
        if message.type == CHANGED:
            found[message.data["request_id"]].setdefault(message.headers["ce-id"], message.data)
    return {request: list(events.values()) for request, events in found.items()}


def steps(told: list[Message]) -> dict[str, list[tuple[str, str, bool]]]:
    """
    The same as status before, status, whether it was the last.
    """
    return {
        request: [(event["previous_status"], event["status"], event["is_final"]) for event in events]
        for request, events in changes(told).items()
    }


def finals(told: list[Message]) -> int:
    """
    How many requests have had their last status event.
    """
    return sum(any(event["is_final"] for event in events) for events in changes(told).values())


async def test_a_service_is_followed_until_it_is_active(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker
) -> None:
    cloud = await start_cloud(journey=((1, "BUILD"), (2, "ACTIVE")))
    worker = await start_worker(cloud.url, follow="active", **QUICK)
    await shop.publish((order("r"), binary("order-1", orderitem="7")))

    told = await shop.until(lambda told: finals(told) == 1)
    created, build, active = told
    assert 0 == await worker.child.stop()
    assert ["vpnservice.created", "vpnservice.status.build", "vpnservice.status.active"] == [
        message.routing_key for message in told
    ]
    assert {"order-1": [(PENDING, "BUILD", False), ("BUILD", "ACTIVE", True)]} == steps(told)
    assert created.data["service_id"] == active.data["service_id"] == active.headers["ce-subject"]
    assert "ACTIVE" == active.data["vpnservice"]["status"]
    assert ["7"] * 3 == [message.headers["ce-orderitem"] for message in told]
    assert ["order-1"] * 3 == [message.properties.correlation_id for message in told]
    assert build.data["occurred_at"] < active.data["occurred_at"]
    assert [] == worker.mistakes()


async def test_each_request_says_how_far_its_service_is_followed(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker
) -> None:
    cloud = await start_cloud(services_per_vpc=0, journey=((1, "DOWN"), (3, "ACTIVE")))
    await start_worker(cloud.url, **QUICK)
    asked = {"none": "none", "settled": "settled", "active": "active", "silent": None}
    await shop.publish(*((order(name), binary(name, follow=follow)) for name, follow in asked.items()))

    told = await shop.until(lambda told: finals(told) == 2)

    assert {
        "settled": [(PENDING, "DOWN", True)],
        "active": [(PENDING, "DOWN", False), ("DOWN", "ACTIVE", True)],
    } == steps(told)


async def test_deadline_error_and_deletion_each_end_it_with_their_own_words(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker
) -> None:
    cloud = await start_cloud(services_per_vpc=0, settle_after_s=None)
    await start_worker(cloud.url, follow="settled", follow_deadline_s=4, follow_grace_s=1, **QUICK)
    await shop.publish(*((order(name), binary(name)) for name in ("stays", "fails", "goes")))
    told = await shop.created(3)
    ids = {message.data["request_id"]: message.data["service_id"] for message in told}
    cloud.state.services[ids["fails"]].spoil({"status": "ERROR"})
    cloud.state.vanish(ids["goes"])

    await shop.until(lambda told: finals(told) == 3)
    last = {request: events[-1] for request, events in changes(shop.told).items()}
    assert {
        "stays": [(PENDING, PENDING, True)],
        "fails": [(PENDING, "ERROR", True)],
        "goes": [(PENDING, "gone", True)],
    } == (steps(shop.told))
    assert ids == {request: event["service_id"] for request, event in last.items()}
    assert {"stays": True, "fails": False, "goes": False} == {
        request: event["deadline_reached"] for request, event in last.items()
    }
    assert {"stays": None, "fails": "service_failed", "goes": "service_gone"} == {
        request: event["error"] and event["error"]["code"] for request, event in last.items()
    }


async def test_a_worker_that_comes_later_goes_on_with_what_is_followed(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker
) -> None:
    cloud = await start_cloud(settle_after_s=4)
    first = await start_worker(cloud.url, follow="settled", **QUICK)
    await shop.publish((order("r"), binary("order-1")))
    await shop.created(1)
    assert 0 == await first.child.stop()
    assert 0 == finals(shop.told)

    # The ledger knows what is followed, whatever the new worker would follow by itself.
    await start_worker(cloud.url, follow="none", **QUICK)
    told = await shop.until(lambda told: finals(told) == 1)

    assert {"order-1": [(PENDING, "ACTIVE", True)]} == steps(told)


async def test_following_yields_when_the_cloud_throttles_and_nobody_is_forgotten(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker
) -> None:
    cloud = await start_cloud(services_per_vpc=0, settle_after_s=1, per_second=20)
    worker = await start_worker(cloud.url, follow="settled", api_per_second=10, **QUICK)
    await shop.publish(*orders(40))

    told = await shop.until(lambda told: finals(told) == 40, 40)
    assert {"ACTIVE"} == {events[-1]["status"] for events in changes(told).values()}
    assert {"429"} & set(cloud.state.answers) == set()
    assert [] == worker.mistakes()
