"""
Statuses that move by themselves along a journey, told by a clock in the test's hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.simulator.asking import PATH, HandClock
from worker.simulator import Simulator, SimulatorConfig, SimulatorError

Start = Callable[..., Awaitable[tuple[Simulator, ClientSession]]]
JOURNEY = ((1.0, "BUILD"), (3.0, "DOWN"), (6.0, "ACTIVE"))


async def create(client: ClientSession, router_id: str = "r") -> dict[str, Any]:
    async with client.post(PATH, json={"vpnservice": {"router_id": router_id}}) as answer:
        return dict((await answer.json())["vpnservice"])


async def listed(client: ClientSession, query: str = "") -> list[dict[str, Any]]:
    async with client.get(f"{PATH}?{query}") as answer:
        return list((await answer.json())["vpnservices"])


async def shown(client: ClientSession, service_id: str) -> dict[str, Any]:
    async with client.get(f"{PATH}/{service_id}") as answer:
        return dict((await answer.json())["vpnservice"])


async def test_a_list_shows_each_status_at_its_age(start: Start) -> None:
    clock = HandClock()
    _, client = await start(clock=clock, journey=JOURNEY)
    first = (await create(client))["status"]

    seen = []
    for _ in range(8):
        seen += [service["status"] for service in await listed(client)]
        clock.now_s += 1

    assert "PENDING_CREATE" == first
    assert ["PENDING_CREATE", "BUILD", "BUILD", "DOWN", "DOWN", "DOWN", "ACTIVE", "ACTIVE"] == seen


async def test_a_single_service_shows_what_the_list_shows(start: Start) -> None:
    clock = HandClock()
    _, client = await start(clock=clock, journey=JOURNEY)
    service_id = (await create(client))["id"]

    for age_s, status in JOURNEY:
        clock.now_s = 1_600_000_000.0 + age_s - 0.001
        assert status != (await shown(client, service_id))["status"]
        clock.now_s = 1_600_000_000.0 + age_s
        assert status == (await shown(client, service_id))["status"]


async def test_statuses_nobody_looked_at_are_passed_over(start: Start) -> None:
    clock = HandClock()
    _, client = await start(clock=clock, journey=JOURNEY)
    await create(client)

    clock.now_s += 3600

    assert ["ACTIVE"] == [service["status"] for service in await listed(client)]


async def test_a_list_filters_by_the_status_of_the_moment(start: Start) -> None:
    clock = HandClock()
    _, client = await start(clock=clock, journey=JOURNEY)
    await create(client, "old")
    clock.now_s += 2
    await create(client, "new")
    clock.now_s += 1

    assert ["old"] == [service["router_id"] for service in await listed(client, "status=DOWN")]
    assert ["new"] == [service["router_id"] for service in await listed(client, "status=BUILD")]


@pytest.mark.parametrize("moment_s", [0, 2])
async def test_a_status_set_by_hand_ends_the_journey(start: Start, moment_s: float) -> None:
    clock = HandClock()
    _, client = await start(clock=clock, journey=JOURNEY)
    service_id = (await create(client))["id"]

    clock.now_s += moment_s
    await client.post(f"/_simulator/services/{service_id}", json={"status": "PENDING_DELETE"})
    clock.now_s += 60

    assert "PENDING_DELETE" == (await shown(client, service_id))["status"]


async def test_a_spread_keeps_thousands_from_moving_in_one_instant(start: Start) -> None:
    clock = HandClock()
    simulator, client = await start(clock=clock, journey=((1.0, "BUILD"), (3.0, "ACTIVE")), journey_spread_s=10, seed=7)
    simulator.state.create_many(1000)

    seen = []
    for now_s in (0.9, 3.5, 8.5, 13.0):
        clock.now_s = 1_600_000_000.0 + now_s
        seen.append(Counter(service["status"] for service in await listed(client)))

    assert {"PENDING_CREATE": 1000} == seen[0]
    # Set out by then are those with less than 2.5 of 10 s of delay, a quarter; arrived are those with less than 0.5.
    assert 200 < seen[1]["BUILD"] + seen[1]["ACTIVE"] < 300
    assert 20 < seen[1]["ACTIVE"] < 90
    assert 480 < seen[2]["ACTIVE"] < 620
    assert {"ACTIVE": 1000} == seen[3]


async def test_the_spread_repeats_with_the_seed(start: Start) -> None:
    runs = []
    for _ in range(2):
        clock = HandClock()
        simulator, _ = await start(clock=clock, journey=JOURNEY, journey_spread_s=10, seed=7)
        simulator.state.create_many(100)
        clock.now_s += 6
        simulator.state.advance()
        runs.append([(service.id, service.status) for service in simulator.state.services.values()])

    assert runs[0] == runs[1]
    assert 1 < len({status for _, status in runs[0]})


async def test_a_late_commit_travels_from_its_own_birth(start: Start) -> None:
    clock = HandClock()
    simulator, client = await start(clock=clock, journey=JOURNEY)
    simulator.state.faults.add({"fault": "late_commit", "after_s": 30})
    await client.post(PATH, json={"vpnservice": {"router_id": "r"}})

    clock.now_s += 33

    assert ["DOWN"] == [service["status"] for service in await listed(client)]


async def test_a_fault_finds_a_service_by_the_status_of_the_moment(start: Start) -> None:
    clock = HandClock()
    simulator, client = await start(clock=clock, journey=JOURNEY)
    service_id = (await create(client))["id"]
    simulator.state.faults.add({"fault": "error_500", "on": "show", "match": {"status": "DOWN"}})

    clock.now_s += 3
    async with client.get(f"{PATH}/{service_id}") as answer:
        assert 500 == answer.status


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"journey": ((3.0, "DOWN"), (1.0, "ACTIVE"))}, "The ages of the journey must rise."),
        ({"journey": ((3.0, "DOWN"), (3.0, "ACTIVE"))}, "The ages of the journey must rise."),
        ({"journey": ((-1.0, "DOWN"),)}, "The ages of the journey must be 0 s or more."),
        ({"journey": ((float("inf"), "DOWN"),)}, "The ages of the journey must be 0 s or more."),
        ({"journey": ((float("nan"), "DOWN"),)}, "The ages of the journey must be 0 s or more."),
        ({"journey": ((1.0, " "),)}, "Every status of the journey must have a name."),
        ({"journey": JOURNEY, "journey_spread_s": -1}, "The spread of the journey must be 0 s or more."),
        ({"journey_spread_s": 1}, "A spread needs a journey."),
        ({"journey": JOURNEY, "down_share": 0.1}, "A journey says itself how it ends; leave out the shares"),
    ],
)
def test_a_journey_that_cannot_be_made_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SimulatorError) as caught:
        SimulatorConfig(**settings)

    assert str(caught.value).startswith(said)
