"""
Huawei's dialect: the same call and the same limits, other codes and bodies.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.simulator.asking import PATH
from worker.simulator import Router, Simulator
from worker.simulator.huawei import HUAWEI
from worker.simulator.otc import OTC

Start = Callable[..., Awaitable[tuple[Simulator, ClientSession]]]


async def create(client: ClientSession, **attributes: object) -> tuple[int, Any]:
    async with client.post(PATH, json={"vpnservice": {"router_id": "r", **attributes}}) as answer:
        return answer.status, await answer.json()


async def test_a_service_is_the_documents(start: Start) -> None:
    _, client = await start(dialect="huawei", clock=lambda: 1596630995.921257)

    async with client.post(PATH, json={"vpnservice": {"router_id": "r", "order_id": "o"}}) as answer:
        service = (await answer.json())["vpnservice"]

    assert list(OTC.answer_fields) == list(service)
    assert ("2020-08-05 12:36:35.921257", "o") == (service["created_at"], service["order_id"])
    assert answer.headers["X-Request-Id"].startswith("req-")


@pytest.mark.parametrize(
    ("attributes", "status", "code"),
    [
        ({"name": ""}, 400, "VPN.0001"),
        ({"name": "n" * 65}, 400, "VPN.0001"),
        ({"project_id": "p"}, 400, "VPN.0001"),
        ({"router_id": "elsewhere"}, 404, "VPC.0003"),
        ({"router_id": "closed"}, 400, "VPN.0001"),
        ({"external_v4_ip": "192.0.2.7", "tenant_id": "other"}, 403, "VPN.0003"),
    ],
)
async def test_refusals_have_huaweis_codes(start: Start, attributes: dict[str, Any], status: int, code: str) -> None:
    _, client = await start(dialect="huawei", routers=(Router("r"), Router("closed", has_gateway=False)))

    answer, body = await create(client, **attributes)

    assert (status, code) == (answer, body["code"])
    assert {"code", "message"} == set(body)


async def test_a_second_service_on_a_vpc_is_a_conflict_with_400(start: Start) -> None:
    simulator, client = await start(dialect="huawei")

    await create(client)
    status, body = await create(client)

    assert (400, "VPN.0031") == (status, body["code"])
    assert 1 == simulator.state.creates


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nowhere", 404, "APIGW.0101"), ("PUT", PATH, 405, "APIGW.0101"), ("GET", PATH, 429, "APIGW.0308")],
)
async def test_the_gateway_has_its_own_body(start: Start, method: str, path: str, status: int, code: str) -> None:
    _, client = await start(dialect="huawei", faults=("throttle:1:list",))

    async with client.request(method, path) as answer:
        body = await answer.json()

    assert (status, code) == (answer.status, body["error_code"])
    assert {"error_code", "error_msg", "request_id"} == set(body)
    assert answer.headers["X-Request-Id"] == body["request_id"]


def test_no_code_of_the_other_gateway_is_left() -> None:
    assert [] == [form.code for form in HUAWEI.voice.errors.values() if form.code.startswith("APIG.")]
