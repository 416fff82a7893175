"""
The client against the simulated cloud, over HTTP.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.clients import open_client
from worker.cloud.client import CloudClient
from worker.cloud.reply import retry_after_s
from worker.core.answers import (
    Busy,
    Conflict,
    Created,
    Listed,
    Misconfigured,
    Refused,
    Service,
    Throttled,
    Unknown,
)
from worker.simulator import KINDS, Simulator

Simulate = Callable[..., Awaitable[tuple[Simulator, CloudClient]]]
BODY = b'{"vpnservice": {"router_id": "r", "name": "n"}}'
NOW = datetime(2026, 10, 21, 7, 28, tzinfo=UTC)


async def test_a_service_is_created(simulate: Simulate) -> None:
    simulator, client = await simulate()

    answer = await client.create(BODY)

    assert isinstance(answer, Created)
    assert [answer.service.id] == list(simulator.state.services)
    assert ("PENDING_CREATE", "r", "n") == (
        answer.service.status,
        answer.service.attributes["router_id"],
        answer.service.attributes["name"],
    )
    assert answer.service.created_at is not None
    assert abs(datetime.now(UTC) - answer.service.created_at) < timedelta(minutes=1)
    assert (answer.api_request_id or "").startswith("req-")


async def test_a_second_service_on_a_vpc_is_a_conflict(simulate: Simulate) -> None:
    _, client = await simulate()
    await client.create(BODY)

    answer = await client.create(BODY)

    assert isinstance(answer, Conflict)
    assert 409 == answer.trouble.http_status


async def test_what_the_cloud_refuses_is_refused_with_its_words(simulate: Simulate) -> None:
    _, client = await simulate()

    answer = await client.create(b'{"vpnservice": {"name": "n"}}')

    assert isinstance(answer, Refused)
    assert ("refused", 400) == (answer.trouble.code, answer.trouble.http_status)
    assert "router_id" in answer.trouble.message
    assert answer.trouble.api_code
    assert (answer.trouble.api_request_id or "").startswith("req-")


@pytest.mark.parametrize("call", ["create", "list", "show"])
async def test_a_wrong_token_is_a_configuration_fault(
    simulate: Simulate, connect: Callable[..., Awaitable[CloudClient]], call: str
) -> None:
    simulator, _ = await simulate(token="right")
    client = await connect(simulator.url, token="wrong")

    match call:
        case "create":
            answer: object = await client.create(BODY)
        case "list":
            answer = await client.list_services("r")
        case _:
            answer = await client.show("s")

    assert isinstance(answer, Misconfigured)
    assert ("credentials_refused", 401) == (answer.trouble.code, answer.trouble.http_status)


async def test_the_right_token_is_let_in(simulate: Simulate) -> None:
    _, client = await simulate(token="right")

    assert isinstance(await client.create(BODY), Created)


async def test_a_wrong_path_is_a_configuration_fault(
    simulate: Simulate, connect: Callable[..., Awaitable[CloudClient]]
) -> None:
    simulator, _ = await simulate()
    client = await connect(f"{simulator.url}/elsewhere/")

    answer = await client.create(BODY)

    assert isinstance(answer, Misconfigured)
    assert "api_not_found" == answer.trouble.code


@pytest.mark.parametrize(
    ("rule", "kind", "services"),
    [
        ({"fault": "throttle"}, Throttled, 0),
        ({"fault": "error_500"}, Unknown, 0),
        ({"fault": "error_503"}, Unknown, 0),
        ({"fault": "html_500"}, Unknown, 0),
        ({"fault": "answer", "status": 400, "body": {"code": "VPC.1026", "message": "x"}}, Conflict, 0),
        ({"fault": "answer", "status": 200, "body": ""}, Unknown, 0),
        ({"fault": "answer", "status": 201, "body": {"vpnservice": {}}}, Unknown, 0),
        ({"fault": "answer", "status": 202, "body": {"vpnservice": {"id": "s"}}}, Created, 0),
        ({"fault": "answer", "status": 204, "body": ""}, Unknown, 0),
        ({"fault": "answer", "status": 302, "body": ""}, Unknown, 0),
        ({"fault": "answer", "status": 404, "body": {"code": 404, "message": "Not Found"}}, Misconfigured, 0),
        ({"fault": "answer", "status": 404, "body": "<h1>Not Found</h1>"}, Misconfigured, 0),
        ({"fault": "answer", "status": 404, "body": {"NeutronError": {"type": "RouterNotFound"}}}, Refused, 0),
        ({"fault": "close"}, Unknown, 0),
        ({"fault": "hang"}, Unknown, 0),
        ({"fault": "late_commit"}, Unknown, 0),
        ({"fault": "slow", "delay_s": 0.01}, Created, 1),
        ({"fault": "commit_then_500"}, Unknown, 1),
        ({"fault": "commit_then_close"}, Unknown, 1),
        ({"fault": "commit_then_hang"}, Unknown, 1),
        ({"fault": "truncated"}, Unknown, 1),
        ({"fault": "not_json"}, Unknown, 1),
        ({"fault": "error"}, Unknown, 0),
        ({"fault": "half_made"}, Unknown, 1),
    ],
    ids=str,
)
async def test_a_fault_of_a_create(simulate: Simulate, rule: dict[str, object], kind: type, services: int) -> None:
    simulator, client = await simulate(timeout_s=0.4)
    simulator.state.faults.add(rule)

    answer = await client.create(BODY)

    assert kind is type(answer)
    assert services == len(simulator.state.services)
    assert 1 == simulator.state.calls["create"]


def test_every_kind_of_fault_is_tried_here() -> None:
    marks = getattr(test_a_fault_of_a_create, "pytestmark", [])

    assert set(KINDS) == {row[0]["fault"] for mark in marks for row in mark.args[1]}


async def test_a_create_that_is_cut_on_a_used_connection_is_not_sent_again(simulate: Simulate) -> None:
    """
    The library sends a GET again when a kept connection breaks; a POST must never be.
    """
    simulator, client = await simulate(services_per_vpc=0)
    await client.create(BODY)
    simulator.state.faults.add({"fault": "commit_then_close"})

    answer = await client.create(BODY)

    assert isinstance(answer, Unknown)
    assert (2, 2) == (simulator.state.calls["create"], simulator.state.creates)


@pytest.mark.parametrize("call", ["list", "show"])
@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ({"fault": "throttle", "retry_after": 7}, Throttled),
        ({"fault": "error_500"}, Busy),
        ({"fault": "error_503", "retry_after": 7}, Busy),
        ({"fault": "html_500"}, Busy),
        ({"fault": "answer", "status": 200, "body": "{"}, Busy),
        ({"fault": "answer", "status": 302, "body": ""}, Misconfigured),
        ({"fault": "answer", "status": 405, "body": ""}, Misconfigured),
        ({"fault": "close", "times": None}, Busy),
        ({"fault": "hang"}, Busy),
        ({"fault": "truncated"}, Busy),
        ({"fault": "not_json"}, Busy),
    ],
    ids=str,
)
async def test_a_fault_of_a_look(simulate: Simulate, call: str, rule: dict[str, object], kind: type) -> None:
    simulator, client = await simulate(timeout_s=0.4)
    created = await client.create(BODY)
    assert isinstance(created, Created)
    simulator.state.faults.add(rule | {"on": call})

    answer = await (client.list_services("r") if call == "list" else client.show(created.service.id))

    assert kind is type(answer)
    assert (7.0 if "retry_after" in rule else None) == getattr(answer, "retry_after_s", None)


async def test_a_list_that_was_cut_once_succeeds(simulate: Simulate) -> None:
    """
    The library repeats it by itself, which is harmless: a look changes nothing.
    """
    simulator, client = await simulate()
    await client.create(BODY)
    simulator.state.faults.add({"fault": "close", "on": "list"})

    assert isinstance(await client.list_services("r"), Listed)


async def test_a_list_has_the_services_of_all_pages_and_of_one_router_only(simulate: Simulate) -> None:
    simulator, client = await simulate(page_limit=2, services_per_vpc=0)
    for number in range(5):
        await client.create(b'{"vpnservice": {"router_id": "r/?&=\xc3\xa4", "name": "n%d"}}' % number)
    await client.create(BODY)

    answer = await client.list_services("r/?&=ä")

    assert isinstance(answer, Listed)
    assert [f"n{number}" for number in range(5)] == [one.attributes["name"] for one in answer.services]
    assert 3 == simulator.state.calls["list"]


async def test_an_empty_last_page_ends_a_list(simulate: Simulate) -> None:
    simulator, client = await simulate(page_limit=1)
    await client.create(BODY)

    answer = await client.list_services("r")

    assert isinstance(answer, Listed)
    assert (1, 2) == (len(answer.services), simulator.state.calls["list"])


@pytest.mark.parametrize(("pages", "kind"), [(100, Listed), (101, Busy)])
async def test_a_list_has_a_hundred_pages_at_the_most(simulate: Simulate, pages: int, kind: type) -> None:
    simulator, client = await simulate(page_limit=1, services_per_vpc=0)
    for number in range(pages - 1):
        simulator.state.create({"router_id": "r", "name": f"n{number}"})

    assert kind is type(await client.list_services("r"))


async def test_a_failed_page_fails_the_list(simulate: Simulate) -> None:
    """
    Half a list would say "not found" of what stands on the other half.
    """
    simulator, client = await simulate(page_limit=1, services_per_vpc=0)
    simulator.state.create({"router_id": "r", "name": "a"})
    simulator.state.faults.add({"fault": "slow", "delay_s": 0, "on": "list"})
    simulator.state.faults.add({"fault": "error_500", "on": "list"})

    answer = await client.list_services("r")

    assert isinstance(answer, Busy)
    assert 2 == simulator.state.calls["list"]


async def test_a_service_is_shown(simulate: Simulate) -> None:
    simulator, client = await simulate()
    created = await client.create(BODY)
    assert isinstance(created, Created)
    simulator.state.services[created.service.id].attributes["status"] = "ACTIVE"

    shown = await client.show(created.service.id)

    assert isinstance(shown, Service)
    assert (created.service.id, "ACTIVE") == (shown.id, shown.status)


async def test_a_service_that_is_not_there_is_an_empty_list(simulate: Simulate) -> None:
    _, client = await simulate()

    assert Listed(()) == await client.show("5c561d9d-eaea-45f6-ae3e-08d1a7080828")


@pytest.mark.parametrize(
    ("rule", "retry_after_s"),
    [
        ({"fault": "throttle", "retry_after": 7}, 7.0),
        ({"fault": "throttle", "retry_after": None}, None),
        ({"fault": "answer", "status": 425, "body": "", "retry_after": "9"}, 9.0),
    ],
)
async def test_the_wait_that_the_cloud_asks_for_is_told(
    simulate: Simulate, rule: dict[str, Any], retry_after_s: float | None
) -> None:
    simulator, client = await simulate()
    simulator.state.faults.add(rule)

    answer = await client.create(BODY)

    assert isinstance(answer, Throttled | Busy)
    assert retry_after_s == answer.retry_after_s


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("text", "delay_s"),
        [
            (None, None),
            ("0", 0.0),
            ("120", 120.0),
            (" 120 ", 120.0),
            ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0),
            ("Wed, 21 Oct 2026 07:28:30 -0000", 30.0),
            ("Wed, 21 Oct 2026 07:27:00 GMT", 0.0),
            ("", None),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
            ("\u00b2", None),
            ("\u0663", None),
        ],
    )
    def test_both_forms_are_read(self, text: str | None, delay_s: float | None) -> None:
        assert delay_s == retry_after_s(text, NOW)

    @pytest.mark.parametrize("text", ["9" * 400, "31536000", "Fri, 31 Dec 9999 23:59:59 GMT"])
    def test_no_answer_stops_the_worker_for_more_than_an_hour(self, text: str) -> None:
        assert 3600.0 == retry_after_s(text, NOW)

    @given(st.text(max_size=40) | st.integers().map(str) | st.datetimes().map(format_datetime))
    def test_no_header_makes_it_raise(self, text: str) -> None:
        delay_s = retry_after_s(text, NOW)

        assert delay_s is None or 0 <= delay_s <= 3600


@pytest.mark.parametrize(("profile", "is_told"), [("otc", True), ("huawei", True), ("openstack", False)])
async def test_a_cloud_that_is_unlike_its_profile_is_told_once(
    simulate: Simulate, stack: AsyncExitStack, profile: str, is_told: bool
) -> None:
    """
    A Neutron that is taken for a cloud with one service per VPC gets a second POST after a lost answer.
    """
    simulator, _ = await simulate(dialect="openstack")
    client = await stack.enter_async_context(open_client(simulator.url, profile=profile))
    with capture_logs() as logs:
        for _ in range(2):
            body = orjson.dumps({"vpnservice": {"router_id": str(uuid.uuid4())}})
            assert isinstance(await client.create(body), Created)

    told = [entry for entry in logs if entry["event"] == "cloud.unlike_profile"]
    assert int(is_told) == len(told)
    assert all(["created_at"] == entry["missing"] for entry in told)


async def test_a_wrong_url_is_named_and_its_setting(
    simulate: Simulate, connect: Callable[..., Awaitable[CloudClient]]
) -> None:
    simulator, _ = await simulate()
    client = await connect(f"{simulator.url}/v2.0/vpn/vpnservices")

    for answer in (await client.create(BODY), await client.list_services("r")):
        assert isinstance(answer, Misconfigured)
        assert f"{simulator.url}/v2.0/vpn/vpnservices/v2.0/vpn/vpnservices" in answer.trouble.message
        assert "VPN_WORKER_API_URL" in answer.trouble.message
