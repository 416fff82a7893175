"""
Workers that are killed while they follow services: whoever lives tells every change, each once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.test_following import CHANGED, PENDING, QUICK, changes, finals, orders, steps

if TYPE_CHECKING:
    from tests.e2e.conftest import StartCloud, StartWorker
    from tests.e2e.shop import Message, Shop

#: Leases that end soon, and little looking for what was killed on its way.
PATIENCE = {"lease_s": 10, "api_timeout_s": 5, "stranger_window_s": 1, "reconcile_window_s": 1}


@pytest.mark.long
@pytest.mark.parametrize(("ledger", "count"), [("sqlite", 2000), ("postgres", 500)])
async def test_thousands_are_followed_and_every_change_is_told_once_whoever_is_killed(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker, postgres_url: str, ledger: str, count: int
) -> None:
    first_s = 3 + count / 500  # about when the last of them is created
    journey = ((first_s, "BUILD"), (first_s + 2, "DOWN"), (first_s + 4, "ACTIVE"))
    cloud = await start_cloud(services_per_vpc=0, page_limit=100, journey=journey, journey_spread_s=2, seed=1)
    settings: dict[str, object] = {"follow": "active", **PATIENCE, **QUICK}
    if ledger == "postgres":
        settings["ledger_url"] = postgres_url
    first, second = [await start_worker(cloud.url, **settings) for _ in range(2)]
    await shop.publish(*orders(count))
    # In the middle of telling: some services have moved, most have not.
    await shop.outcomes(count, 40)
    await shop.until(lambda told: len(changes(told)) >= count // 4, 40)
    holder = (
        first if len(first.logged("service.status_changed")) > len(second.logged("service.status_changed")) else second
    )
    other = second if holder is first else first
    await holder.child.kill()
    assert finals(shop.told) < count

    told = await shop.until(lambda told: finals(told) == count, 60)
    assert 0 == await other.child.stop()
    assert count == len(cloud.state.services)
    for events in steps(told).values():
        check_path(events)
    ids = [message.headers["ce-id"] for message in told if message.type == CHANGED]
    assert len(set(ids)) == sum(len(events) for events in changes(told).values())
    assert len(ids) - len(set(ids)) <= 200  # what was told at the moment of the kill, a page or two
    assert [] == other.mistakes()


def check_path(events: list[tuple[str, str, bool]]) -> None:
    """
    Statuses in the order of the cloud, none twice, the last one final and no other.
    """
    order_of = [PENDING, "BUILD", "DOWN", "ACTIVE"]
    statuses = [order_of.index(status) for _, status, _ in events]

    assert sorted(set(statuses)) == statuses
    assert all(order_of.index(before) < order_of.index(status) for before, status, _ in events)
    assert [False] * (len(events) - 1) + [True] == [is_final for _, _, is_final in events]
    assert "ACTIVE" == events[-1][1]


async def test_a_service_is_told_as_created_before_its_status_is_even_when_the_worker_dies_in_between(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker
) -> None:
    cloud = await start_cloud(services_per_vpc=0, latency_ms=100, journey=((0.2, "BUILD"), (0.6, "ACTIVE")))
    first = await start_worker(cloud.url, follow="active", **PATIENCE, **QUICK)
    await shop.publish(*orders(80))
    await shop.until(lambda told: len(told) >= 20)
    await first.child.kill()
    await start_worker(cloud.url, follow="active", **PATIENCE, **QUICK)

    # Every request that was not at its end when it was created; some are found by a look-up, ACTIVE already.
    def is_complete(told: list[Message]) -> bool:
        created = {message.data["request_id"]: message.data["status"] for message in told if message.is_outcome}
        done = {request for request, events in changes(told).items() if events[-1]["is_final"]}
        return len(created) == 80 and all(status == "ACTIVE" or name in done for name, status in created.items())

    told = await shop.until(is_complete, 40)
    known = set()
    for message in told:
        if message.is_outcome:
            known.add(message.data["request_id"])
        else:
            assert message.data["request_id"] in known
