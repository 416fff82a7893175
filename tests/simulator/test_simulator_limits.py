"""
Every limit of the document's request table, from both sides.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientSession
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.simulator import Simulator
from worker.simulator.dialect import RefusalError, checked_request
from worker.simulator.otc import OTC, PARAMETERS

Start = Callable[..., Awaitable[tuple[Simulator, ClientSession]]]
PATH = "/v2.0/vpn/vpnservices"
NAMES = st.sampled_from([*PARAMETERS, "vpnservice", "project_id"]) | st.text(max_size=5)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70)
UP_TO_255 = ["tenant_id", "description", "order_id", "product_id", "resource_speccode", "external_v4_ip"]

ACCEPTED: list[dict[str, Any]] = [
    {"name": "n"},
    {"name": "n" * 64},
    {"name": "ö" * 64},
    {"subnet_id": None},
    {"subnet_id": "0f1e"},
    {"admin_state_up": True},
    {"prepay_connection_num": 0},
    {"prepay_connection_num": 12},
    *({field: "x" * 255} for field in UP_TO_255),
    *({field: ""} for field in UP_TO_255),
]
REFUSED: list[dict[str, Any]] = [
    {"router_id": ""},
    {"router_id": None},
    {"router_id": 5},
    {"subnet_id": ""},
    {"subnet_id": 5},
    {"name": ""},
    {"name": "n" * 65},
    {"name": None},
    {"name": 5},
    {"admin_state_up": False},
    {"admin_state_up": "true"},
    {"admin_state_up": 1},
    {"admin_state_up": None},
    {"prepay_connection_num": -1},
    {"prepay_connection_num": 1.0},
    {"prepay_connection_num": True},
    {"prepay_connection_num": "1"},
    {"prepay_connection_num": 2**70},
    {"prepay_connection_num": None},
    {"project_id": "p"},
    {"status": "ACTIVE"},
    {"colour": "red"},
    *({field: "x" * 256} for field in UP_TO_255),
    *({field: None} for field in UP_TO_255),
    *({field: 5} for field in UP_TO_255),
    *({field: ["x"]} for field in UP_TO_255),
]


def named(attributes: dict[str, object]) -> str:
    (field, value) = next(iter(attributes.items()))
    return f"{field}={value!r:.12}"


@pytest.mark.parametrize("attributes", ACCEPTED, ids=named)
async def test_a_value_within_the_limits_is_accepted_and_shown_as_sent(
    start: Start, attributes: dict[str, object]
) -> None:
    _, client = await start(role="admin")

    async with client.post(PATH, json={"vpnservice": {"router_id": "r", **attributes}}) as answer:
        body = await answer.json()

    assert answer.status == 201
    assert attributes == {name: body["vpnservice"][name] for name in attributes}


@pytest.mark.parametrize("attributes", REFUSED, ids=named)
async def test_a_value_beyond_the_limits_is_refused_and_named(start: Start, attributes: dict[str, object]) -> None:
    simulator, client = await start(role="admin")

    async with client.post(PATH, json={"vpnservice": {"router_id": "r", **attributes}}) as answer:
        body = await answer.json()

    assert answer.status == 400
    assert body["NeutronError"]["type"] == "HTTPBadRequest"
    assert next(iter(attributes)) in body["NeutronError"]["message"]
    assert simulator.state.services == {}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "MalformedRequestBody"),
        (b"{", "MalformedRequestBody"),
        (b"\xff", "MalformedRequestBody"),
        (b"[" * 10_000, "MalformedRequestBody"),
        (b'{"vpnservice": {"router_id": "\\ud800"}}', "MalformedRequestBody"),
        (b'{"vpnservice": {"router_id": NaN}}', "MalformedRequestBody"),
        (b"[]", "HTTPBadRequest"),
        (b"null", "HTTPBadRequest"),
        (b"{}", "HTTPBadRequest"),
        (b'{"vpnservice": null}', "HTTPBadRequest"),
        (b'{"vpnservice": []}', "HTTPBadRequest"),
        (b'{"vpnservice": {}}', "HTTPBadRequest"),
        (b'{"router_id": "r"}', "HTTPBadRequest"),
        (b'{"vpnservice": {"router_id": "r"}, "more": 1}', "HTTPBadRequest"),
    ],
)
async def test_a_body_that_is_no_request_is_refused(start: Start, body: bytes, kind: str) -> None:
    simulator, client = await start()

    async with client.post(PATH, data=body) as answer:
        said = await answer.json()

    assert answer.status == 400
    assert kind == said["NeutronError"]["type"]
    assert simulator.state.creates == 0


def refused_for(body: Any) -> str:
    """
    Why the body is refused; nothing if it is not.
    """
    try:
        checked_request(OTC, body)
    except RefusalError as refusal:
        return refusal.details["reason"]
    return ""


@settings(max_examples=200, deadline=None)
@given(body=st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=12))
def test_any_json_is_a_request_or_a_refusal(body: Any) -> None:
    for sent in (body, {"vpnservice": body}):
        reason = refused_for(sent)

        assert reason or sent["vpnservice"]["router_id"]


async def test_every_fault_of_a_request_is_named_at_once(start: Start) -> None:
    _, client = await start()

    async with client.post(PATH, json={"vpnservice": {"name": "", "colour": "red", "project_id": "p"}}) as answer:
        message = (await answer.json())["NeutronError"]["message"]

    assert message == (
        "Unrecognized attribute(s) 'colour'. Parameter project_id is not supported. "
        "Invalid input for router_id. Reason: it is mandatory. "
        "Invalid input for name. Reason: it must have at least 1 character(s)."
    )


@pytest.mark.parametrize(
    ("role", "tenant", "status"),
    [
        ("admin", {}, 201),
        ("internal_admin", {"tenant_id": "other"}, 201),
        ("op_service", {"tenant_id": "other"}, 201),
        ("vpn_adm", {}, 201),
        ("vpn_adm", {"tenant_id": "mine"}, 201),
        ("vpn_adm", {"tenant_id": "other"}, 403),
        ("member", {}, 403),
    ],
)
async def test_only_the_roles_named_may_choose_the_gateway_address(
    start: Start, role: str, tenant: dict[str, Any], status: int
) -> None:
    _, client = await start(role=role, tenant_id="mine")
    request = {"router_id": "r", "external_v4_ip": "192.0.2.7", **tenant}

    async with client.post(PATH, json={"vpnservice": request}) as answer:
        body = await answer.json()

    assert status == answer.status
    if status == 201:
        assert body["vpnservice"]["external_v4_ip"] == "192.0.2.7"
    else:
        assert body["NeutronError"]["type"] == "PolicyNotAuthorized"


async def test_any_role_may_create_without_choosing_the_address(start: Start) -> None:
    _, client = await start(role="member")

    async with client.post(PATH, json={"vpnservice": {"router_id": "r"}}) as answer:
        assert answer.status == 201
