"""
The follower: tells every change of a followed service, in order and at little cost, whatever dies on the way.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.following import LEASE_S, FollowWorld, Made, in_follow_world
from worker.core.answers import Busy, Listed, Misconfigured, Service, Trouble
from worker.core.following import FollowPolicy, Target
from worker.pace import Pace
from worker.ports import Page, PageAnswer

if TYPE_CHECKING:
    from pathlib import Path

PENDING = "PENDING_CREATE"


def calls(world: FollowWorld) -> dict[str, int]:
    """
    What the cloud was asked.
    """
    return {name: count for name, count in world.cloud.state.calls.items() if count}


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
            cloud = Forgetful({hidden: "DOWN", listed: PENDING}, hidden)
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
            cloud = Forgetful({}, *ids)
            with (await world.follower(cloud=cloud)).running():
                await asyncio.sleep(300)
            told = list(world.exchange.messages)
            with (await world.follower()).running():
                await asyncio.sleep(400)

            assert [] == told
            assert len(cloud.absent) <= 11 * 8
            assert {key: [("ACTIVE", PENDING, True)] for key in ids} == world.exchange.by_request()

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
            cloud = Forgetful(dict.fromkeys(ids, "ACTIVE"), *ids, unshowable=ids[0])
            with (await world.follower(cloud=cloud)).running():
                await asyncio.sleep(60)

            assert [0, 1, 1] == [len(world.exchange.of(service)) for service in ids]

        in_follow_world(tmp_path, play)

    def test_pages_that_lead_in_a_circle_end_the_round(self, tmp_path: Path) -> None:
        async def play(world: FollowWorld) -> None:
            await world.follow()
            await asyncio.sleep(10)
            cloud = Circling()
            made = await world.follower(cloud=cloud)
            await made.follower.make_due()

            assert 3 == cloud.pages

        in_follow_world(tmp_path, play)


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

    @pytest.mark.parametrize("call", ["of_services", "note", "next_followed", "finish"])
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

    def test_who_was_frozen_tells_nothing_once_another_has_the_round(self, tmp_path: Path) -> None:
        """
        SIGSTOP, a paused virtual machine: what it saw is old news, and would come after newer.
        """

        async def play(world: FollowWorld) -> None:
            (service_id,) = await world.follow(target=Target.ACTIVE)
            await asyncio.sleep(10)
            frozen, other = await world.follower(), await world.follower()

            async def freeze(name: str) -> None:
                if name == "of_services":
                    frozen.held.before = None
                    frozen.clock.ahead_s = 0.0
                    await asyncio.sleep(3 * LEASE_S)

            frozen.held.before = freeze
            with frozen.running(), other.running():
                await asyncio.sleep(5 * LEASE_S)

            assert [("DOWN", PENDING, False), ("ACTIVE", "DOWN", True)] == world.exchange.of(service_id)
            assert 2 == len(world.exchange.messages)

        in_follow_world(tmp_path, play, journey=((5, "DOWN"), (30 + LEASE_S, "ACTIVE")))

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


async def died_at(made: Made, call: str) -> None:
    """
    Runs a follower until it dies before that call to the ledger: nothing of it is heard any more.
    """
    dead = asyncio.Event()

    async def die(name: str) -> None:
        if name == call or dead.is_set():
            dead.set()
            await asyncio.Event().wait()

    made.held.before = die
    with made.running():
        await dead.wait()


class Forgetful:
    """
    A cloud whose list leaves services out, and that cannot show one of them.
    """

    def __init__(self, statuses: dict[str, str], *hidden: str, unshowable: str | None = None) -> None:
        self._services = {name: Service(name, status, {"id": name}) for name, status in statuses.items()}
        self._hidden = hidden
        self._unshowable = unshowable
        self.shown: list[str] = []
        self.absent: list[str] = []

    async def list_page(self, tenant_id: str | None, after: str | None = None) -> PageAnswer:
        del tenant_id, after
        return Page(tuple(one for name, one in self._services.items() if name not in self._hidden))

    async def show(self, service_id: str, tenant_id: str | None) -> Service | Listed | Busy | Misconfigured:
        del tenant_id
        if service_id == self._unshowable:
            return Busy(Trouble("look_failed", "500", 500))
        if service_id not in self._services:
            self.absent.append(service_id)
            return Listed(())
        self.shown.append(service_id)
        return self._services[service_id]


class Circling:
    """
    A cloud whose pages lead back to the first.
    """

    pages = 0

    async def list_page(self, tenant_id: str | None, after: str | None = None) -> PageAnswer:
        del tenant_id
        self.pages += 1
        return Page((), "b" if after == "a" else "a")

    async def show(self, service_id: str, tenant_id: str | None) -> Any:
        raise NotImplementedError
