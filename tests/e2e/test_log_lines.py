"""
The log of a real worker: one line a decision, with everything that operators search by, and nothing they must not see.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.e2e.shop import binary

if TYPE_CHECKING:
    from tests.e2e.conftest import StartWorker
    from tests.e2e.shop import Shop
    from worker.simulator import Simulator

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TENANT = "10039663455a446d8ba2cbb058b0f578"
HEADERS = {"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"}


async def test_a_created_request_has_two_lines_that_say_it_all(
    shop: Shop, cloud: Simulator, start_worker: StartWorker
) -> None:
    worker = await start_worker(cloud.url)
    body = {"vpnservice": {"router_id": "router-1", "name": "shown-nowhere", "tenant_id": TENANT}}
    properties = binary(id="order-1")
    properties.headers = {**(properties.headers or {}), **HEADERS}
    properties.correlation_id = "shop-77"
    await shop.publish((json.dumps(body).encode(), properties))
    event = (await shop.outcomes(1))[0]
    await worker.until_logged("request.created")
    lines = [line for line in worker.logged() if line.get("request_id") == "order-1"]

    assert ["api.answered", "request.created"] == [line["event"] for line in lines]
    for line in lines:
        assert ("shop-77", "router-1", TENANT, TRACE_ID) == (
            line["correlation_id"],
            line["router_id"],
            line["tenant_id"],
            line["trace_id"],
        )
        assert 1 == line["attempts"]
        assert line["api_request_id"].startswith("req-")
    answered, created = lines
    assert ("create", "created", 201) == (answered["call"], answered["answer"], answered["http_status"])
    assert 0 < answered["duration_s"] < 30
    assert (event.data["service_id"], "PENDING_CREATE") == (created["service_id"], created["status"])
    assert 0 <= created["total_s"] <= created["critical_s"] < 60
    assert "shown-nowhere" not in worker.child.log_file.read_text(encoding="utf-8")


async def test_a_failed_request_says_what_the_cloud_said(
    shop: Shop, cloud: Simulator, start_worker: StartWorker
) -> None:
    body = '{"code": "VPC.1003", "message": "no quota is left"}'
    cloud.state.faults.add({"fault": "answer", "on": "create", "status": 400, "body": body, "times": None})
    worker = await start_worker(cloud.url)
    await shop.publish((json.dumps({"vpnservice": {"router_id": "router-2"}}).encode(), binary(id="order-2")))
    event = (await shop.outcomes(1))[0]
    told = await worker.until_logged("request.failed")

    assert 1 == len(told)
    assert event.data["error"]["code"] == told[0]["code"] == "quota_exceeded"
    assert event.data["error"]["http_status"] == told[0]["http_status"]
    assert told[0]["api_request_id"]


async def test_what_a_message_says_cannot_forge_a_line(shop: Shop, cloud: Simulator, start_worker: StartWorker) -> None:
    worker = await start_worker(cloud.url)
    forged = 'x\n{"event":"request.created","service_id":"forged"}\r\n\x1b[31m'
    properties = binary(id="order-3")
    properties.correlation_id = forged
    await shop.publish((json.dumps({"vpnservice": {"router_id": "router-3", "name": forged}}).encode(), properties))
    await shop.outcomes(1)
    await worker.until_logged("request.rejected")
    text = worker.child.log_file.read_text(encoding="utf-8")

    assert all(isinstance(json.loads(line), dict) for line in text.splitlines())
    assert "\x1b" not in text
    assert [] == [line for line in worker.logged("request.created") if line.get("service_id") == "forged"]
