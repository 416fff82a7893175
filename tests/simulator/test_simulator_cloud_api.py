"""
Creating, showing and deleting as the document says, and what the gateway refuses before.
"""

import asyncio
import io
import re
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import ClientSession

from worker.simulator import Simulator

Start = Callable[..., Awaitable[tuple[Simulator, ClientSession]]]
PATH = "/v2.0/vpn/vpnservices"
EXAMPLE_REQUEST = {
    "vpnservice": {
        "subnet_id": None,
        "router_id": "66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa",
        "name": "myservice",
        "admin_state_up": True,
    }
}
EXAMPLE_ANSWER = {
    "router_id": "66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa",
    "status": "PENDING_CREATE",
    "name": "myservice",
    "external_v6_ip": "2001:db8::1",
    "admin_state_up": True,
    "subnet_id": None,
    "tenant_id": "10039663455a446d8ba2cbb058b0f578",
    "external_v4_ip": "172.32.1.11",
    "id": "5c561d9d-eaea-45f6-ae3e-08d1a7080828",
    "description": "",
    "prepay_connection_num": 0,
    "resource_speccode": "",
    "order_id": "",
    "product_id": "",
    "created_at": "2020-08-05 12:36:35.921257",
}


async def created(client: ClientSession, **attributes: object) -> tuple[int, str]:
    async with client.post(PATH, json={"vpnservice": {"router_id": "r", **attributes}}) as answer:
        body = await answer.json()
    return answer.status, body.get("vpnservice", {}).get("id", "")


async def test_the_documents_example_request_gives_its_example_answer(start: Start) -> None:
    _, client = await start(clock=lambda: 1596630995.921257)

    async with client.post(PATH, json=EXAMPLE_REQUEST) as answer:
        body = await answer.json()

    assert answer.status == 201
    assert list(body) == ["vpnservice"]
    assert list(EXAMPLE_ANSWER) == list(body["vpnservice"])
    # All but the id, which is new for each service, is the example word for word.
    assert {**body["vpnservice"], "id": EXAMPLE_ANSWER["id"]} == EXAMPLE_ANSWER
    assert body["vpnservice"]["id"] == str(uuid.UUID(body["vpnservice"]["id"]))


async def test_created_at_keeps_six_digits_at_a_full_second(start: Start) -> None:
    simulator, client = await start(clock=lambda: 1596630995.0)

    _, service_id = await created(client)

    assert simulator.state.services[service_id].attributes["created_at"] == "2020-08-05 12:36:35.000000"


async def test_every_service_has_addresses_of_its_own(start: Start) -> None:
    simulator, client = await start()

    for number in range(300):
        await created(client, router_id=f"r{number}")

    services = [service.attributes for service in simulator.state.services.values()]
    assert len({str(service["external_v4_ip"]) for service in services}) == 300
    assert len({str(service["external_v6_ip"]) for service in services}) == 300


async def test_the_callers_project_is_the_default_tenant(start: Start) -> None:
    simulator, client = await start(tenant_id="mine")

    _, mine = await created(client, router_id="a")
    _, other = await created(client, router_id="b", tenant_id="other")

    assert simulator.state.services[mine].attributes["tenant_id"] == "mine"
    assert simulator.state.services[other].attributes["tenant_id"] == "other"


@pytest.mark.parametrize(
    ("settings", "statuses"),
    [
        ({}, [201, 409, 409]),
        ({"active_active": True}, [201, 201, 409]),
        ({"services_per_vpc": 0}, [201, 201, 201]),
    ],
    ids=["standalone", "active-active", "no limit"],
)
async def test_a_vpc_takes_only_so_many_services(
    start: Start, settings: dict[str, object], statuses: list[int]
) -> None:
    _, client = await start(**settings)

    seen = [(await created(client, name=f"n{number}"))[0] for number in range(3)]
    (elsewhere, _) = await created(client, router_id="another")

    assert statuses == seen
    assert elsewhere == 201


async def test_a_hundred_concurrent_creates_for_one_vpc_make_one_service(start: Start) -> None:
    simulator, client = await start(latency_ms=5)

    statuses = [status for status, _ in await asyncio.gather(*(created(client) for _ in range(100)))]

    assert Counter(statuses) == {201: 1, 409: 99}
    assert len(simulator.state.services) == 1


async def test_a_conflict_says_which_router(start: Start) -> None:
    _, client = await start()
    await created(client)

    async with client.post(PATH, json={"vpnservice": {"router_id": "r"}}) as answer:
        error = (await answer.json())["NeutronError"]

    assert error["type"] == "Conflict"
    assert "router r" in error["message"]


async def test_a_created_service_can_be_shown(start: Start) -> None:
    _, client = await start()

    async with client.post(PATH, json=EXAMPLE_REQUEST) as answer:
        first = await answer.json()
    async with client.get(f"{PATH}/{first['vpnservice']['id']}") as answer:
        shown = await answer.json()

    assert answer.status == 200
    assert first == shown


async def test_a_deleted_service_is_gone_and_its_vpc_free_again(start: Start) -> None:
    _, client = await start()
    _, service_id = await created(client)

    async with client.delete(f"{PATH}/{service_id}") as answer:
        first = (answer.status, await answer.read())
    async with client.delete(f"{PATH}/{service_id}") as answer:
        second = answer.status
    async with client.get(f"{PATH}/{service_id}") as answer:
        error = (await answer.json())["NeutronError"]

    assert first == (204, b"")
    assert second == 404
    assert error["type"] == "VPNServiceNotFound"
    assert (await created(client))[0] == 201


async def test_nothing_is_deleted_in_active_active(start: Start) -> None:
    simulator, client = await start(active_active=True)
    _, service_id = await created(client)

    async with client.delete(f"{PATH}/{service_id}") as answer:
        assert answer.status == 409
    assert service_id in simulator.state.services


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("PUT", PATH, 405, "GET, POST"),
        ("DELETE", PATH, 405, "GET, POST"),
        ("PUT", f"{PATH}/some-id", 405, "GET, DELETE"),
        ("POST", f"{PATH}/some-id", 405, "GET, DELETE"),
        ("GET", f"{PATH}/", 404, None),
        ("GET", f"{PATH}/some-id/more", 404, None),
        ("POST", "/v2.0/vpn/vpnservice", 404, None),
        ("GET", "/", 404, None),
    ],
)
async def test_a_wrong_method_or_path_is_refused(
    start: Start, method: str, path: str, status: int, allowed: str | None
) -> None:
    simulator, client = await start()

    async with client.request(method, path, json=EXAMPLE_REQUEST) as answer:
        body = await answer.json()

    assert status == answer.status
    assert allowed == answer.headers.get("Allow")
    assert ("APIG.0101" if status == 404 else "HTTPMethodNotAllowed") in str(body)
    assert simulator.state.calls["other"] == 1


async def test_a_body_over_a_mebibyte_is_refused(start: Start) -> None:
    _, client = await start()

    async with client.post(PATH, data=io.BytesIO(b"x" * (1024**2 + 1))) as answer:
        assert answer.status == 413


async def test_a_body_that_is_not_encoded_as_it_claims_is_refused(start: Start) -> None:
    simulator, _ = await start()
    host, port = simulator.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))

    writer.write(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{{}}".encode())
    status_line = await reader.readline()
    writer.close()
    await writer.wait_closed()

    assert status_line == b"HTTP/1.1 400 Bad Request\r\n"


@pytest.mark.parametrize(
    ("headers", "status"), [({}, 401), ({"X-Auth-Token": "wrong"}, 401), ({"X-Auth-Token": "right"}, 200)]
)
async def test_the_token_is_checked_when_one_is_set(start: Start, headers: dict[str, str], status: int) -> None:
    _, client = await start(token="right")

    async with client.get(PATH, headers=headers) as answer:
        assert status == answer.status
        assert (status == 401) == ("APIG.0301" in await answer.text())


@pytest.mark.parametrize(("method", "path"), [("GET", PATH), ("GET", "/nowhere"), ("POST", PATH), ("PUT", PATH)])
async def test_every_answer_carries_a_new_request_id(start: Start, method: str, path: str) -> None:
    _, client = await start()

    ids = set()
    for _ in range(2):
        async with client.request(method, path) as answer:
            assert answer.headers["X-Request-Id"] == answer.headers["X-Openstack-Request-Id"]
            assert re.fullmatch(r"req-[0-9a-f-]{36}", answer.headers["X-Request-Id"])
            ids.add(answer.headers["X-Request-Id"])

    assert len(ids) == 2


async def test_two_thousand_creates_make_two_thousand_services(start: Start) -> None:
    simulator, client = await start()

    results = await asyncio.gather(*(created(client, router_id=f"r{number}") for number in range(2000)))

    assert {201} == {status for status, _ in results}
    assert 2000 == simulator.state.creates == len({service_id for _, service_id in results})
