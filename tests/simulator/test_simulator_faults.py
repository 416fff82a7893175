"""
Each fault, seen from the client's side and in what the cloud has done.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientError, ClientPayloadError, ClientSession, ClientTimeout, ServerDisconnectedError

from worker.simulator import KINDS, Simulator

Start = Callable[..., Awaitable[tuple[Simulator, ClientSession]]]
PATH = "/v2.0/vpn/vpnservices"
REQUEST = {"vpnservice": {"router_id": "r", "name": "n"}}


async def post(client: ClientSession, **options: Any) -> tuple[int, str]:
    async with client.post(PATH, json=REQUEST, **options) as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize(
    ("rule", "status", "services", "said"),
    [
        ({"fault": "throttle"}, 429, 0, "APIG.0308"),
        ({"fault": "error_500"}, 500, 0, "HTTPInternalServerError"),
        ({"fault": "error_503"}, 503, 0, "ServiceUnavailable"),
        ({"fault": "html_500"}, 500, 0, "<html>"),
        ({"fault": "answer", "status": 400, "body": {"code": "VPC.1026"}}, 400, 0, '{"code":"VPC.1026"}'),
        ({"fault": "answer", "status": 200, "body": ""}, 200, 0, ""),
        ({"fault": "error", "status": 400, "code": "VPC.1026", "form": "code"}, 400, 0, '{"code":"VPC.1026"'),
        ({"fault": "late_commit"}, 500, 0, "HTTPInternalServerError"),
        ({"fault": "half_made"}, 500, 1, "HTTPInternalServerError"),
        ({"fault": "slow", "delay_s": 0.01}, 201, 1, '"vpnservice"'),
        ({"fault": "commit_then_500"}, 500, 1, "HTTPInternalServerError"),
        ({"fault": "not_json"}, 201, 1, "Thank you for your order"),
    ],
    ids=lambda value: value["fault"] if isinstance(value, dict) else "",
)
async def test_a_fault_with_an_answer(
    start: Start, rule: dict[str, object], status: int, services: int, said: str
) -> None:
    simulator, client = await start()
    simulator.state.faults.add(rule)

    answer = await post(client)

    assert status == answer[0]
    assert said in answer[1]
    assert services == len(simulator.state.services)
    assert {rule["fault"]: 1} == simulator.state.faults.hits


@pytest.mark.parametrize(
    ("rule", "services", "error"),
    [
        ({"fault": "close"}, 0, ServerDisconnectedError),
        ({"fault": "hang", "delay_s": 0.05}, 0, ServerDisconnectedError),
        ({"fault": "commit_then_close"}, 1, ServerDisconnectedError),
        ({"fault": "commit_then_hang", "delay_s": 0.05}, 1, ServerDisconnectedError),
        ({"fault": "late_commit", "then": "close"}, 0, ServerDisconnectedError),
        ({"fault": "late_commit", "then": "hang", "delay_s": 0.05}, 0, ServerDisconnectedError),
        ({"fault": "truncated"}, 1, ClientPayloadError),
    ],
    ids=lambda value: value["fault"] if isinstance(value, dict) else "",
)
async def test_a_fault_without_a_whole_answer(
    start: Start, rule: dict[str, object], services: int, error: type[ClientError]
) -> None:
    simulator, client = await start()
    simulator.state.faults.add(rule)

    with pytest.raises(error):
        await post(client)

    assert services == len(simulator.state.services)
    assert (await post(client))[0] == 201 or services == 1


def test_every_kind_of_fault_is_tried_here() -> None:
    tried = {
        mark.args[1][number][0]["fault"]
        for test in (test_a_fault_with_an_answer, test_a_fault_without_a_whole_answer)
        for mark in getattr(test, "pytestmark", [])
        for number in range(len(mark.args[1]))
    }

    assert set(KINDS) == tried


@pytest.mark.parametrize(("fault", "services"), [("hang", 0), ("commit_then_hang", 1)])
async def test_a_hang_lasts_until_the_client_leaves(start: Start, fault: str, services: int) -> None:
    simulator, client = await start()
    simulator.state.faults.add({"fault": fault})

    with pytest.raises(TimeoutError):
        await post(client, timeout=ClientTimeout(total=0.2))
    await simulator.until(lambda state: state.answers["cut"] == 1)

    assert services == len(simulator.state.services)


async def test_a_hanging_call_does_not_hold_up_the_end(start: Start) -> None:
    simulator, client = await start()
    simulator.state.faults.add({"fault": "hang"})
    hanging = asyncio.create_task(post(client))
    await simulator.until(lambda state: state.faults.hits["hang"] == 1)

    async with asyncio.timeout(3):
        await simulator.close()

    with pytest.raises(ClientError):
        await hanging


async def test_a_create_goes_on_when_the_client_has_left(start: Start) -> None:
    """
    So does a real Neutron: the client of a slow create finds the service a moment after it gave up.
    """
    simulator, client = await start(latency_ms=150)

    with pytest.raises(TimeoutError):
        await post(client, timeout=ClientTimeout(total=0.05))
    at_once = len(simulator.state.services)
    await simulator.until(lambda state: state.creates == 1)

    assert at_once == 0
    assert simulator.state.creates == 1


async def test_a_client_that_leaves_in_the_middle_of_its_body_creates_nothing(start: Start) -> None:
    simulator, _ = await start()
    host, port = simulator.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))

    writer.write(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{{".encode())
    await simulator.until(lambda state: state.calls["create"] == 1)
    writer.close()
    await writer.wait_closed()
    await simulator.until(lambda state: state.answers["cut"] == 1)

    assert simulator.state.creates == 0


async def test_latency_and_slowness_are_waited_for(start: Start) -> None:
    simulator, client = await start(latency_ms=50)
    simulator.state.faults.add({"fault": "slow", "delay_s": 0.1})
    loop = asyncio.get_running_loop()

    begin_s = loop.time()
    await post(client)

    assert loop.time() - begin_s >= 0.15


@pytest.mark.parametrize(
    ("given", "header"),
    [
        ({}, "1"),
        ({"retry_after": 7}, "7"),
        ({"retry_after": "2"}, "2"),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:00 GMT"}, "Wed, 21 Oct 2026 07:28:00 GMT"),
        ({"retry_after": None}, None),
    ],
)
async def test_throttling_says_when_to_come_back(start: Start, given: dict[str, object], header: str | None) -> None:
    simulator, client = await start()
    simulator.state.faults.add({"fault": "throttle", **given})

    async with client.post(PATH, json=REQUEST) as answer:
        assert header == answer.headers.get("Retry-After")


async def test_an_invalid_request_is_refused_even_when_it_would_be_late(start: Start) -> None:
    simulator, client = await start()
    simulator.state.faults.add({"fault": "late_commit", "after_s": 0})

    async with client.post(PATH, json={"vpnservice": {}}) as answer:
        assert answer.status == 400


@pytest.mark.parametrize("call", ["list", "show", "delete"])
async def test_a_fault_strikes_the_call_it_is_for(start: Start, call: str) -> None:
    simulator, client = await start()
    await post(client)
    (service_id,) = simulator.state.services
    simulator.state.faults.add({"fault": "error_503", "on": call, "match": {"router_id": "r"}})

    statuses = {}
    for kind, method, url in (
        ("create", "POST", PATH),
        ("list", "GET", f"{PATH}?router_id=r"),
        ("show", "GET", f"{PATH}/{service_id}"),
        ("delete", "DELETE", f"{PATH}/{service_id}"),
    ):
        async with client.request(method, url, json=REQUEST) as answer:
            statuses[kind] = answer.status

    assert {"create": 409, "list": 200, "show": 200, "delete": 204} | {call: 503} == statuses


async def test_a_delete_can_be_done_without_an_answer(start: Start) -> None:
    simulator, _ = await start()
    service_id = simulator.state.create({"router_id": "r"}).id
    simulator.state.faults.add({"fault": "commit_then_close", "on": "delete"})
    host, port = simulator.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))

    # Not with the client: aiohttp silently sends a cut DELETE or GET once more.
    writer.write(f"DELETE {PATH}/{service_id} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()

    assert answer == b""
    assert simulator.state.services == {}
