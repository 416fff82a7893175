"""
Many services at once, and services that others take away.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.simulator.asking import PATH, HandClock
from worker.simulator import DIALECTS, Router, Simulator, SimulatorConfig
from worker.simulator.services import CloudState
from worker.simulator.users import DEFAULT_PROJECT_ID

Start = Callable[..., Awaitable[tuple[Simulator, ClientSession]]]
BATCHES = "/_simulator/services"


async def make(client: ClientSession, count: int, **wanted: object) -> list[str]:
    async with client.post(BATCHES, json={"count": count, **wanted}) as answer:
        assert 201 == answer.status
        return list((await answer.json())["ids"])


async def walked(client: ClientSession, query: str) -> list[dict[str, Any]]:
    """
    The services on all pages.
    """
    found: list[dict[str, Any]] = []
    url = f"{PATH}?{query}"
    while url:
        async with client.get(url) as answer:
            body = await answer.json()
        found += body["vpnservices"]
        (link,) = body.get("vpnservices_links", [{"href": ""}])
        url = link["href"]
    return found


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
async def test_a_batch_is_listed_like_any_other_services(start: Start, dialect: str) -> None:
    simulator, client = await start(dialect=dialect, page_limit=10)

    ids = await make(client, 25)
    found = await walked(client, "")

    assert ids == [service["id"] for service in found]
    assert set(DIALECTS[dialect].answer_fields) == set(found[0])
    assert 25 == len({service["router_id"] for service in found}) == len({service["name"] for service in found})
    assert {"PENDING_CREATE"} == {service["status"] for service in found}
    assert (0, {}) == (simulator.state.creates, dict(simulator.state.duplicates))
    assert 0 == simulator.state.calls["create"]


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
async def test_every_dialect_filters_a_list_by_tenant(start: Start, dialect: str) -> None:
    _, client = await start(dialect=dialect, page_limit=10)
    mine = await make(client, 15)
    theirs = await make(client, 15, tenant_id="p2")

    assert mine == [service["id"] for service in await walked(client, f"tenant_id={DEFAULT_PROJECT_ID}")]
    assert theirs == [service["id"] for service in await walked(client, "tenant_id=p2")]
    assert 30 == len(await walked(client, f"tenant_id=p2&tenant_id={DEFAULT_PROJECT_ID}"))
    assert [] == await walked(client, "tenant_id=p3")


async def test_a_batch_with_a_status_keeps_it_and_one_without_moves_on(start: Start) -> None:
    clock = HandClock()
    _, client = await start(clock=clock, settle_after_s=5)
    await make(client, 3, status="PENDING_CREATE")
    await make(client, 4)

    clock.now_s += 60

    assert {"PENDING_CREATE": 3, "ACTIVE": 4} == Counter(service["status"] for service in await walked(client, ""))


async def test_a_batch_needs_neither_quota_nor_known_routers(start: Start) -> None:
    simulator, client = await start(quota=1, routers=(Router("r"),))

    await make(client, 3)
    async with client.post(PATH, json={"vpnservice": {"router_id": "r"}}) as answer:
        status = answer.status

    assert 3 == len(simulator.state.services)
    assert 409 == status, "the batch counts against the quota of those who come after it"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{}", "count must be an integer of 1 to 100000."),
        (b'{"count": 0}', "count must be"),
        (b'{"count": 100001}', "count must be"),
        (b'{"count": true}', "count must be"),
        (b'{"count": 1.5}', "count must be"),
        (b'{"count": 1, "tenant_id": ""}', "tenant_id must be a text of 1 to 255 characters, or left out."),
        (b'{"count": 1, "tenant_id": 5}', "tenant_id must be"),
        (b'{"count": 1, "status": " "}', "status must be"),
        (b'{"count": 1, "name": "n"}', "no key but count, tenant_id, status"),
        (b"[]", "must be a JSON object"),
        (b"{", "not JSON"),
    ],
)
async def test_a_batch_that_cannot_be_understood_says_why(start: Start, body: bytes, said: str) -> None:
    simulator, client = await start()

    async with client.post(BATCHES, data=body) as answer:
        message = (await answer.json())["message"]

    assert 400 == answer.status
    assert said in message
    assert {} == simulator.state.services


@pytest.mark.parametrize("active_active", [False, True])
async def test_a_service_taken_away_is_not_found_any_more(start: Start, active_active: bool) -> None:
    simulator, client = await start(active_active=active_active)
    ids = await make(client, 3)

    async with client.delete(f"{BATCHES}/{ids[1]}") as answer:
        removed = answer.status
    async with client.delete(f"{BATCHES}/{ids[1]}") as answer:
        again = answer.status
    async with client.get(f"{PATH}/{ids[1]}") as answer:
        shown = answer.status

    assert (204, 404, 404) == (removed, again, shown)
    assert [ids[0], ids[2]] == [service["id"] for service in await walked(client, "")]
    assert 0 == simulator.state.calls["delete"]


async def test_a_service_on_its_journey_can_be_taken_away(start: Start) -> None:
    clock = HandClock()
    _, client = await start(clock=clock, journey=((1.0, "BUILD"), (2.0, "ACTIVE")))
    (service_id,) = await make(client, 1)

    clock.now_s += 1
    await client.delete(f"{BATCHES}/{service_id}")
    clock.now_s += 60

    assert [] == await walked(client, "")


async def test_the_last_page_of_many_costs_no_more_than_the_first() -> None:
    """
    A follower asks for all pages again and again; each must not walk over those before it.
    """
    state = CloudState(SimulatorConfig(seed=1), DIALECTS["otc"])
    state.create_many(10_000)

    def cpu_s(after_seq: int) -> float:
        began_s = time.process_time()
        for _ in range(300):
            assert 10 == len(list(islice(state.visible([], after_seq), 10)))
        return time.process_time() - began_s

    first_s = min(cpu_s(-1) for _ in range(3))
    last_s = min(cpu_s(9_989) for _ in range(3))

    assert last_s < 3 * first_s
