"""
Every form of error body on every call, and services that were made badly behind an error.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientSession, ServerDisconnectedError

from tests.simulator.asking import PATH, TOKENS, HandClock
from worker.simulator import DIALECTS, Simulator, SimulatorError, User
from worker.simulator.bodies import FORMS

Start = Callable[..., Awaitable[tuple[Simulator, ClientSession]]]
REQUEST = {"vpnservice": {"router_id": "r"}}
SAID = {"status": 409, "code": "X.1", "message": "words"}
CASES = [
    ("neutron", b'{"NeutronError":{"type":"X.1","message":"words","detail":""}}', "application/json"),
    ("error_code", b'{"error_code":"X.1","error_msg":"words","request_id":"REQ"}', "application/json"),
    ("code", b'{"code":"X.1","message":"words"}', "application/json"),
    ("camel", b'{"errorCode":"X.1","errorMsg":"words"}', "application/json"),
    ("message", b'{"message":"words","request_id":"REQ"}', "application/json"),
    ("keystone", b'{"error":{"code":409,"message":"words","title":"Conflict"}}', "application/json"),
    (
        "html",
        b"<html><head><title>409 Conflict</title></head><body><h1>409</h1></body></html>",
        "text/html",
    ),
    ("text", b"words", "text/plain"),
    ("empty", b"", "application/octet-stream"),
]


@pytest.mark.parametrize(("form", "expected", "content_type"), CASES, ids=[case[0] for case in CASES])
async def test_a_form_of_body(start: Start, form: str, expected: bytes, content_type: str) -> None:
    simulator, client = await start()
    simulator.state.faults.add({"fault": "error", "form": form, **SAID})

    async with client.post(PATH, json=REQUEST) as answer:
        body = await answer.read()

    assert (409, content_type) == (answer.status, answer.content_type)
    assert expected.replace(b"REQ", answer.headers["X-Request-Id"].encode()) == body
    assert {} == simulator.state.services


def test_every_form_is_tried_here() -> None:
    assert set(FORMS) == {case[0] for case in CASES}


@pytest.mark.parametrize(
    ("on", "method", "path"),
    [
        ("create", "POST", PATH),
        ("list", "GET", PATH),
        ("show", "GET", f"{PATH}/x"),
        ("delete", "DELETE", f"{PATH}/x"),
        ("token", "POST", TOKENS),
    ],
)
async def test_any_call_can_be_answered_so(start: Start, on: str, method: str, path: str) -> None:
    simulator, client = await start(users=(User("ann", "secret"),), token="right")
    simulator.state.faults.add({"fault": "error", "on": on, "status": 418, "form": "camel", "retry_after": 7})

    async with client.request(method, path, headers={"X-Auth-Token": "right"}) as answer:
        body = await answer.json()

    assert (418, "7") == (answer.status, answer.headers["Retry-After"])
    assert "SimulatedError" == body["errorCode"]


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_every_dialect_can_say_the_same_kinds_of_no(name: str) -> None:
    assert set(DIALECTS["otc"].voice.errors) == set(DIALECTS[name].voice.errors)


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        ({}, 500, "HTTPInternalServerError"),
        ({"status": 503}, 503, "ServiceUnavailable"),
        ({"status": 409}, 409, "VPNGatewayInError"),
        ({"status": 400}, 400, "SimulatedError"),
        ({"status": 409, "code": "X.1", "form": "code"}, 409, '{"code":"X.1"'),
    ],
)
async def test_a_service_can_be_left_in_error_behind_an_error(
    start: Start, options: dict[str, Any], status: int, said: str
) -> None:
    clock = HandClock()
    simulator, client = await start(clock=clock)
    simulator.state.faults.add({"fault": "half_made", **options})

    async with client.post(PATH, json=REQUEST) as answer:
        text = await answer.text()
    clock.now_s += 3600
    async with client.get(PATH) as listing:
        (service,) = (await listing.json())["vpnservices"]

    assert status == answer.status
    assert said in text
    assert "ERROR" == service["status"]


async def test_a_service_can_stay_without_an_address(start: Start) -> None:
    clock = HandClock()
    simulator, client = await start(clock=clock)
    simulator.state.faults.add({"fault": "half_made", "leaves": "no_address"})

    await client.post(PATH, json=REQUEST)
    clock.now_s += 3600
    async with client.get(PATH) as answer:
        (service,) = (await answer.json())["vpnservices"]

    assert ("ACTIVE", None) == (service["status"], service["external_v4_ip"])


@pytest.mark.parametrize("options", [{"then": "close"}, {"then": "hang", "delay_s": 0.05}], ids=["close", "hang"])
async def test_a_bad_service_can_be_left_without_an_answer(start: Start, options: dict[str, Any]) -> None:
    simulator, client = await start()
    simulator.state.faults.add({"fault": "half_made", **options})

    with pytest.raises(ServerDisconnectedError):
        await client.post(PATH, json=REQUEST)

    assert ["ERROR"] == [service.status for service in simulator.state.services.values()]


async def test_a_refused_request_leaves_nothing_half_made(start: Start) -> None:
    simulator, client = await start(faults=("half_made:1",))

    async with client.post(PATH, json={"vpnservice": {}}) as answer:
        assert 400 == answer.status
    assert {} == simulator.state.services


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"form": "poem"}, "form must be one of neutron"),
        ({"code": 5}, "code must be a text"),
        ({"message": None}, "message must be a text"),
        ({"leaves": "ruins"}, "leaves must be one of error, no_address"),
        ({"then": "dance"}, "then must be one of error, hang, close"),
        ({"form": ["neutron"]}, "form must be one of"),
    ],
)
async def test_an_error_that_cannot_be_understood_says_why(start: Start, options: dict[str, Any], said: str) -> None:
    simulator, _ = await start()

    with pytest.raises(SimulatorError, match=said):
        simulator.state.faults.add({"fault": "half_made", **options})
