"""
The follower in fair weather: what it tells, when it takes a service for gone, and what it costs.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.following import PENDING, FollowWorld, OddCloud, calls, in_follow_world, is_in, page_a_service
from worker.core.following import Target
from worker.pace import Pace

if TYPE_CHECKING:
    from pathlib import Path


class TestWhatIsTold:
    def test_every_status_is_told_in_order_until_it_settles_and_then_nobody_asks_any_more(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            (service_id,) = await world.follow(target=Target.ACTIVE)
            made = await world.follower()
            with made.running():
                await asyncio.sleep(300)
                asked = calls(world)
                await asyncio.sleep(3600)

            assert [("BUILD", PENDING, False), ("DOWN", "BUILD", False), ("ACTIVE", "DOWN", True)] == world.exchange.of(
                service_id
            )
            assert asked == calls(world)
            assert 0 == await world.follows.count()

        in_follow_world(tmp_path, play, journey=((8, "BUILD"), (30, "DOWN"), (100, "ACTIVE")))

    def test_pending_for_ever_ends_at_the_deadline_and_costs_a_call_now_and_then(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            (service_id,) = await world.follow()
            made = await world.follower()
            with made.running():
                await asyncio.sleep(3600 + 70)

            (event,) = world.exchange.told().values()
            assert [(PENDING, PENDING, True)] == world.exchange.of(service_id)
            assert (True, None) == (event.deadline_reached, event.error)
            # 720 at a fixed interval of 5 s.
            assert calls(world)["list"] <= 40

        in_follow_world(tmp_path, play, settle_after_s=None)

    def test_an_error_is_final_and_names_the_service(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            (service_id,) = await world.follow(target=Target.ACTIVE)
            with (await world.follower()).running():
                await asyncio.sleep(60)

            (event,) = world.exchange.told().values()
            assert ("ERROR", True, service_id) == (event.status, event.is_final, event.service_id)
            assert event.error is not None

        in_follow_world(tmp_path, play, settle_after_s=10, error_share=1.0)

    def test_a_status_nobody_has_heard_of_is_told_as_it_is(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            (service_id,) = await world.follow()
            with (await world.follower()).running():
                await asyncio.sleep(60)

            assert [("fröst\x01/é", PENDING, False), ("DOWN", "fröst\x01/é", True)] == world.exchange.of(service_id)

        in_follow_world(tmp_path, play, journey=((10, "fröst\x01/é"), (30, "DOWN")))


class TestMissing:
    def test_a_deleted_service_is_gone_for_good(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            gone, stays = await world.follow(2)
            with (await world.follower()).running():
                await asyncio.sleep(40)
                world.cloud.state.vanish(gone)
                await asyncio.sleep(60)
                asked = calls(world).get("show", 0)

            assert [("gone", PENDING, True)] == world.exchange.of(gone)
            assert [] == world.exchange.of(stays)
            assert 1 == asked

        in_follow_world(tmp_path, play, settle_after_s=None)

    def test_a_cloud_that_shows_it_late_is_given_time(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            (service_id,) = await world.follow()
            with (await world.follower()).running():
                await asyncio.sleep(100)

            assert calls(world)["show"] >= 2
            assert [("ACTIVE", PENDING, True)] == world.exchange.of(service_id)

        in_follow_world(tmp_path, play, visible_after_s=25, settle_after_s=40)

    def test_what_the_list_leaves_out_is_asked_for_by_itself(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            hidden, listed = await world.follow(2)
            cloud = OddCloud(page_a_service({listed: PENDING}), is_in("DOWN"))
            with (await world.follower(cloud=cloud)).running():
                await asyncio.sleep(60)

            assert [("DOWN", PENDING, True)] == world.exchange.of(hidden)
            assert [hidden] == cloud.shown

        in_follow_world(tmp_path, play)

    def test_a_login_that_leads_elsewhere_does_not_make_everything_gone(self, tmp_path: Path) -> None:
        """
        A project was mistyped in the settings: the list is empty and every service answers 404.
        """

        async def play(world: FollowWorld) -> None:
            ids = await world.follow(30)
            cloud = OddCloud()
            with (await world.follower(cloud=cloud)).running():
                await asyncio.sleep(300)
            told = list(world.exchange.messages)
            with (await world.follower()).running():
                await asyncio.sleep(400)

            assert [] == told
            assert len(cloud.shown) <= 30 * 5 + 11 * 8  # all of them within their grace
            assert {key: [("ACTIVE", PENDING, True)] for key in ids} == world.exchange.by_request()

        in_follow_world(tmp_path, play)

    def test_the_only_service_of_a_tenant_is_gone_as_any_other(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            (service_id,) = await world.follow()
            with (await world.follower(cloud=OddCloud())).running():
                await asyncio.sleep(60)

            assert [("gone", PENDING, True)] == world.exchange.of(service_id)

        in_follow_world(tmp_path, play)

    def test_many_that_are_young_and_not_there_yet_are_no_reason_to_doubt_the_login(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            ids = await world.follow(12)
            await asyncio.sleep(10)
            cloud = OddCloud()
            await (await world.follower(cloud=cloud)).follower.make_due()
            (tour,) = await world.follows.rounds(world.now)

            assert sorted(ids) == sorted(cloud.shown)
            assert 0 == tour.failures
            assert [] == world.exchange.messages

        in_follow_world(tmp_path, play)

    def test_the_grace_time_begins_with_the_following_and_not_with_the_last_change(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            (service_id,) = await world.follow(target=Target.ACTIVE)
            with (await world.follower()).running():
                await asyncio.sleep(35)
                world.cloud.state.vanish(service_id)
                await asyncio.sleep(12)  # 22 s after its change

            assert [("DOWN", PENDING, False), ("gone", "DOWN", True)] == world.exchange.of(service_id)

        in_follow_world(tmp_path, play, journey=((25, "DOWN"),))

    def test_what_was_first_followed_during_a_round_is_not_asked_for_one_by_one(self, tmp_path: Path) -> None:
        """
        It need not be on pages that were made before it was.
        """

        async def play(world: FollowWorld) -> None:
            (older,) = await world.follow()
            await asyncio.sleep(10)
            cloud = OddCloud(call_s=4)
            made = await world.follower(cloud=cloud)
            round_made = asyncio.create_task(made.follower.make_due())
            await asyncio.sleep(2)
            await world.follow()
            await round_made

            assert [older] == cloud.shown

        in_follow_world(tmp_path, play)

    def test_a_login_that_leads_elsewhere_is_known_also_when_what_came_later_is_there(self, tmp_path: Path) -> None:
        """
        The requests since then create in the new project; the old ones are missing in it, and not gone.
        """

        async def play(world: FollowWorld) -> None:
            await world.follow(12)
            await asyncio.sleep(60)
            (later,) = await world.follow()
            with (await world.follower(cloud=OddCloud(page_a_service({later: "DOWN"})))).running():
                await asyncio.sleep(300)

            assert {later: [("DOWN", PENDING, True)]} == world.exchange.by_request()

        in_follow_world(tmp_path, play)

    def test_many_are_gone_at_once_where_one_that_is_as_old_is_there(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            stays, *gone = await world.follow(13)
            await asyncio.sleep(60)
            with (await world.follower(cloud=OddCloud(page_a_service({stays: PENDING})))).running():
                await asyncio.sleep(60)

            assert {one: [("gone", PENDING, True)] for one in gone} == world.exchange.by_request()

        in_follow_world(tmp_path, play)


class TestCost:
    def test_a_round_is_a_call_a_page_however_many_are_followed(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            world.cloud.state.create_many(150)  # somebody else's, in between
            await world.follow(250)
            await asyncio.sleep(10)
            made = await world.follower()
            await made.follower.make_due()

            assert {"list": 5} == calls(world)  # a full last page leads to an empty one

        in_follow_world(tmp_path, play, settle_after_s=None, page_limit=100)

    def test_each_tenant_has_a_round_of_its_own(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            ids = [service for tenant in ("t-1", "t-2") for service in await world.follow(3, tenant_id=tenant)]
            with (await world.follower()).running():
                await asyncio.sleep(30)

            assert {key: [("ACTIVE", PENDING, True)] for key in ids} == world.exchange.by_request()
            assert calls(world)["list"] <= 2 * 30 / 5 + 2

        in_follow_world(tmp_path, play, settle_after_s=10)

    def test_it_keeps_to_its_share_of_the_rate(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            await world.follow(500)
            await asyncio.sleep(10)
            began_s = world.loop.time()
            made = await world.follower(pace=Pace(1, is_adaptive=False, per_second=2))
            await made.follower.make_due()

            assert 6 == calls(world)["list"]
            assert world.loop.time() - began_s >= 2

        in_follow_world(tmp_path, play, settle_after_s=None, page_limit=100)

    def test_a_slow_cloud_is_asked_less_often(self, tmp_path: Path) -> None:
        """
        Calls are under way for a tenth of the time at most: the pages' and those for single services.
        """

        async def play(world: FollowWorld) -> None:
            await world.follow()
            await asyncio.sleep(10)
            made = await world.follower(cloud=OddCloud(show=is_in(PENDING), call_s=7))
            await made.follower.make_due()
            (tour,) = await world.follows.rounds(world.now)

            assert 9 * (7 + 7) == (tour.rest_until - tour.last_at).total_seconds()

        in_follow_world(tmp_path, play)

    @pytest.mark.parametrize("order", [("t-1", "t-2"), ("t-2", "t-1")])
    def test_the_round_that_is_due_for_longest_comes_first(self, tmp_path: Path, order: tuple[str, str]) -> None:
        async def play(world: FollowWorld) -> None:
            for tenant in ("t-1", "t-2"):
                await world.follow(tenant_id=tenant)
            tours = {tour.tenant_id: tour for tour in await world.follows.rounds(world.now)}
            for later_s, tenant in enumerate(order):
                await world.follows.take(tours[tenant], world.now)
                await world.follows.finish(replace(tours[tenant], last_at=world.now + timedelta(seconds=later_s)))
            await asyncio.sleep(20)
            cloud = OddCloud(show=is_in(PENDING))
            await (await world.follower(cloud=cloud)).follower.make_due()

            assert list(order) == [tenant for tenant, _ in cloud.pages]

        in_follow_world(tmp_path, play)
