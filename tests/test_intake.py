"""
The intake beside the whole: what deliveries of one request share, also when something unforeseen happens.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from messages.envelope import encode_request
from tests.clients import ANYBODY, OTC
from tests.stand_ins import NO_FOLLOWS, Collector, Now
from worker.core.admission import Admission
from worker.core.answers import Created, Service
from worker.core.following import FollowPolicy, Target
from worker.core.policy import Policy
from worker.engine import Engine, Ports
from worker.errors import LedgerError
from worker.facts import Fact, hooked
from worker.facts.requests import UnknownMet, UnknownResolved
from worker.gate import Gate
from worker.intake import CRASH_LIMIT, Desk, Intake
from worker.ledger.sqlite import SqliteLedger
from worker.ports import Ack, Claim, Dead, Delivery, GiveBack, Later, Saved
from worker.teller import Teller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
    from pathlib import Path

    from worker.core.answers import CreateAnswer, ListAnswer
    from worker.core.job import Job, RequestKey


class NoCloud:
    """
    A cloud that must not be called.
    """

    async def create(self, body: bytes, tenant_id: str | None) -> CreateAnswer:
        raise NotImplementedError

    async def list_services(self, router_id: str, tenant_id: str | None) -> ListAnswer:
        raise NotImplementedError

    async def recovered(self) -> None:
        raise NotImplementedError

    async def probe(self) -> ListAnswer:
        raise NotImplementedError


class FailingLedger:
    """
    Fails every claim in the way given, once it is let.
    """

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.let = asyncio.Event()

    async def claim(self, job: Job, now: datetime) -> Claim:
        del job, now
        await self.let.wait()
        raise self.error

    async def save(self, job: Job, now: datetime) -> Saved:
        raise NotImplementedError

    async def release(self, job: Job, now: datetime) -> Saved:
        raise NotImplementedError

    async def owned(self, service_ids: Iterable[str], by_others_than: RequestKey) -> frozenset[str]:
        raise NotImplementedError

    async def counts(self) -> Mapping[str, int]:
        raise NotImplementedError

    async def find(self, request_id: str, source: str | None = None) -> tuple[Job, ...]:
        raise NotImplementedError

    async def amend(self, was: Job, job: Job, now: datetime) -> Saved:
        raise NotImplementedError

    async def prune(self, done_before: datetime, limit: int) -> int:
        raise NotImplementedError

    async def mark_suspect(self, fingerprint: str, now: datetime) -> int:
        raise NotImplementedError

    async def clear_suspect(self, fingerprint: str) -> None:
        raise NotImplementedError


def intake_on(ledger: FailingLedger, gate: Gate) -> Intake:
    """
    An intake whose ledger fails.
    """
    clock, collector = Now(), Collector()
    teller = Teller(collector, collector, clock, "/test")
    engine = Engine(Ports(ledger, NO_FOLLOWS, NoCloud(), teller, clock, gate), Policy())
    return Intake(Desk(ledger, engine, teller, clock, gate, ANYBODY), Policy())


def delivery(crashes: int = 0) -> Delivery:
    """
    One arrival of the same good request.
    """
    envelope = encode_request({"vpnservice": {"router_id": "r"}}, id="one", source="/shop")
    return Delivery(envelope, is_redelivered=False, token=None, crashes=crashes)


async def test_after_an_unforeseen_error_every_joined_delivery_is_settled_too() -> None:
    """
    One that was left unacked would hold a place of the prefetch until the connection ends.
    """
    ledger = FailingLedger(RuntimeError("unforeseen"))
    intake = intake_on(ledger, Gate())
    running = [asyncio.create_task(intake.handle(delivery())) for _ in range(3)]
    await asyncio.sleep(0)
    ledger.let.set()
    verdicts = await asyncio.gather(*running)

    assert [Later, Later, Later] == [type(verdict) for verdict in verdicts]


@pytest.mark.parametrize("crashes", [0, CRASH_LIMIT - 1, CRASH_LIMIT, 1000])
async def test_a_request_that_crashes_is_counted_and_kept_while_its_fate_cannot_be_written_down(crashes: int) -> None:
    ledger = FailingLedger(RuntimeError("unforeseen"))
    ledger.let.set()
    verdict = await intake_on(ledger, Gate()).handle(delivery(crashes))

    assert isinstance(verdict, Later)
    assert crashes + 1 == verdict.crashes
    assert verdict.delay_s >= 5


class CrashingCloud(NoCloud):
    """
    A cloud whose client has a fault of ours.
    """

    async def create(self, body: bytes, tenant_id: str | None) -> CreateAnswer:
        raise RuntimeError("unforeseen")


async def test_a_request_that_crashes_again_and_again_ends_in_doubt_and_among_the_dead(tmp_path: Path) -> None:
    """
    A POST may have left before the crash, so nobody can promise that there is no service.
    """
    gate, clock, collector = Gate(), Now(), Collector()
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3", "me", 120)
    await ledger.start()
    teller = Teller(collector, collector, clock, "/test")
    engine = Engine(Ports(ledger, ledger.follows, CrashingCloud(), teller, clock, gate), Policy())
    intake = Intake(Desk(ledger, engine, teller, clock, gate, ANYBODY), Policy())
    facts: list[Fact] = []
    with hooked(facts.append):
        early = await intake.handle(delivery(CRASH_LIMIT - 2))
        told_early = list(collector.told)
        last = await intake.handle(delivery(CRASH_LIMIT - 1))
    await ledger.close()

    assert isinstance(early, Later)
    assert [] == told_early
    assert isinstance(last, Dead)
    assert ["vpnservice.in_doubt"] == collector.told
    assert [UnknownMet(), UnknownResolved("in_doubt")] == [
        fact for fact in facts if isinstance(fact, UnknownMet | UnknownResolved)
    ]


async def test_a_stop_while_the_ledger_refuses_leaves_the_message_unacked() -> None:
    gate = Gate()
    ledger = FailingLedger(LedgerError())
    intake = intake_on(ledger, gate)
    ledger.let.set()
    gate.stop()

    assert GiveBack() == await intake.handle(delivery())


class MadeCloud(NoCloud):
    """
    Creates what it is asked for, and counts.
    """

    def __init__(self) -> None:
        self.made = 0

    async def create(self, body: bytes, tenant_id: str | None) -> CreateAnswer:
        self.made += 1
        return Created(Service(f"vpn-{self.made}", "PENDING_CREATE", {"id": f"vpn-{self.made}"}))


def asked_by(user: str | None, *, is_redelivered: bool = False) -> Delivery:
    body = {"vpnservice": {"router_id": "r", "tenant_id": "t-a"}}
    envelope = encode_request(body, id="order-1", source="/shop")
    return Delivery(replace(envelope, user_id=user), is_redelivered=is_redelivered, token=None)


async def test_nobody_is_told_about_a_request_of_a_tenant_that_is_not_theirs(tmp_path: Path) -> None:
    """
    Who knows another's order could otherwise publish it again with a reply_to of its own.
    """
    cloud, gate, clock, collector = MadeCloud(), Gate(), Now(), Collector()
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3", "me", 120)
    await ledger.start()
    teller = Teller(collector, collector, clock, "/test")
    engine = Engine(Ports(ledger, ledger.follows, cloud, teller, clock, gate), Policy())

    def intake(*users: str) -> Intake:
        admission = Admission(OTC, {"t-a": frozenset(users)}, None, is_user_checked=True)
        return Intake(Desk(ledger, engine, teller, clock, gate, admission), Policy())

    first = await intake("alice").handle(asked_by("alice"))
    others = [await intake("alice").handle(asked_by(user)) for user in ("mallory", None)]
    # The operator takes a user from the list while its request is on its way: it is seen through.
    again = await intake("bob").handle(asked_by("alice", is_redelivered=True))
    await ledger.close()

    assert isinstance(first, Ack)
    assert [True, True] == [isinstance(verdict, Dead) and verdict.reason == "rejected" for verdict in others]
    assert isinstance(again, Ack)
    assert 1 == cloud.made
    assert ["created", "rejected", "rejected", "created"] == [key.partition(".")[2] for key in collector.told]


def asks_to_follow(target: str | None) -> Delivery:
    extensions = None if target is None else {"follow": target}
    envelope = encode_request({"vpnservice": {"router_id": "r"}}, id="order-1", source="/shop", extensions=extensions)
    return Delivery(envelope, is_redelivered=False, token=None)


class Following:
    """
    Intakes on one ledger that differ in how far they follow what does not say it.
    """

    def __init__(self, ledger: SqliteLedger) -> None:
        self.ledger, self.collector = ledger, Collector()

    def intake(self, usual: Target) -> Intake:
        gate, clock, policy = Gate(), Now(), Policy(following=FollowPolicy(target=usual))
        teller = Teller(self.collector, self.collector, clock, "/test")
        engine = Engine(Ports(self.ledger, self.ledger.follows, MadeCloud(), teller, clock, gate), policy)
        return Intake(Desk(self.ledger, engine, teller, clock, gate, ANYBODY), policy)

    async def decided(self) -> tuple[str | None, int]:
        """
        How far the job says that it is followed, and how many services are.
        """
        (job,) = await self.ledger.find("order-1")
        return job.follow, await self.ledger.follows.count()


@pytest.fixture
async def following(tmp_path: Path) -> AsyncIterator[Following]:
    """
    On a ledger that is closed in the end.
    """
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3", "me", 120)
    await ledger.start()
    yield Following(ledger)
    await ledger.close()


@pytest.mark.parametrize(
    ("asked", "usual", "decided"),
    [
        (None, Target.NONE, ("none", 0)),
        (None, Target.ACTIVE, ("active", 1)),
        ("none", Target.SETTLED, ("none", 0)),
        ("settled", Target.NONE, ("settled", 1)),
        ("active", Target.SETTLED, ("active", 1)),
    ],
)
async def test_how_far_a_service_is_followed_says_its_request_else_the_policy(
    following: Following, asked: str | None, usual: Target, decided: tuple[str, int]
) -> None:
    await following.intake(usual).handle(asks_to_follow(asked))

    assert decided == await following.decided()


@pytest.mark.parametrize(("first", "later", "decided"), [
    (Target.NONE, Target.SETTLED, ("none", 0)),
    (Target.ACTIVE, Target.NONE, ("active", 1)),
])  # fmt: skip
async def test_a_duplicate_after_the_policy_changed_is_followed_as_was_decided_at_first(
    following: Following, first: Target, later: Target, decided: tuple[str, int]
) -> None:
    """
    What was created before following was switched on is not followed: it may have been deleted long ago.
    """
    for usual in (first, later):
        assert Ack() == await following.intake(usual).handle(asks_to_follow(None))

    assert ["vpnservice.created"] * 2 == following.collector.told
    assert decided == await following.decided()
