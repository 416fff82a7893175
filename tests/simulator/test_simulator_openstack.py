"""
The dialect of a real Neutron: what it shows, what it refuses, in which order and in which words.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.simulator.asking import PATH, ROUTER_ID, token_of
from worker.simulator import Router, Simulator, User

Start = Callable[..., Awaitable[tuple[Simulator, ClientSession]]]
# cloud-api.md, The `openstack` dialect: the fields of an answer.
FIELDS = [
    "id",
    "name",
    "description",
    "project_id",
    "tenant_id",
    "subnet_id",
    "router_id",
    "flavor_id",
    "admin_state_up",
    "external_v4_ip",
    "external_v6_ip",
    "status",
]
OTHER_ID = "0f1e2d3c-4b5a-4697-8899-aabbccddeeff"


async def create(client: ClientSession, headers: dict[str, str] | None = None, **attributes: object) -> tuple[int, Any]:
    request = {"router_id": ROUTER_ID, **attributes}
    async with client.post(PATH, json={"vpnservice": request}, headers=headers or {}) as answer:
        return answer.status, await answer.json()


async def test_a_service_is_shown_as_neutron_shows_it(start: Start) -> None:
    _, client = await start(dialect="openstack", tenant_id="mine")

    async with client.post(PATH, json={"vpnservice": {"router_id": ROUTER_ID, "name": ""}}) as answer:
        service = (await answer.json())["vpnservice"]

    assert 201 == answer.status
    assert FIELDS == list(service)
    assert ("mine", "mine", None, "PENDING_CREATE") == (
        service["tenant_id"],
        service["project_id"],
        service["flavor_id"],
        service["status"],
    )
    assert answer.headers["x-openstack-request-id"].startswith("req-")
    assert {"X-Request-Id", "Location", "Retry-After"}.isdisjoint(answer.headers)


@pytest.mark.parametrize(
    "attributes",
    [
        {"name": "n" * 255},
        {"name": ""},
        {"description": "d" * 255},
        {"subnet_id": OTHER_ID},
        {"subnet_id": None},
        {"subnet_id": OTHER_ID.upper()},
        {"flavor_id": OTHER_ID},
        {"flavor_id": None},
    ],
)
async def test_neutrons_limits_from_within(start: Start, attributes: dict[str, Any]) -> None:
    _, client = await start(dialect="openstack")

    status, body = await create(client, **attributes)

    assert 201 == status
    assert attributes == {name: body["vpnservice"][name] for name in attributes}


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"name": "n" * 256}, "name"),
        ({"router_id": "r"}, "'r' is not a valid UUID"),
        ({"router_id": ""}, "is not a valid UUID"),
        ({"subnet_id": "s"}, "'s' is not a valid UUID"),
        ({"order_id": "o"}, "Unrecognized attribute(s) 'order_id'"),
        ({"product_id": "p"}, "Unrecognized attribute(s) 'product_id'"),
        ({"prepay_connection_num": 1}, "Unrecognized attribute(s) 'prepay_connection_num'"),
        ({"resource_speccode": "r"}, "Unrecognized attribute(s) 'resource_speccode'"),
        ({"external_v4_ip": "192.0.2.7"}, "Attribute 'external_v4_ip' not allowed in POST"),
        ({"status": "ACTIVE"}, "Attribute 'status' not allowed in POST"),
        ({"tenant_id": "other"}, "other than the authenticated project"),
        ({"admin_state_up": False}, "admin_state_up"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_what_neutron_does_not_take(start: Start, attributes: dict[str, Any], said: str) -> None:
    simulator, client = await start(dialect="openstack")

    status, body = await create(client, **attributes)

    assert 400 == status
    assert "HTTPBadRequest" == body["NeutronError"]["type"]
    assert said in body["NeutronError"]["message"]
    assert {} == simulator.state.services


async def test_a_router_takes_as_many_services_as_are_asked_for(start: Start) -> None:
    simulator, client = await start(dialect="openstack")

    statuses = [(await create(client, name="same"))[0] for _ in range(5)]

    assert [201] * 5 == statuses
    assert 4 == simulator.state.duplicates[ROUTER_ID, "same"]


async def test_checks_come_in_neutrons_order(start: Start) -> None:
    """
    Token, body, quota, router, subnet: each call is wrong in everything that is not mended yet.
    """
    user = User("ann", "secret", project_id="p1")
    whole = Router(ROUTER_ID, subnet_ids=frozenset())
    closed = Router(OTHER_ID, has_gateway=False)
    simulator, client = await start(dialect="openstack", users=(user,), routers=(whole, closed), quota=1)
    simulator.state.create({"router_id": ROUTER_ID}, "p1")
    headers = {"X-Auth-Token": await token_of(client, "ann", "secret", "p1")}
    nowhere: dict[str, Any] = {"router_id": "99999999-8888-4777-8666-555555555555", "subnet_id": OTHER_ID}

    no_token = await create(client, order_id="o", **nowhere)
    bad_body = await create(client, headers, order_id="o", **nowhere)
    no_quota = await create(client, headers, **nowhere)
    simulator.state.delete(next(iter(simulator.state.services)))
    no_router = await create(client, headers, **nowhere)
    no_gateway = await create(client, headers, router_id=OTHER_ID, subnet_id=OTHER_ID)
    no_subnet = await create(client, headers, subnet_id=OTHER_ID)
    right = await create(client, headers)

    assert (401, "Unauthorized") == (no_token[0], no_token[1]["error"]["title"])
    assert [
        (400, "HTTPBadRequest"),
        (409, "OverQuota"),
        (404, "RouterNotFound"),
        (400, "RouterIsNotExternal"),
        (400, "SubnetIsNotConnectedToRouter"),
    ] == [
        (status, body["NeutronError"]["type"])
        for status, body in (bad_body, no_quota, no_router, no_gateway, no_subnet)
    ]
    assert 201 == right[0]


async def test_a_missing_token_is_refused_as_keystone_does(start: Start) -> None:
    simulator, client = await start(dialect="openstack", token="right")

    for path in (PATH, "/nowhere"):
        async with client.get(path) as answer:
            body = await answer.json()
            assert 401 == answer.status
            assert f'Keystone uri="{simulator.url}/v3"' == answer.headers["WWW-Authenticate"]
            assert {"code", "message", "title"} == set(body["error"])


@pytest.mark.parametrize(
    ("data", "kind"), [(b"{", "MalformedRequestBody"), (b"[]", "HTTPBadRequest"), (b'{"x": {}}', "HTTPBadRequest")]
)
async def test_a_body_that_is_none(start: Start, data: bytes, kind: str) -> None:
    _, client = await start(dialect="openstack")

    async with client.post(PATH, data=data) as answer:
        assert (400, kind) == (answer.status, (await answer.json())["NeutronError"]["type"])


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 200), ("project_id=p&name=n", 200), ("fields=id&sort_key=id", 200), ("colour=red", 400), ("order_id=o", 400)],
)
async def test_an_unknown_filter_is_refused(start: Start, query: str, status: int) -> None:
    _, client = await start(dialect="openstack")

    async with client.get(f"{PATH}?{query}") as answer:
        assert status == answer.status


async def test_a_full_last_page_leads_to_an_empty_one(start: Start) -> None:
    _, client = await start(dialect="openstack")
    for _ in range(4):
        await create(client)

    sizes, url = [], f"{PATH}?limit=2"
    while url:
        async with client.get(url) as answer:
            body = await answer.json()
        sizes.append(len(body["vpnservices"]))
        (link,) = body.get("vpnservices_links", [{"href": ""}])
        url = link["href"]

    assert [2, 2, 0] == sizes


async def test_a_delete_is_done_at_once_and_then_unknown(start: Start) -> None:
    simulator, client = await start(dialect="openstack")
    service_id = simulator.state.create({"router_id": ROUTER_ID}).id

    statuses = []
    for _ in range(2):
        async with client.delete(f"{PATH}/{service_id}") as answer:
            statuses.append(answer.status)

    assert [204, 404] == statuses


@pytest.mark.parametrize(
    ("fault", "status", "content_type", "said"),
    [
        ("error_500", 500, "application/json", "HTTPInternalServerError"),
        ("html_500", 500, "text/html", "<html>"),
        ("error_503", 503, "text/plain", "Keystone service is temporarily unavailable"),
    ],
)
async def test_troubles_look_as_they_do_there(
    start: Start, fault: str, status: int, content_type: str, said: str
) -> None:
    _, client = await start(dialect="openstack", faults=(f"{fault}:1",))

    async with client.post(PATH, json={}) as answer:
        text = await answer.text()

    assert (status, content_type) == (answer.status, answer.content_type)
    assert said in text
