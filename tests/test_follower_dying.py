"""
Followers that die, freeze, stop or share the work: each change is told, in order, and once but for a crash.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.following import (
    LEASE_S,
    PENDING,
    FollowWorld,
    OddCloud,
    died_at,
    in_follow_world,
    is_in,
    page_a_service,
)
from worker.core.answers import Service
from worker.core.following import Target
from worker.ports import Page, PageAnswer

if TYPE_CHECKING:
    from pathlib import Path


class TestDying:
    def test_what_was_told_and_not_written_down_is_told_again_under_the_same_id(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            (service_id,) = await world.follow()
            await asyncio.sleep(10)
            dying = await world.follower()
            await died_at(dying, "note")
            assert [] != world.exchange.messages

            with (await world.follower()).running():
                await asyncio.sleep(LEASE_S + 10)

            assert 2 == len(world.exchange.messages)
            assert [("ACTIVE", PENDING, True)] == world.exchange.of(service_id)

        in_follow_world(tmp_path, play, settle_after_s=5)

    @pytest.mark.parametrize("call", ["of_services", "note", "next_ids", "finish"])
    def test_another_worker_takes_over_wherever_one_dies(self, tmp_path: Path, call: str) -> None:
        async def play(world: FollowWorld) -> None:
            ids = await world.follow(120)
            await asyncio.sleep(10)
            await died_at(await world.follower(), call)
            with (await world.follower()).running():
                await asyncio.sleep(LEASE_S + 10)

            assert {key: [("ACTIVE", PENDING, True)] for key in ids} == world.exchange.by_request()
            assert 0 == await world.follows.count()

        in_follow_world(tmp_path, play, settle_after_s=5, page_limit=50)

    def test_a_broker_that_confirms_nothing_ends_the_round_before_its_lease(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            (service_id,) = await world.follow()
            await asyncio.sleep(10)
            world.exchange.is_deaf = True
            made = await world.follower()
            began_s = world.loop.time()
            await made.follower.make_due()
            took_s = world.loop.time() - began_s
            world.exchange.is_deaf = False
            with made.running():
                await asyncio.sleep(60)

            assert took_s < LEASE_S
            assert [("ACTIVE", PENDING, True)] == world.exchange.of(service_id)

        in_follow_world(tmp_path, play, settle_after_s=5)


class TestFrozen:
    """
    SIGSTOP, a paused virtual machine: what was seen before is old news, and would come after newer.
    """

    @pytest.mark.parametrize("is_page", [True, False])
    def test_who_was_frozen_after_an_answer_tells_nothing_once_another_has_the_round(
        self, tmp_path: Path, *, is_page: bool
    ) -> None:
        async def play(world: FollowWorld) -> None:
            (service_id,) = await world.follow(target=Target.ACTIVE)
            await asyncio.sleep(10)
            old, new = is_in("BUILD")(service_id), is_in("DOWN")(service_id)

            def freeze(service: Service) -> Service:
                frozen.freeze(3 * LEASE_S)
                cloud.call_s = 3 * LEASE_S  # nobody reads it earlier
                return service

            cloud = OddCloud(lambda _, __: Page((freeze(old),) if is_page else ()), lambda _: freeze(old))
            frozen = await world.follower(cloud=cloud)
            other = await world.follower(cloud=OddCloud(lambda _, __: Page((new,))))
            freezing = asyncio.create_task(frozen.follower.make_due())
            await asyncio.sleep(1)
            with other.running():
                await asyncio.sleep(2 * LEASE_S)
                told = world.exchange.of(service_id)
                await freezing

            assert [("DOWN", PENDING, False)] == told == world.exchange.of(service_id)
            assert 1 == len(world.exchange.messages)

        in_follow_world(tmp_path, play)


class TestStopping:
    def test_who_is_stopped_leaves_the_round_to_others_at_once(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            await world.follow()
            world.exchange.is_deaf = True
            await asyncio.sleep(10)
            made = await world.follower()
            with made.running() as task:
                await asyncio.sleep(5)
            await asyncio.gather(task, return_exceptions=True)
            now = world.now

            (tour,) = await world.follows.rounds(now)
            assert await world.follows.take(tour, now)

        in_follow_world(tmp_path, play, settle_after_s=5)

    def test_no_round_is_begun_while_the_process_stops(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            await world.follow(tenant_id="t-1")
            await world.follow(tenant_id="t-2")
            await asyncio.sleep(10)
            cloud, asked = OddCloud(), set[str]()
            made = await world.follower(cloud=cloud)

            async def note(name: str) -> None:
                asked.add(name)

            made.held.before = note
            made.gate.stop()
            await made.follower.make_due()
            with made.running():
                await asyncio.sleep(60)

            assert [] == cloud.pages
            assert "take" not in asked  # others can begin it

        in_follow_world(tmp_path, play)

    def test_a_round_cut_short_by_the_stop_is_left_as_it_was_found(self, tmp_path: Path) -> None:
        """
        It says nothing about the cloud, and somebody else may make it at once.
        """

        async def play(world: FollowWorld) -> None:
            for tenant in ("t-1", "t-2"):
                await world.follow(tenant_id=tenant)
            await asyncio.sleep(10)
            found = await world.follows.rounds(world.now)

            def page(tenant_id: str | None, after: str | None) -> PageAnswer:
                del tenant_id, after
                made.gate.stop()
                return Page((), "more")

            cloud = OddCloud(page)
            made = await world.follower(cloud=cloud)
            await made.follower.make_due()

            assert 1 == len(cloud.pages)
            assert found == await world.follows.rounds(world.now)

        in_follow_world(tmp_path, play)


class TestTogether:
    def test_two_workers_tell_each_change_once(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            ids = await world.follow(300)
            first, second = await world.follower(), await world.follower()
            with first.running(), second.running():
                await asyncio.sleep(120)

            assert 600 == len(world.exchange.messages) == len(world.exchange.told())
            assert {
                key: [("BUILD", PENDING, False), ("ACTIVE", "BUILD", True)] for key in ids
            } == world.exchange.by_request()

        in_follow_world(tmp_path, play, journey=((10, "BUILD"), (40, "ACTIVE")), page_limit=100)

    @pytest.mark.parametrize("is_listed", [True, False])
    @pytest.mark.parametrize("workers", [2, 3])
    def test_calls_slower_than_the_lease_let_no_other_worker_in(
        self, tmp_path: Path, workers: int, *, is_listed: bool
    ) -> None:
        async def play(world: FollowWorld) -> None:
            ids = await world.follow(4)
            page = page_a_service(dict.fromkeys(ids, "ACTIVE" if is_listed else PENDING))
            cloud = OddCloud(page if is_listed else lambda _, __: Page(()), is_in("ACTIVE"), call_s=1.5 * LEASE_S)
            with ExitStack() as running:
                for _ in range(workers):
                    running.enter_context((await world.follower(cloud=cloud)).running())
                await asyncio.sleep(10 * LEASE_S)

            assert {key: [("ACTIVE", PENDING, True)] for key in ids} == world.exchange.by_request()
            assert 4 == len(world.exchange.messages)
            # One round of one worker.
            assert ((4, 0) if is_listed else (1, 4)) == (len(cloud.pages), len(cloud.shown))

        in_follow_world(tmp_path, play)
