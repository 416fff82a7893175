"""
The engine beside the whole: what it must not do after it was held up, and how it marks its services.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from messages.envelope import Request, decode_request, encode_request
from tests.clients import ANYBODY, open_client
from tests.e2e.conftest import eventually
from tests.stand_ins import Collector
from worker.core.following import Follow, FollowPolicy, Target
from worker.core.job import Job, OutcomeKind, Phase, RequestKey, intend
from worker.core.policy import Policy
from worker.engine import Engine, Ports
from worker.errors import LedgerError
from worker.gate import Gate
from worker.intake import Desk, Intake
from worker.ledger.sqlite import SqliteLedger
from worker.pace import Pace
from worker.ports import Ack, Claimed, Cloud, Delivery, Follows, GiveBack, Later
from worker.simulator import Simulator, SimulatorConfig, start_simulator
from worker.teller import Teller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


LEASE_S = 60.0
SPEC: dict[str, object] = {"router_id": "r", "name": "a", "description": "for Berlin"}


class Ahead:
    """
    The machine's time, a given while ahead.
    """

    def __init__(self, ahead_s: float = 0.0) -> None:
        self.ahead_s = ahead_s

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead_s)

    def roll(self) -> float:
        return 0.0


class House:
    """
    One worker without a broker: its engine and intake on a ledger and a cloud.
    """

    def __init__(self, ledger: SqliteLedger, client: Cloud, clock: Ahead, policy: Policy) -> None:
        self.pace = Pace(1, is_adaptive=False)
        self.ledger, self.clock, self.collector, self.gate = ledger, clock, Collector(), Gate(policy, self.pace)
        self._client, self._policy = client, policy
        self.follow_with(ledger.follows)

    def follow_with(self, follows: Follows) -> None:
        """
        Has it note elsewhere what is to be followed.
        """
        teller = Teller(self.collector, self.collector, self.clock, "/test")
        ports = Ports(self.ledger, follows, self._client, teller, self.clock, self.gate)
        self.engine = Engine(ports, self._policy)
        self.intake = Intake(Desk(self.ledger, self.engine, teller, self.clock, self.gate, ANYBODY), self._policy)


@asynccontextmanager
async def houses(folder: Path, policy: Policy, *ahead_s: float) -> AsyncIterator[tuple[Simulator, list[House]]]:
    """
    Workers on one ledger and one cloud, each with a clock of its own.
    """
    async with AsyncExitStack() as stack:
        cloud = await start_simulator(SimulatorConfig(services_per_vpc=0))
        stack.push_async_callback(cloud.close)
        built = []
        for number, ahead in enumerate(ahead_s):
            ledger = SqliteLedger(folder / "ledger.sqlite3", f"worker-{number}", LEASE_S)
            await ledger.start()
            stack.push_async_callback(ledger.close)
            client = await stack.enter_async_context(open_client(cloud.url))
            built.append(House(ledger, client, Ahead(ahead), policy))
        yield cloud, built


def a_request(spec: dict[str, object], identity: str = "order-1") -> Request:
    decoded = decode_request(encode_request({"vpnservice": spec}, id=identity, source="/shop"))
    assert isinstance(decoded, Request)
    return decoded


def a_delivery(spec: dict[str, object], identity: str = "order-1", *, is_redelivered: bool = False) -> Delivery:
    envelope = encode_request({"vpnservice": spec}, id=identity, source="/shop")
    return Delivery(envelope, is_redelivered=is_redelivered, token=None)


def a_job(request: Request, now: datetime) -> Job:
    return Job(
        key=RequestKey(request.source, request.id),
        digest=request.digest,
        router_id="r",
        first_seen_at=now,
        deadline_at=now + timedelta(days=1),
        wanted=request.body.vpnservice.model_dump(exclude_unset=True),
    )


async def test_a_worker_that_was_frozen_after_its_intent_does_not_post_what_another_took_over(tmp_path: Path) -> None:
    """
    SIGSTOP, a paused virtual machine: the broker redelivered, the lease ran out, another worker looked and posted.
    """
    policy = Policy(reconcile_window_s=0.0)
    async with houses(tmp_path, policy, 0.0, 2 * LEASE_S) as (cloud, (frozen, other)):
        request = a_request(SPEC)
        job = intend(a_job(request, frozen.clock.now()), frozen.clock.now())

        assert Claimed(job, is_new=True) == await frozen.ledger.claim(job, frozen.clock.now())

        assert Ack() == await other.intake.handle(a_delivery(SPEC, is_redelivered=True))
        frozen.clock.ahead_s = 3 * LEASE_S
        verdict = await frozen.engine.run(request, job, is_new=True)

        assert isinstance(verdict, Later)
        assert [] == frozen.collector.told
        assert 1 == cloud.state.calls["create"] == len(cloud.state.services)


async def test_a_worker_that_was_held_up_and_still_has_its_job_posts_it(tmp_path: Path) -> None:
    async with houses(tmp_path, Policy(), 0.0) as (cloud, (slow,)):
        request = a_request(SPEC)
        job = intend(a_job(request, slow.clock.now()), slow.clock.now())
        await slow.ledger.claim(job, slow.clock.now())
        slow.clock.ahead_s = LEASE_S / 2

        assert Ack() == await slow.engine.run(request, job, is_new=True)
        assert 1 == len(cloud.state.services)


async def test_a_mark_is_sent_in_the_description_and_everything_else_as_it_was_asked(tmp_path: Path) -> None:
    async with houses(tmp_path, Policy(is_marking=True), 0.0) as (cloud, (house,)):
        await house.intake.handle(a_delivery(SPEC))
        (service,) = cloud.state.services.values()

        assert "for Berlin [req:order-1]" == service.attributes["description"]
        assert ("r", "a") == (service.attributes["router_id"], service.attributes["name"])


async def test_with_marks_a_twin_of_somebody_else_is_not_taken_for_ours(tmp_path: Path) -> None:
    """
    Two services with equal attributes, made at the same time: without marks it would be in doubt.
    """
    policy = Policy(is_marking=True, reconcile_window_s=2.0)
    async with houses(tmp_path, policy, 0.0) as (cloud, (house,)):
        async with open_client(cloud.url) as somebody:
            await somebody.create(b'{"vpnservice": {"router_id": "r", "name": "a"}}')
        cloud.state.faults.add({"fault": "commit_then_close", "on": "create", "times": 1})
        verdict = await house.intake.handle(a_delivery({"router_id": "r", "name": "a"}))
        (found,) = await house.ledger.find("order-1")
        made = {service.attributes["description"] for service in cloud.state.services.values()}

        assert Ack() == verdict
        assert "[req:order-1]" in made
        assert found.outcome is not None
        assert (Phase.DONE, OutcomeKind.CREATED) == (found.phase, found.outcome.kind)
        assert found.outcome.service is not None
        assert "[req:order-1]" == found.outcome.service.attributes["description"]


async def test_a_half_made_service_in_the_way_is_reported_with_its_id(tmp_path: Path) -> None:
    async with houses(tmp_path, Policy(), 0.0) as (cloud, (house,)):
        async with open_client(cloud.url) as somebody:
            await somebody.create(b'{"vpnservice": {"router_id": "r", "name": "older"}}')
        (leftover,) = cloud.state.services.values()
        body = {"NeutronError": {"type": "VPNGatewayInError", "message": "The gateway is in error.", "detail": ""}}
        cloud.state.faults.add({"fault": "answer", "on": "create", "status": 409, "body": body})
        await house.intake.handle(a_delivery(SPEC))
        (job,) = await house.ledger.find("order-1")

        assert job.outcome is not None
        assert OutcomeKind.FAILED is job.outcome.kind
        assert leftover.id == job.outcome.existing_service_id
        assert job.outcome.trouble is not None
        assert "gateway_in_error" == job.outcome.trouble.code
        assert leftover.id in job.outcome.trouble.message
        assert ["vpnservice.failed"] == house.collector.told


async def test_who_waited_longer_than_its_lease_gives_way_to_a_rival_on_its_router(tmp_path: Path) -> None:
    """
    The kill switch can hold a request for hours; two requests on one router at once could not be told apart.
    """
    async with houses(tmp_path, Policy(), 0.0, 2 * LEASE_S) as (cloud, (waiting, other)):
        cloud.state.faults.add({"fault": "answer", "on": "create", "status": 401, "body": "who?", "times": 1})
        running = asyncio.create_task(waiting.intake.handle(a_delivery(SPEC, "first")))

        async def is_waiting() -> bool:
            return await waiting.ledger.counts() == {"ready": 1}

        await eventually(is_waiting, "request that waits")
        async with open_client(cloud.url) as client:
            rival = intend(a_job(a_request({"router_id": "r"}, "rival"), other.clock.now()), other.clock.now())

            assert Claimed(rival, is_new=True) == await other.ledger.claim(rival, other.clock.now())

            waiting.clock.ahead_s = 2 * LEASE_S + 1
            waiting.gate.heed_probe(await client.list_services("nobody"))
        verdict = await running

        assert isinstance(verdict, Later)
        assert 1 == cloud.state.calls["create"]
        assert {} == cloud.state.services


async def test_the_intent_of_every_post_is_on_disk_while_it_is_under_way(tmp_path: Path) -> None:
    """
    Of a retry as well: a worker that dies then must leave word that it may have been sent.
    """
    async with houses(tmp_path, Policy(), 0.0) as (cloud, (house,)):
        busy = {"error_code": "VPN.0030", "error_msg": "busy"}
        cloud.state.faults.add({"fault": "answer", "on": "create", "status": 400, "body": busy, "times": 1})
        cloud.state.faults.add({"fault": "slow", "on": "create", "delay_s": 1.0, "times": 1})
        running = asyncio.create_task(house.intake.handle(a_delivery(SPEC)))
        await eventually(lambda: cloud.state.calls["create"] == 2, "second POST under way")
        (job,) = await house.ledger.find("order-1")

        assert (Phase.SENT, 2) == (job.phase, job.attempts)
        assert Ack() == await running


async def test_a_request_that_waits_long_for_its_turn_is_told_as_delayed_once(tmp_path: Path) -> None:
    """
    Also when nothing is wrong but that the cloud bears no more calls at once.
    """
    policy = Policy(delayed_after_s=0.05)
    async with houses(tmp_path, policy, 0.0) as (cloud, (house,)):
        held = house.pace.try_take()
        handling = asyncio.create_task(house.intake.handle(a_delivery(SPEC)))
        await eventually(lambda: bool(house.collector.told), "the event")
        assert held is not None
        held.end()
        verdict = await handling

        assert isinstance(verdict, Ack)
        assert ["vpnservice.delayed", "vpnservice.created"] == house.collector.told
        assert 1 == cloud.state.calls["create"]


async def test_without_a_turn_at_hand_the_intent_is_written_when_there_is_one(tmp_path: Path) -> None:
    """
    An intent older than its POST would end the look-up after a crash too early.
    """
    async with houses(tmp_path, Policy(), 0.0) as (cloud, (house,)):
        held = house.pace.try_take()
        handling = asyncio.create_task(house.intake.handle(a_delivery(SPEC)))
        found: tuple[Job, ...] = ()

        async def is_claimed() -> bool:
            nonlocal found
            found = await house.ledger.find("order-1")
            return bool(found)

        await eventually(is_claimed, "the claim")

        assert (Phase.READY, 0) == (found[0].phase, found[0].attempts)

        assert held is not None
        held.end()
        assert isinstance(await handling, Ack)
        assert (1, 0) == (cloud.state.calls["create"], house.pace.in_flight)


class Reluctant:
    """
    Begins to follow once it has failed in the ways given; notes each try among what was told.
    """

    def __init__(self, house: House, *errors: Exception) -> None:
        self._house, self._errors = house, list(errors)

    async def begin(self, follow: Follow) -> None:
        self._house.collector.told.append("begin")
        if self._errors:
            raise self._errors.pop(0)
        await self._house.ledger.follows.begin(follow)


class TestFollowing:
    """
    A request is not done before its service is followed: nobody else would ever begin it.
    """

    POLICY = Policy(following=FollowPolicy(target=Target.SETTLED))

    async def test_it_begins_after_the_service_was_told_and_is_insisted_on(self, tmp_path: Path) -> None:
        async with houses(tmp_path, self.POLICY, 0.0) as (_, (house,)):
            house.follow_with(cast("Follows", Reluctant(house, LedgerError())))
            verdict = await house.intake.handle(a_delivery(SPEC))

            assert Ack() == verdict
            assert ["vpnservice.created", "begin", "begin"] == house.collector.told
            assert 1 == await house.ledger.follows.count()

    async def test_who_must_stop_before_it_could_begin_leaves_the_message(self, tmp_path: Path) -> None:
        async with houses(tmp_path, self.POLICY, 0.0) as (_, (house,)):
            house.follow_with(cast("Follows", Reluctant(house, LedgerError())))
            house.gate.stop()
            verdict = await house.intake.handle(a_delivery(SPEC))

            assert GiveBack() == verdict
            assert ["vpnservice.created", "begin"] == house.collector.told

    async def test_an_unforeseen_fault_in_beginning_is_tried_again_with_a_later_delivery(self, tmp_path: Path) -> None:
        async with houses(tmp_path, self.POLICY, 0.0) as (cloud, (house,)):
            house.follow_with(cast("Follows", Reluctant(house, RuntimeError("unforeseen"))))
            first = await house.intake.handle(a_delivery(SPEC))
            followed = await house.ledger.follows.count()
            second = await house.intake.handle(a_delivery(SPEC, is_redelivered=True))

            assert isinstance(first, Later)
            assert 0 == followed
            assert Ack() == second
            assert (1, 1) == (await house.ledger.follows.count(), len(cloud.state.services))

    async def test_a_request_that_is_not_to_be_followed_begins_nothing(self, tmp_path: Path) -> None:
        envelope = encode_request({"vpnservice": SPEC}, id="order-1", source="/shop", extensions={"follow": "none"})
        async with houses(tmp_path, self.POLICY, 0.0) as (_, (house,)):
            house.follow_with(cast("Follows", Reluctant(house)))
            verdict = await house.intake.handle(Delivery(envelope, is_redelivered=False, token=None))

            assert Ack() == verdict
            assert ["vpnservice.created"] == house.collector.told
