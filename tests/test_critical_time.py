"""
Critical time, from a request's sending to its confirmed outcome: where it begins.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from messages.envelope import encode_request
from tests.clients import ANYBODY
from tests.stand_ins import Collector, Now
from tests.test_intake import MadeCloud
from worker.core.policy import Policy
from worker.engine import Engine, Ports
from worker.facts import Fact, hooked
from worker.facts.requests import OutcomeTold, RequestRejected
from worker.gate import Gate
from worker.intake import Desk, Intake
from worker.ledger.sqlite import SqliteLedger
from worker.ports import Delivery
from worker.teller import Teller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from messages.envelope import Envelope


@pytest.fixture
async def intake(tmp_path: Path) -> AsyncIterator[Intake]:
    """
    An intake whose cloud creates everything.
    """
    gate, clock, collector = Gate(), Now(), Collector()
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3", "me", 120)
    await ledger.start()
    teller = Teller(collector, collector, clock, "/test")
    engine = Engine(Ports(ledger, ledger.follows, MadeCloud(), teller, clock, gate), Policy())
    yield Intake(Desk(ledger, engine, teller, clock, gate, ANYBODY), Policy())
    await ledger.close()


def ago(delay_s: float | None) -> datetime | None:
    """
    A moment so many seconds ago.
    """
    return None if delay_s is None else datetime.now(UTC) - timedelta(seconds=delay_s)


def good(made_ago_s: float | None) -> Envelope:
    """
    A request whose `ce-time` is so many seconds ago.
    """
    envelope = encode_request({"vpnservice": {"router_id": "r"}}, id="one", source="/shop")
    headers = {name: value for name, value in envelope.headers.items() if name != "ce-time"}
    made_at = ago(made_ago_s)
    return replace(envelope, headers=headers | ({"ce-time": made_at.isoformat()} if made_at else {}))


async def critical_s(intake: Intake, envelope: Envelope, **of_delivery: Any) -> float:
    """
    The critical time that is told of a delivery's outcome.
    """
    told: list[Fact] = []
    with hooked(told.append):
        await intake.handle(Delivery(envelope, token=None, **{"is_redelivered": False} | of_delivery))
    (fact,) = (fact for fact in told if isinstance(fact, OutcomeTold | RequestRejected))
    return fact.critical_s


@pytest.mark.parametrize(
    ("made_ago_s", "sent_ago_s", "seen_ago_s", "begun_ago_s"),
    [
        (None, None, None, 0),  # nobody says: now is when it is first seen
        (None, None, 300, 300),
        (20, None, None, 20),
        (None, 20, None, 20),
        (20, 30, None, 20),  # the timestamp has whole seconds, or the message was made long before it was sent
        (30, 20, None, 20),
        (20, 30, 300, 20),
        (-60, None, None, 0),  # a clock that is ahead is not believed
        (-60, 20, None, 20),
    ],
)
async def test_it_begins_when_the_request_was_sent_as_far_as_that_is_known(
    intake: Intake, made_ago_s: float | None, sent_ago_s: float | None, seen_ago_s: float | None, begun_ago_s: float
) -> None:
    told_s = await critical_s(
        intake, good(made_ago_s), sent_at=ago(sent_ago_s), first_seen_at=ago(seen_ago_s), published_at=None
    )

    assert begun_ago_s <= told_s < begun_ago_s + 10


async def test_a_replay_does_not_count_the_days_that_its_letter_lay_there(intake: Intake) -> None:
    assert 10 > await critical_s(intake, good(86_400), replays=1)


async def test_a_rejected_message_has_it_as_well(intake: Intake) -> None:
    told_s = await critical_s(intake, replace(good(None), body=b"no json"), sent_at=ago(20))

    assert 20 <= told_s < 30
