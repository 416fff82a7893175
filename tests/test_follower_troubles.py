"""
The follower in bad weather: clouds, brokers and ledgers that fail it harm nobody but those they fail.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.following import (
    LEASE_S,
    PENDING,
    FollowWorld,
    OddCloud,
    broken,
    calls,
    in_follow_world,
    is_in,
    page_a_service,
)
from worker.core.answers import Misconfigured, Throttled, Trouble
from worker.core.following import FollowPolicy
from worker.core.job import RequestKey
from worker.errors import LedgerError
from worker.gate import Gate
from worker.ports import Page, PageAnswer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class TestTroubles:
    def test_a_429_shuts_the_gate_for_all_and_the_round_goes_on_after_it(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            (service_id,) = await world.follow()
            world.cloud.state.faults.add({"fault": "throttle", "on": "list", "retry_after": 40})
            made = await world.follower()
            with made.running():
                await asyncio.sleep(20)
                was_open = made.gate.is_open
                await asyncio.sleep(60)

            assert not was_open
            assert [("ACTIVE", PENDING, True)] == world.exchange.of(service_id)

        in_follow_world(tmp_path, play, settle_after_s=2)

    def test_an_outage_is_waited_out_also_past_the_deadline(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            (service_id,) = await world.follow()
            world.cloud.state.faults.add({"fault": "error_503", "on": "list", "times": None})
            with (await world.follower()).running():
                await asyncio.sleep(200)
                told = list(world.exchange.messages)
                world.cloud.state.faults.clear()
                await asyncio.sleep(400)

            assert [] == told
            assert [("ACTIVE", PENDING, True)] == world.exchange.of(service_id)

        in_follow_world(tmp_path, play, FollowPolicy(deadline_s=120), settle_after_s=30)

    def test_an_outage_without_end_is_not_waited_out_for_ever(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            (service_id,) = await world.follow()
            world.cloud.state.faults.add({"fault": "error_503", "on": "list", "times": None})
            with (await world.follower()).running():
                await asyncio.sleep(120 * 2 + 310)

            (event,) = world.exchange.told().values()
            assert [(PENDING, PENDING, True)] == world.exchange.of(service_id)
            assert event.deadline_reached

        in_follow_world(tmp_path, play, FollowPolicy(deadline_s=120), settle_after_s=30)

    def test_a_failing_page_is_asked_for_again_before_the_round_is_given_up(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            ids = await world.follow(250)
            world.cloud.state.faults.add({"fault": "error_503", "on": "list", "share": 0.3})
            with (await world.follower()).running():
                await asyncio.sleep(200)

            assert {key: [("ACTIVE", PENDING, True)] for key in ids} == world.exchange.by_request()

        in_follow_world(tmp_path, play, settle_after_s=2, page_limit=100, seed=1)

    def test_one_service_that_cannot_be_shown_does_not_hold_up_the_others(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            ids = await world.follow(3)
            cloud = OddCloud(show=lambda one: broken() if one == ids[0] else is_in("ACTIVE")(one))
            with (await world.follower(cloud=cloud)).running():
                await asyncio.sleep(60)

            assert [0, 1, 1] == [len(world.exchange.of(service)) for service in ids]

        in_follow_world(tmp_path, play)

    def test_pages_that_lead_in_a_circle_end_the_round(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            await world.follow()
            await asyncio.sleep(10)
            cloud = OddCloud(lambda _, after: Page((), "b" if after == "a" else "a"))
            made = await world.follower(cloud=cloud)
            await made.follower.make_due()

            assert [None, "a", "b"] == [after for _, after in cloud.pages]

        in_follow_world(tmp_path, play)

    def test_an_endless_list_ends_and_what_it_was_silent_about_is_asked_for_one_by_one(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            (lost,), (well,) = [await world.follow(tenant_id=tenant) for tenant in ("t-1", "t-2")]
            await asyncio.sleep(10)
            cloud = OddCloud(
                lambda tenant, after: Page((), str(int(after or 0) + 1)) if tenant == "t-1" else Page(()),
                is_in("ACTIVE"),
            )
            await (await world.follower(cloud=cloud)).follower.make_due()
            failures = {tour.tenant_id: tour.failures for tour in await world.follows.rounds(world.now)}

            assert 2000 + 1 == len(cloud.pages)
            assert [("ACTIVE", PENDING, True)] == world.exchange.of(lost) == world.exchange.of(well)
            assert {} == failures

        in_follow_world(tmp_path, play)

    def test_an_endless_list_that_fails_is_asked_for_less_often(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            await world.follow()
            await asyncio.sleep(10)
            cloud = OddCloud(lambda _, __: Page((), "again"), is_in(PENDING))
            await (await world.follower(cloud=cloud)).follower.make_due()
            (tour,) = await world.follows.rounds(world.now)

            assert 1 == tour.failures

        in_follow_world(tmp_path, play)

    def test_a_page_that_fails_at_once_is_asked_for_again_in_the_same_round(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            (service_id,) = await world.follow()
            await asyncio.sleep(10)
            answers: list[PageAnswer] = [broken(), broken(), Page((is_in("ACTIVE")(service_id),))]
            cloud = OddCloud(lambda _, __: answers[len(cloud.pages) - 1])
            await (await world.follower(cloud=cloud)).follower.make_due()

            assert 3 == len(cloud.pages)
            assert [("ACTIVE", PENDING, True)] == world.exchange.of(service_id)

        in_follow_world(tmp_path, play)

    def test_after_a_failed_round_a_page_is_asked_for_once(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            await world.follow()
            await asyncio.sleep(10)
            cloud = OddCloud(lambda _, __: broken())
            made = await world.follower(cloud=cloud)
            asked = []
            for is_ailing in (False, True):
                await made.follower.make_due(is_ailing=is_ailing)
                asked.append(len(cloud.pages))
                await asyncio.sleep(60)

            assert [3, 4] == asked

        in_follow_world(tmp_path, play)

    def test_a_clock_that_is_set_back_an_hour_does_not_stop_the_rounds(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            (service_id,) = await world.follow()
            made = await world.follower()
            with made.running():
                await asyncio.sleep(90)
                made.clock.ahead_s = -3600
                await asyncio.sleep(world.policy.most_interval_s)

            assert [("ACTIVE", PENDING, True)] == world.exchange.of(service_id)

        in_follow_world(tmp_path, play, settle_after_s=100)


class TestUnshown:
    def test_services_in_a_row_that_cannot_be_shown_do_not_hide_the_others(self, tmp_path: Path) -> None:
        """
        What was seen before them is told, and luck begins elsewhere the next time.
        """

        async def play(world: FollowWorld) -> None:
            ids = sorted(await world.follow(10))
            cloud = OddCloud(show=lambda one: broken() if one in ids[2:8] else is_in("ACTIVE")(one))
            with (await world.follower(cloud=cloud, seed=1)).running():
                await asyncio.sleep(1800)

            told = [service_id for service_id in ids if world.exchange.of(service_id)]

            assert ids[:2] + ids[8:] == told

        in_follow_world(tmp_path, play)

    def test_what_was_seen_before_those_that_cannot_be_shown_is_told_in_the_same_round(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            ids = sorted(await world.follow(10))
            await asyncio.sleep(10)
            cloud = OddCloud(show=lambda one: is_in("ACTIVE")(one) if one in ids[:3] else broken())
            await (await world.follower(cloud=cloud)).follower.make_due()

            assert ids[:8] == cloud.shown
            assert set(ids[:3]) == set(world.exchange.by_request())

        in_follow_world(tmp_path, play)

    def test_what_was_seen_before_the_cloud_asks_for_calm_is_told(self, tmp_path: Path) -> None:
        """
        A cloud that never bears as many calls as there are services to ask for would hide them for ever.
        """

        async def play(world: FollowWorld) -> None:
            ids = sorted(await world.follow(10))
            await asyncio.sleep(10)
            calm = Throttled(Trouble("throttled", "429", 429), LEASE_S)
            cloud = OddCloud(show=lambda one: is_in("ACTIVE")(one) if one in ids[:3] else calm)
            await (await world.follower(cloud=cloud)).follower.make_due()

            assert ids[:4] == cloud.shown
            assert set(ids[:3]) == set(world.exchange.by_request())

        in_follow_world(tmp_path, play)


def shut_by_the_switch(gate: Gate) -> None:
    gate.heed_create(RequestKey("/shop", "order-1"), Misconfigured(Trouble("credentials_refused", "who?", 401)))


def shut_by_a_pause(gate: Gate) -> None:
    gate.heed_throttled(Throttled(Trouble("throttled", "429", 429), 7200.0))


@pytest.mark.parametrize("shut", [shut_by_the_switch, shut_by_a_pause])
class TestShutGate:
    def test_a_round_ends_without_a_call_within_its_lease_and_not_well(
        self, tmp_path: Path, shut: Callable[[Gate], None]
    ) -> None:
        async def play(world: FollowWorld) -> None:
            await world.follow()
            await asyncio.sleep(10)
            made = await world.follower()
            shut(made.gate)
            began_s = world.loop.time()
            await made.follower.make_due()
            (tour,) = await world.follows.rounds(world.now)

            assert world.loop.time() - began_s < LEASE_S
            assert {} == calls(world)
            assert 1 == tour.failures

        in_follow_world(tmp_path, play)

    def test_deadlines_are_told_after_twice_their_time(self, tmp_path: Path, shut: Callable[[Gate], None]) -> None:
        async def play(world: FollowWorld) -> None:
            (service_id,) = await world.follow()
            made = await world.follower()
            shut(made.gate)
            with made.running():
                await asyncio.sleep(2 * 120 - 1)
                early = list(world.exchange.messages)
                await asyncio.sleep(1 + world.policy.most_interval_s + LEASE_S)

            (event,) = world.exchange.told().values()
            assert [] == early
            assert (service_id, True) == (event.request_id, event.deadline_reached)
            assert {} == calls(world)

        in_follow_world(tmp_path, play, FollowPolicy(deadline_s=120, most_interval_s=60), settle_after_s=30)


@pytest.mark.parametrize("call", ["rounds", "take", "of_services", "next_ids", "note", "finish"])
def test_a_ledger_that_refuses_once_delays_and_ends_nothing(tmp_path: Path, call: str) -> None:
    async def play(world: FollowWorld) -> None:
        listed, silent = await world.follow(2)
        refused = list[str]()

        async def refuse(name: str) -> None:
            if name == call and not refused:
                refused.append(name)
                raise LedgerError

        made = await world.follower(cloud=OddCloud(page_a_service({listed: "ACTIVE"}), is_in("ACTIVE")))
        made.held.before = refuse
        with made.running() as task:
            await asyncio.sleep(30)
            is_running = not task.done()

        assert [call] == refused
        assert is_running
        assert {one: [("ACTIVE", PENDING, True)] for one in (listed, silent)} == world.exchange.by_request()

    in_follow_world(tmp_path, play)
