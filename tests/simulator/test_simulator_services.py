"""
What becomes of services with time, told by a clock in the test's hand.
"""

from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import ClientSession

from tests.simulator.asking import HandClock
from worker.simulator import Simulator

Start = Callable[..., Awaitable[tuple[Simulator, ClientSession]]]
PATH = "/v2.0/vpn/vpnservices"


async def create(client: ClientSession, router_id: str = "r") -> str:
    async with client.post(PATH, json={"vpnservice": {"router_id": router_id}}) as answer:
        return str((await answer.json())["vpnservice"]["id"])


async def status_of(client: ClientSession, service_id: str) -> str:
    async with client.get(f"{PATH}/{service_id}") as answer:
        return str((await answer.json())["vpnservice"]["status"])


async def test_a_service_settles_once_its_time_has_come(start: Start) -> None:
    clock = HandClock()
    _, client = await start(clock=clock, settle_after_s=5)
    service_id = await create(client)

    clock.now_s += 4.9
    before = await status_of(client, service_id)
    clock.now_s += 0.1

    assert before == "PENDING_CREATE"
    assert await status_of(client, service_id) == "ACTIVE"


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({"down_share": 1.0}, "DOWN"),
        ({"error_share": 1.0}, "ERROR"),
        ({"settle_after_s": None}, "PENDING_CREATE"),
    ],
)
async def test_how_a_service_settles_is_a_setting(start: Start, settings: dict[str, object], status: str) -> None:
    clock = HandClock()
    _, client = await start(clock=clock, **settings)
    service_id = await create(client)

    clock.now_s += 1e6

    assert status == await status_of(client, service_id)


async def test_shares_are_kept_and_repeat_with_the_seed(start: Start) -> None:
    runs = []
    for _ in range(2):
        clock = HandClock()
        simulator, client = await start(clock=clock, error_share=0.2, down_share=0.3, seed=7)
        for number in range(200):
            await create(client, f"r{number}")
        clock.now_s += 5
        simulator.state.advance()
        runs.append([(service.id, service.status) for service in simulator.state.services.values()])

    counts = Counter(status for _, status in runs[0])
    assert runs[0] == runs[1]
    assert 20 < counts["ERROR"] < 60
    assert 40 < counts["DOWN"] < 80


async def test_an_answer_shows_pending_even_when_settling_takes_no_time(start: Start) -> None:
    _, client = await start(settle_after_s=0, clock=HandClock())

    async with client.post(PATH, json={"vpnservice": {"router_id": "r"}}) as answer:
        body = await answer.json()

    assert body["vpnservice"]["status"] == "PENDING_CREATE"
    assert await status_of(client, body["vpnservice"]["id"]) == "ACTIVE"


async def test_a_service_set_by_hand_does_not_settle(start: Start) -> None:
    clock = HandClock()
    _, client = await start(clock=clock)
    service_id = await create(client)

    await client.post(f"/_simulator/services/{service_id}", json={"status": "FROZEN"})
    clock.now_s += 60

    assert await status_of(client, service_id) == "FROZEN"


async def test_a_deleted_service_does_not_come_back_when_it_would_settle(start: Start) -> None:
    clock = HandClock()
    simulator, client = await start(clock=clock)
    service_id = await create(client)

    await client.delete(f"{PATH}/{service_id}")
    clock.now_s += 60
    simulator.state.advance()

    assert simulator.state.services == {}


async def test_an_eventually_consistent_cloud_hides_what_is_new(start: Start) -> None:
    clock = HandClock()
    simulator, client = await start(clock=clock, visible_after_s=30)
    service_id = await create(client)

    clock.now_s += 29
    async with client.get(f"{PATH}/{service_id}") as answer:
        hidden = answer.status
    async with client.get(PATH) as answer:
        listed = await answer.json()
    clock.now_s += 1

    assert hidden == 404
    assert listed == {"vpnservices": []}
    assert service_id in simulator.state.services
    assert await status_of(client, service_id) == "ACTIVE"


async def test_a_late_commit_appears_at_its_time_and_not_before(start: Start) -> None:
    clock = HandClock()
    simulator, client = await start(clock=clock)
    simulator.state.faults.add({"fault": "late_commit", "after_s": 30})

    async with client.post(PATH, json={"vpnservice": {"router_id": "r"}}) as answer:
        status = answer.status
    clock.now_s += 29
    async with client.get(PATH) as answer:
        before = await answer.json()
    clock.now_s += 11
    async with client.get(PATH) as answer:
        (service,) = (await answer.json())["vpnservices"]

    assert status == 500
    assert before == {"vpnservices": []}
    assert service["created_at"] == "2020-09-13 12:27:10.000000"
    assert service["status"] == "ACTIVE"


async def test_a_late_commit_finds_its_vpc_taken(start: Start) -> None:
    clock = HandClock()
    simulator, client = await start(clock=clock)
    simulator.state.faults.add({"fault": "late_commit", "after_s": 30})

    await client.post(PATH, json={"vpnservice": {"router_id": "r"}})
    second = await create(client)
    clock.now_s += 30
    simulator.state.advance()

    assert [second] == list(simulator.state.services)


async def test_duplicates_are_counted_by_router_and_name(start: Start) -> None:
    simulator, client = await start(services_per_vpc=0)

    for router_id in ("a", "a", "a", "b"):
        await create(client, router_id)

    assert dict(simulator.state.duplicates) == {("a", ""): 2}
    assert simulator.state.creates == 4
