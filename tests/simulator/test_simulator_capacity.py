"""
What a cloud can take: a rate, a number of creates at once, a line before them, and a quota.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.simulator.asking import PATH, ROUTER_ID, HandClock, status_with, token_of
from worker.simulator import Router, Simulator, SimulatorConfig, SimulatorError, User

Start = Callable[..., Awaitable[tuple[Simulator, ClientSession]]]


async def create(client: ClientSession, router_id: str = ROUTER_ID, **attributes: object) -> tuple[int, str, str]:
    async with client.post(PATH, json={"vpnservice": {"router_id": router_id, **attributes}}) as answer:
        return answer.status, answer.headers.get("Retry-After", ""), await answer.text()


async def test_only_so_many_creates_are_worked_on_at_once(start: Start) -> None:
    simulator, client = await start(capacity=2, latency_ms=20)
    loop = asyncio.get_running_loop()

    begin_s = loop.time()
    answers = await asyncio.gather(*(create(client, f"r{number}") for number in range(10)))

    # Ten creates, two at a time: five rounds of 20 ms, however many ask at once.
    assert loop.time() - begin_s >= 0.1
    assert {201} == {status for status, _, _ in answers}
    assert (2, 8) == (simulator.state.peak_working, simulator.state.peak_waiting)


async def test_the_first_come_is_the_first_served(start: Start) -> None:
    simulator, client = await start(capacity=1, latency_ms=10)
    calls: list[asyncio.Task[tuple[int, str, str]]] = []
    for number in range(5):
        calls.append(asyncio.create_task(create(client, f"r{number}")))
        await simulator.until(lambda state: state.calls["create"] == len(calls))
    await asyncio.gather(*calls)

    routers = [service.attributes["router_id"] for service in simulator.state.services.values()]
    assert [f"r{number}" for number in range(5)] == routers


@pytest.mark.parametrize(("queue_limit", "made"), [(0, 2), (3, 5), (None, 10)])
async def test_beyond_the_line_a_create_is_sent_away_and_makes_nothing(
    start: Start, queue_limit: int | None, made: int
) -> None:
    simulator, client = await start(capacity=2, queue_limit=queue_limit, latency_ms=300)

    answers = await asyncio.gather(*(create(client, f"r{number}") for number in range(10)))

    wanted = Counter({(201, ""): made, (429, "1"): 10 - made})
    assert +wanted == Counter((status, retry_after) for status, retry_after, _ in answers)
    assert made == len(simulator.state.services)
    assert min(8, 10 if queue_limit is None else queue_limit) == simulator.state.peak_waiting


async def test_other_calls_do_not_stand_in_line(start: Start) -> None:
    simulator, client = await start(capacity=1, queue_limit=0, latency_ms=100)
    creating = asyncio.create_task(create(client))
    await simulator.until(lambda state: state.peak_working == 1)

    async with client.get(PATH) as answer:
        assert 200 == answer.status
    assert 201 == (await creating)[0]


async def test_the_end_does_not_wait_for_the_line(start: Start) -> None:
    simulator, client = await start(capacity=1, latency_ms=60_000)
    calls = [asyncio.create_task(create(client, f"r{number}")) for number in range(3)]
    await simulator.until(lambda state: state.calls["create"] == 3)

    async with asyncio.timeout(3):
        await simulator.close()

    await asyncio.gather(*calls, return_exceptions=True)


async def test_a_rate_is_kept_and_says_when_to_come_back(start: Start) -> None:
    clock = HandClock()
    simulator, client = await start(per_second=2, clock=clock)

    first = [(await create(client, f"a{number}"))[:2] for number in range(3)]
    clock.now_s += 0.5
    then = [(await create(client, f"b{number}"))[:2] for number in range(2)]
    clock.now_s += 60
    at_last = [(await create(client, f"c{number}"))[0] for number in range(3)]

    assert [(201, ""), (201, ""), (429, "1")] == first
    assert [(201, ""), (429, "1")] == then
    # A quiet minute saves up one second's worth, no more.
    assert [201, 201, 429] == at_last
    assert 5 == simulator.state.creates


async def test_a_slow_rate_asks_for_as_long_as_it_takes(start: Start) -> None:
    _, client = await start(per_second=0.1, clock=HandClock())

    assert [(201, ""), (429, "10")] == [(await create(client, router_id))[:2] for router_id in ("a", "b")]


async def test_a_rate_counts_every_call_of_the_cloud(start: Start) -> None:
    _, client = await start(per_second=1, clock=HandClock())

    assert 201 == (await create(client))[0]
    async with client.get(PATH) as answer:
        assert 429 == answer.status


async def test_a_rate_does_not_count_logins(start: Start) -> None:
    _, client = await start(per_second=1, clock=HandClock(), users=(User("ann", "secret", project_id="p1"),))

    tokens = [await token_of(client, "ann", "secret", "p1") for _ in range(3)]

    assert [200, 429] == [await status_with(client, token) for token in tokens[:2]]


@pytest.mark.parametrize(
    ("dialect", "status", "said"),
    [("otc", 409, "OverQuota"), ("huawei", 400, "VPN.0803"), ("openstack", 409, "OverQuota")],
)
async def test_a_quota_is_refused_in_the_dialects_words(start: Start, dialect: str, status: int, said: str) -> None:
    simulator, client = await start(quota=1, dialect=dialect, services_per_vpc=0)

    first = await create(client)
    beyond = await create(client)
    await client.delete(f"{PATH}/{next(iter(simulator.state.services))}")
    again = await create(client)

    assert (201, status, 201) == (first[0], beyond[0], again[0])
    assert said in beyond[2]


async def test_every_project_has_a_quota_of_its_own(start: Start) -> None:
    _, client = await start(quota=1, role="admin")

    statuses = [(await create(client, f"r{number}", tenant_id=f"p{number // 2}"))[0] for number in range(4)]

    assert [201, 409, 201, 409] == statuses


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"quota": -1}, "The quota"),
        ({"per_second": 0}, "The calls per second"),
        ({"capacity": 0}, "The capacity"),
        ({"queue_limit": -1}, "The queue limit"),
        ({"token_ttl_s": 0}, "The life of a token"),
        ({"login_ms": -1}, "The wait before a login"),
        ({"bad_token_status": 404}, "The status for a bad token"),
    ],
)
def test_limits_out_of_range_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SimulatorError, match=said):
        SimulatorConfig(**settings)


ROUTERS = (
    Router("whole", subnet_ids=frozenset({"s1"})),
    Router("closed", has_gateway=False),
    Router("theirs", project_id="other"),
)


@pytest.mark.parametrize(
    ("router_id", "attributes", "status", "said"),
    [
        ("whole", {}, 201, "whole"),
        ("whole", {"subnet_id": None}, 201, "whole"),
        ("whole", {"subnet_id": "s1"}, 201, "whole"),
        ("whole", {"subnet_id": "s2"}, 400, "SubnetIsNotConnectedToRouter"),
        ("closed", {}, 400, "RouterIsNotExternal"),
        ("theirs", {}, 404, "RouterNotFound"),
        ("nowhere", {}, 404, "RouterNotFound"),
    ],
)
async def test_a_router_must_be_there_and_fit(
    start: Start, router_id: str, attributes: dict[str, Any], status: int, said: str
) -> None:
    _, client = await start(routers=ROUTERS, tenant_id="mine")

    answer = await create(client, router_id, **attributes)

    assert status == answer[0]
    assert said in answer[2]
