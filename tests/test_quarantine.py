"""
The quarantine: what was returned often is touched alone, and parked when it has killed whoever touched it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from messages.envelope import Envelope
from tests.stand_ins import Now
from worker.gate import Gate
from worker.ledger.sqlite import SqliteLedger
from worker.ports import Ack, Dead, Delivery, Verdict
from worker.quarantine import POISON_TRIES, SUSPECT_AFTER, Quarantine, fingerprint

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SOON_S = 10.0


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    opened = SqliteLedger(tmp_path / "ledger.sqlite3", "a", 120.0)
    await opened.start()
    yield opened
    await opened.close()


def envelope(body: bytes = b"{}", returns: int = 0) -> Envelope:
    named = {"ce-id": "order-1", "ce-source": "/shop", "x-delivery-count": returns}
    return Envelope(body, named, content_type=None, message_id=None, app_id=None, correlation_id=None, reply_to=None)


def delivery(body: bytes = b"{}", returns: int = SUSPECT_AFTER) -> Delivery:
    return Delivery(envelope(body), is_redelivered=returns > 0, token=None, returns=returns)


async def survive(_: Delivery) -> Verdict:
    return Ack()


async def die(_: Delivery) -> Verdict:
    """
    As the process dies: nothing after it runs, so the test never lets it end.
    """
    await asyncio.Event().wait()
    raise AssertionError


async def touched_and_killed(ledger: SqliteLedger, one: Delivery) -> None:
    """
    What is on disk when a worker dies while it touches the message: the note and nothing after it.
    """
    await ledger.mark_suspect(fingerprint(one.envelope), Now().now())


async def test_a_message_that_was_seldom_returned_is_read_beside_others(ledger: SqliteLedger) -> None:
    quarantine = Quarantine(ledger, Now(), Gate())
    dying = asyncio.create_task(quarantine.guarded(delivery(returns=SUSPECT_AFTER - 1), die))
    async with asyncio.timeout(SOON_S):
        assert Ack() == await quarantine.guarded(delivery(returns=SUSPECT_AFTER - 1), survive)

    dying.cancel()


async def test_suspects_are_touched_one_at_a_time(ledger: SqliteLedger) -> None:
    quarantine = Quarantine(ledger, Now(), Gate())
    most = now = 0

    async def handle(_: Delivery) -> Verdict:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return Ack()

    many = [delivery(body=str(number).encode()) for number in range(5)]
    async with asyncio.timeout(SOON_S):
        verdicts = await asyncio.gather(*(quarantine.guarded(one, handle) for one in many))

    assert [Ack()] * 5 == verdicts
    assert 1 == most


async def test_what_killed_its_workers_is_parked_unread(ledger: SqliteLedger) -> None:
    quarantine = Quarantine(ledger, Now(), Gate())
    for _ in range(POISON_TRIES):
        await touched_and_killed(ledger, delivery())
    verdict = await quarantine.guarded(delivery(returns=SUSPECT_AFTER + POISON_TRIES), die)

    assert isinstance(verdict, Dead)
    assert "poison" == verdict.reason


async def test_one_death_less_and_it_is_read_again(ledger: SqliteLedger) -> None:
    quarantine = Quarantine(ledger, Now(), Gate())
    for _ in range(POISON_TRIES - 1):
        await touched_and_killed(ledger, delivery())

    assert Ack() == await quarantine.guarded(delivery(), survive)


async def test_who_survives_its_message_forgets_the_notes(ledger: SqliteLedger) -> None:
    quarantine = Quarantine(ledger, Now(), Gate())
    for _ in range(POISON_TRIES - 1):
        await touched_and_killed(ledger, delivery())
    await quarantine.guarded(delivery(), survive)

    assert 1 == await ledger.mark_suspect(fingerprint(delivery().envelope), Now().now())


async def test_the_notes_of_one_message_say_nothing_of_another(ledger: SqliteLedger) -> None:
    quarantine = Quarantine(ledger, Now(), Gate())
    for _ in range(POISON_TRIES):
        await touched_and_killed(ledger, delivery())

    assert Ack() == await quarantine.guarded(delivery(body=b"another"), survive)


@pytest.mark.parametrize("change", ["body", "id", "source", "message_id"])
def test_a_fingerprint_tells_messages_apart(change: str) -> None:
    one = envelope()
    other = {
        "body": replace(one, body=b"{ }"),
        "id": replace(one, headers={**one.headers, "ce-id": "2"}),
        "source": replace(one, headers={**one.headers, "ce-source": "/mall"}),
        "message_id": replace(one, message_id="m"),
    }[change]

    assert fingerprint(one) != fingerprint(other)


def test_a_fingerprint_is_the_same_at_every_return() -> None:
    once, twice = envelope(returns=5), envelope(returns=6)

    assert fingerprint(once) == fingerprint(twice)
