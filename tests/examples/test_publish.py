"""
The examples that publish, each as a process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.examples.conftest import NOBODY

if TYPE_CHECKING:
    from tests.e2e.conftest import StartWorker
    from tests.e2e.shop import Shop
    from tests.examples.conftest import Run
    from worker.simulator import Simulator

ROUTER = "66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa"  # doc: example request, router_id
PUBLISHERS = ("publish_aio_pika.py", "publish_pika.py")
ALL = (*PUBLISHERS, "request_reply.py")


@pytest.mark.parametrize("example", PUBLISHERS)
async def test_an_order_that_is_published_twice_becomes_one_service(
    run: Run, shop: Shop, cloud: Simulator, start_worker: StartWorker, example: str
) -> None:
    await start_worker(cloud.url)
    said = [await run(example, "order-1001", ROUTER, "myservice") for _ in range(2)]
    told = await shop.outcomes(2)

    assert [(0, ["published order-1001"], "")] * 2 == [(one.status, one.out, one.err) for one in said]
    assert 1 == len({event.headers["ce-id"] for event in told})
    assert ["vpn.vpnservice.created.v1"] * 2 == [event.type for event in told]
    assert [(ROUTER, "myservice")] == [
        (service.attributes["router_id"], service.attributes["name"]) for service in cloud.state.services.values()
    ]


@pytest.mark.parametrize("example", ALL)
async def test_a_wrong_request_is_not_sent(run: Run, shop: Shop, prefix: str, example: str) -> None:
    said = await run(example, "order-1", "", "x" * 65)

    assert 2 == said.status
    assert (
        "the request has 2 errors:\n"
        "  vpnservice.router_id: must be 1 to 255 characters, got 0\n"
        "  vpnservice.name: must be 1 to 64 characters, got 65\n" == said.err
    )
    assert 0 == await shop.ready(f"{prefix}.requests.create")


@pytest.mark.parametrize("example", ALL)
async def test_without_rabbitmq_it_says_what_to_do(run: Run, example: str) -> None:
    said = await run(example, "order-1", ROUTER, "myservice", amqp_url=NOBODY)

    assert (3, []) == (said.status, said.out)
    assert "Set VPN_WORKER_AMQP_URL; `make run` shows one." in said.err
    assert "Traceback" not in said.err
    assert "secret" not in said.err
    assert len(said.err.splitlines()) <= 2  # aio-pika logs one of its own


@pytest.mark.parametrize("example", ALL)
async def test_without_a_queue_for_requests_it_says_what_to_do(run: Run, example: str) -> None:
    said = await run(example, "order-1", ROUTER, "myservice")

    assert 3 == said.status
    assert "vpn-worker topology apply" in said.err
    assert "Traceback" not in said.err
