"""
Listing: filters, chosen fields and pages.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientSession

from worker.simulator import Simulator

Start = Callable[..., Awaitable[tuple[Simulator, ClientSession]]]
PATH = "/v2.0/vpn/vpnservices"


async def create(client: ClientSession, *names: str) -> None:
    for name in names:
        request = {"router_id": f"router-{name}", "name": name}
        async with client.post(PATH, json={"vpnservice": request}) as answer:
            assert answer.status == 201


async def listed(client: ClientSession, query: str) -> Any:
    async with client.get(f"{PATH}?{query}") as answer:
        assert answer.status == 200
        return await answer.json()


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["a", "b", "c"]),
        ("router_id=router-b", ["b"]),
        ("router_id=router-c&router_id=router-a", ["a", "c"]),
        ("router_id=none", []),
        ("name=c", ["c"]),
        ("name=c&router_id=router-a", []),
        ("status=PENDING_CREATE", ["a", "b", "c"]),
        ("status=ACTIVE", []),
        ("tenant_id=10039663455a446d8ba2cbb058b0f578", ["a", "b", "c"]),
        ("tenant_id=other", []),
        ("admin_state_up=true&subnet_id=", ["a", "b", "c"]),
        ("unheard_of=1", ["a", "b", "c"]),
        ("limit=0", ["a", "b", "c"]),
    ],
)
async def test_filters_choose_services(start: Start, query: str, names: list[str]) -> None:
    _, client = await start()
    await create(client, "a", "b", "c")

    body = await listed(client, query)

    assert names == [service["name"] for service in body["vpnservices"]]
    assert "vpnservices_links" not in body


async def test_a_service_is_found_by_its_id(start: Start) -> None:
    simulator, client = await start()
    await create(client, "a", "b")
    wanted = list(simulator.state.services)[1]

    body = await listed(client, f"id={wanted}")

    assert [wanted] == [service["id"] for service in body["vpnservices"]]


async def test_fields_choose_what_is_shown(start: Start) -> None:
    _, client = await start()
    await create(client, "a")

    body = await listed(client, "fields=name&fields=status")

    assert body["vpnservices"] == [{"status": "PENDING_CREATE", "name": "a"}]


async def test_pages_follow_their_links_to_the_end(start: Start) -> None:
    _, client = await start()
    await create(client, *"abcde")

    seen, url = [], f"{PATH}?limit=2&fields=name&status=PENDING_CREATE"
    while url:
        async with client.get(url) as answer:
            body = await answer.json()
        seen.append([service["name"] for service in body["vpnservices"]])
        (link,) = body.get("vpnservices_links", [{"rel": "next", "href": ""}])
        assert link["rel"] == "next"
        url = link["href"]

    assert seen == [["a", "b"], ["c", "d"], ["e"]]


async def test_a_full_last_page_leads_to_an_empty_one(start: Start) -> None:
    _, client = await start()
    await create(client, "a", "b")

    body = await listed(client, "limit=2")
    async with client.get(body["vpnservices_links"][0]["href"]) as answer:
        last = await answer.json()

    assert last == {"vpnservices": []}


async def test_pages_skip_what_was_deleted_between_them(start: Start) -> None:
    simulator, client = await start()
    await create(client, *"abcd")
    ids = list(simulator.state.services)

    await client.delete(f"{PATH}/{ids[2]}")
    body = await listed(client, f"limit=5&marker={ids[0]}")

    assert [ids[1], ids[3]] == [service["id"] for service in body["vpnservices"]]


@pytest.mark.parametrize("query", ["", "limit=100"])
async def test_the_cloud_can_cap_its_pages(start: Start, query: str) -> None:
    _, client = await start(page_limit=2)
    await create(client, *"abc")

    body = await listed(client, query)

    assert len(body["vpnservices"]) == 2
    assert "limit=2" in body["vpnservices_links"][0]["href"]


@pytest.mark.parametrize(
    ("query", "status"),
    [("limit=-1", 400), ("limit=two", 400), ("limit=", 400), ("project_id=p", 400), ("marker=unknown", 404)],
)
async def test_a_bad_query_is_refused(start: Start, query: str, status: int) -> None:
    _, client = await start()

    async with client.get(f"{PATH}?{query}") as answer:
        assert status == answer.status
        assert "NeutronError" in await answer.json()
