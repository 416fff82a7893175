"""
When the cloud as a whole is down, refuses the login or fails whatever it is asked, the queue waits: no rung, no attempt
and no dead letter is spent, readiness is false, and it goes on by itself when the cloud is back.
"""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import pytest

from tests.e2e.conftest import WorkerProcess, eventually
from tests.e2e.shop import CREATED, Shop, binary, order
from worker.errors import SandboxError
from worker.sandbox.places import free_ports

if TYPE_CHECKING:
    from tests.e2e.conftest import StartCloud, StartWorker
    from worker.simulator import Simulator

COUNT = 30


def asked(url: str) -> tuple[int, dict[str, Any]]:
    """
    Status and body of a GET.
    """
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own loopback URL
            return answer.status, json.loads(answer.read())
    except HTTPError as refused:
        return refused.code, json.loads(refused.read())


async def health(worker: WorkerProcess) -> str:
    """
    The URL of the worker's health port.
    """
    return str((await worker.until_logged("health.served"))[0]["url"])


async def check_each_created_once(shop: Shop, cloud: Simulator, attempts: set[int]) -> None:
    told = await shop.outcomes(COUNT, timeout_s=40.0)

    assert {CREATED} == {event.type for event in told}
    assert COUNT == len({event.data["request_id"] for event in told}) == len(cloud.state.services)
    assert attempts >= {event.data["attempts"] for event in told}
    assert 0 == await shop.ready(f"{shop.prefix}.dead")


async def test_a_refused_login_stops_the_taking_and_readiness_until_it_is_accepted(
    shop: Shop, cloud: Simulator, start_worker: StartWorker
) -> None:
    cloud.state.faults.add({"fault": "answer", "on": "any", "status": 401, "body": "who are you?", "times": None})
    worker = await start_worker(cloud.url, pause_s=0.3, concurrency=5, http_port=0, stranger_window_s=0.5)
    url = await health(worker)
    await shop.publish(*((order(), binary()) for _ in range(COUNT)))
    await worker.until_logged("cloud.probed", 2)
    status, body = asked(f"{url}/ready")

    assert 503 == status
    assert "credentials_refused" in body["checks"]["cloud"]["words"]
    assert "failing" == body["checks"]["consumer"]["state"]
    assert (200, {"live": True}) == asked(f"{url}/live")
    assert COUNT - 5 <= await shop.ready(f"{shop.prefix}.requests.create")
    await shop.check_nothing_was_spent()
    assert 5 >= cloud.state.calls["create"]

    cloud.state.faults.clear()
    await check_each_created_once(shop, cloud, {1})
    assert (200, True) == (asked(f"{url}/ready")[0], asked(f"{url}/ready")[1]["ready"])
    assert [] == worker.mistakes()


async def test_a_login_that_only_the_post_refuses_is_tried_with_one_post_at_a_time(
    shop: Shop, cloud: Simulator, start_worker: StartWorker
) -> None:
    """
    A role that may read and not write: the probe is answered, and every POST is refused.
    """
    cloud.state.faults.add({"fault": "answer", "status": 401, "body": "who are you?", "times": None})
    worker = await start_worker(cloud.url, pause_s=0.2, concurrency=5, stranger_window_s=0.5)
    await shop.publish(*((order(), binary()) for _ in range(COUNT)))
    tripped = await worker.until_logged("killswitch.tripped", 4)

    assert [1, 2, 3, 4] == [entry["trips"] for entry in tripped[:4]]
    assert 5 + len(worker.logged("killswitch.trying")) >= cloud.state.calls["create"]
    await shop.check_nothing_was_spent()

    cloud.state.faults.clear()
    await check_each_created_once(shop, cloud, {1})
    assert worker.logged("killswitch.released")


async def test_a_cloud_that_is_not_there_from_the_very_first_request_on_costs_nothing(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker
) -> None:
    (port,) = free_ports(1)
    worker = await start_worker(f"http://127.0.0.1:{port}", concurrency=5)
    await shop.publish(*((order(), binary()) for _ in range(COUNT)))
    await worker.until_logged("cloud.probed", 2)
    await shop.check_nothing_was_spent()

    cloud = await start_cloud(port=port)
    await check_each_created_once(shop, cloud, {1})
    assert COUNT == cloud.state.calls["create"]


async def test_one_request_alone_is_enough_to_notice_that_the_cloud_is_not_there(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker
) -> None:
    (port,) = free_ports(1)
    worker = await start_worker(f"http://127.0.0.1:{port}")
    await shop.publish((order(), binary()))
    await worker.until_logged("killswitch.tripped")
    await shop.check_nothing_was_spent()

    cloud = await start_cloud(port=port)
    told = await shop.outcomes(1)
    assert [(CREATED, 1)] == [(event.type, event.data["attempts"]) for event in told]
    assert 1 == cloud.state.calls["create"]


@pytest.mark.parametrize("on", ["any", "create"])
async def test_when_every_request_fails_from_the_first_the_rest_of_the_queue_waits(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, on: str
) -> None:
    """
    A 500 three times over is a refusal for one request; when all get it, it is no request's fault.
    """
    cloud.state.faults.add({"fault": "error_500", "on": on, "times": None})
    worker = await start_worker(cloud.url, concurrency=5, reconcile_window_s=1, quick_wait_s=60)
    await shop.publish(*((order(), binary()) for _ in range(COUNT)))
    await worker.until_logged("killswitch.tripped", 1 if on == "any" else 4, timeout_s=30)
    calls = cloud.state.calls["create"]
    await shop.check_nothing_was_spent()

    assert COUNT - 5 <= await shop.ready(f"{shop.prefix}.requests.create")
    assert 5 + len(worker.logged("killswitch.trying")) >= calls

    cloud.state.faults.clear()
    await check_each_created_once(shop, cloud, {1, 2, 3, 4, 5, 6})
    assert [] == worker.mistakes()


async def test_one_request_that_always_fails_stops_nobody(
    shop: Shop, cloud: Simulator, start_worker: StartWorker
) -> None:
    bad = "router-bad"
    cloud.state.faults.add({"fault": "error_500", "match": {"router_id": bad}, "times": None})
    worker = await start_worker(cloud.url, reconcile_window_s=0.2, quick_wait_s=60)
    await shop.publish((order(bad), binary("bad")), *((order(), binary()) for _ in range(COUNT)))
    told = await shop.outcomes(COUNT + 1, timeout_s=60.0)

    by_type = {event.data["request_id"]: event for event in told if event.type != CREATED}
    assert {"bad"} == set(by_type)
    assert "vpn.vpnservice.create-failed.v1" == by_type["bad"].type
    assert [] == worker.logged("killswitch.tripped")


async def test_a_stop_while_tripped_ends_soon_and_leaves_every_request_in_a_queue(
    shop: Shop, start_worker: StartWorker
) -> None:
    (port,) = free_ports(1)
    worker = await start_worker(f"http://127.0.0.1:{port}", concurrency=5)
    await shop.publish(*((order(), binary()) for _ in range(COUNT)))
    await worker.until_logged("cloud.probed")
    status = await worker.child.stop()

    async def all_there() -> bool:
        waiting = await shop.ready(f"{shop.prefix}.requests.create") + await shop.ready(f"{shop.prefix}.retry.5s")
        return waiting == COUNT

    assert 0 == status
    await eventually(all_there, "request in a queue, every one")
    assert [] == shop.told
    assert [] == worker.mistakes()


async def test_a_stop_while_tripped_finishes_what_was_sent(
    shop: Shop, cloud: Simulator, start_worker: StartWorker
) -> None:
    """
    Never cancel a sent POST: its service exists, and only the answer says which.
    """
    cloud.state.faults.add({"fault": "slow", "on": "create", "match": {"router_id": "router-slow"}, "delay_s": 3})
    cloud.state.faults.add({"fault": "answer", "on": "create", "match": {"router_id": "router-bad"}, "status": 401})
    worker = await start_worker(cloud.url)
    await shop.publish((order("router-slow"), binary("slow")))
    await eventually(lambda: cloud.state.calls["create"] == 1, "POST under way")
    await shop.publish((order("router-bad"), binary("bad")))
    await worker.until_logged("killswitch.tripped")
    status = await worker.child.stop()
    told = await shop.outcomes(1)

    assert 0 == status
    assert [("slow", CREATED)] == [(event.data["request_id"], event.type) for event in told]
    assert [] == worker.logged("worker.abandoned")


async def test_one_request_that_always_meets_a_settings_fault_does_not_stop_the_others(
    shop: Shop, cloud: Simulator, start_worker: StartWorker
) -> None:
    bad = "router-bad"
    cloud.state.faults.add(
        {"fault": "answer", "on": "create", "match": {"router_id": bad}, "status": 406, "times": None}
    )
    await start_worker(cloud.url, pause_s=0.5, concurrency=5, quick_wait_s=60)
    await shop.publish((order(bad), binary("bad")), *((order(), binary()) for _ in range(COUNT)))
    told = await shop.outcomes(COUNT, timeout_s=60.0)

    assert {CREATED} == {event.type for event in told}
    assert COUNT == len(cloud.state.services)


async def test_a_role_that_is_withdrawn_does_not_fail_the_whole_queue(
    shop: Shop, cloud: Simulator, start_worker: StartWorker
) -> None:
    body = {"NeutronError": {"type": "PolicyNotAuthorized", "message": "disallowed by policy", "detail": ""}}
    cloud.state.faults.add({"fault": "answer", "on": "create", "status": 403, "body": body, "times": None})
    worker = await start_worker(cloud.url, pause_s=0.3, concurrency=1)
    await shop.publish(*((order(), binary()) for _ in range(COUNT)))
    await worker.until_logged("killswitch.tripped", 2)

    assert {"vpn.vpnservice.create-failed.v1"} == {event.type for event in await shop.outcomes(5)}

    cloud.state.faults.clear()
    told = await shop.outcomes(COUNT, timeout_s=40.0)
    assert COUNT - 5 == len([event for event in told if event.type == CREATED])


async def test_a_request_that_waits_for_the_cloud_is_told_as_delayed_once(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker
) -> None:
    (port,) = free_ports(1)
    await start_worker(f"http://127.0.0.1:{port}", delayed_after_s=1)
    await shop.publish((order(), binary("patient")))
    told = await shop.until(bool)

    assert ["vpn.vpnservice.create-delayed.v1"] == [event.type for event in told]
    assert "unreachable" == told[0].data["error"]["code"]

    await start_cloud(port=port)
    await shop.outcomes(1)
    assert ["vpn.vpnservice.create-delayed.v1", CREATED] == [event.type for event in shop.told]


async def test_a_port_that_is_taken_is_said_at_the_start(cloud: Simulator, start_worker: StartWorker) -> None:
    with pytest.raises(SandboxError, match="health port"):
        await start_worker(cloud.url, http_port=int(cloud.url.rsplit(":", 1)[1]))
