"""
Followed services side by side: the trouble of one tenant, or of one service, is nobody else's.
"""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.following import PENDING, FollowWorld, OddCloud, broken, in_follow_world, is_in, page_a_service
from worker.core.answers import Service
from worker.core.following import FollowPolicy
from worker.gate import Gate
from worker.pace import Pace
from worker.ports import Page, PageAnswer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.virtual_time import VirtualLoop


class Hanging(OddCloud):
    """
    Does not answer about the tenants whose name begins with `dead`, for half a minute.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__(show=is_in(PENDING))
        self._loop = loop
        self.asked: dict[str, list[float]] = {}

    async def list_page(self, tenant_id: str | None, after: str | None = None) -> PageAnswer:
        self.asked.setdefault(tenant_id or "", []).append(self._loop.time())
        if not (tenant_id or "").startswith("dead"):
            return await super().list_page(tenant_id, after)
        await asyncio.sleep(30)
        return broken("timeout")

    def gaps_s(self, tenant_id: str) -> list[float]:
        """
        Between two calls about a tenant.
        """
        return [later - earlier for earlier, later in pairwise(self.asked[tenant_id])]


class TestNeighbours:
    def test_tenants_whose_cloud_hangs_do_not_starve_one_that_is_well(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            for number in range(20):
                await world.follow(tenant_id=f"dead-{number}")
            await world.follow(tenant_id="well")
            cloud = Hanging(world.loop)
            with (await world.follower(cloud=cloud)).running():
                await asyncio.sleep(1500)

            # Its own interval, and the moment in which its call is found due.
            assert max(cloud.gaps_s("well")) <= 30 + 6
            # What took long is not asked for again at once.
            assert min(min(cloud.gaps_s(f"dead-{number}")) for number in range(20)) >= 30 + 10

        in_follow_world(tmp_path, play, FollowPolicy(most_interval_s=30))

    def test_a_call_that_hangs_takes_no_place_from_the_requests(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            await world.follow(tenant_id="dead")
            await asyncio.sleep(10)
            cloud, pace = Hanging(world.loop), Pace(1, is_adaptive=False)
            with (await world.follower(cloud=cloud, gate=Gate(pace=pace))).running() as task:
                await asyncio.sleep(10)
                turn = pace.try_take()
            await asyncio.gather(task, return_exceptions=True)

            assert 1 == len(cloud.asked["dead"])
            assert turn is not None

        in_follow_world(tmp_path, play)

    def test_a_fault_of_ours_ends_neither_the_worker_nor_the_rounds_of_others(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            await world.follow(tenant_id="t-1")
            (well,) = await world.follow(tenant_id="t-2")

            def page(tenant_id: str | None, after: str | None) -> PageAnswer:
                if tenant_id == "t-1":
                    raise ValueError(after)
                return Page((is_in("ACTIVE")(well),))

            cloud = OddCloud(page)
            with (await world.follower(cloud=cloud)).running() as task:
                await asyncio.sleep(60)
                is_running = not task.done()

            assert is_running
            assert [("ACTIVE", PENDING, True)] == world.exchange.of(well)
            assert 2 <= cloud.pages.count(("t-1", None)) <= 4

        in_follow_world(tmp_path, play)

    def test_an_event_that_is_never_confirmed_does_not_keep_later_pages_from_being_told(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            mute, *others = await world.follow(3)
            world.exchange.refuses = frozenset({"vpnservice.status.odd"})
            cloud = OddCloud(page_a_service({mute: "ODD"} | dict.fromkeys(others, "ACTIVE")))
            with (await world.follower(cloud=cloud)).running():
                await asyncio.sleep(60)
            known = await world.follows.of_services(None, [mute])

            assert set(others) == set(world.exchange.by_request())
            assert [(PENDING, 0)] == [(follow.status, follow.changes) for follow in known]

        in_follow_world(tmp_path, play)


def test_a_fault_of_ours_with_one_service_is_no_reason_to_tell_no_other(tmp_path: Path) -> None:
    async def play(world: FollowWorld) -> None:
        ids = await world.follow(3)

        def show(service_id: str) -> Service:
            if service_id == ids[1]:
                raise ValueError("unforeseen")
            return is_in("ACTIVE")(service_id)

        with (await world.follower(cloud=OddCloud(show=show))).running():
            await asyncio.sleep(60)

        assert {ids[0], ids[2]} == world.exchange.by_request().keys()

    in_follow_world(tmp_path, play)
