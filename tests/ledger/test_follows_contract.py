"""
What every ledger promises about followed services (worker.ports.Follows), whatever it is made of.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from tests.ledger.conftest import OpenLedger
from tests.ledger.follows import FIRST, FOLLOWS, a_follow, told
from tests.ledger.jobs import NOW, after
from worker.core.following import Follow, Glimpse
from worker.core.job import RequestKey
from worker.errors import LedgerError
from worker.ports import Follows


async def all_followed(follows: Follows, tenant_id: str | None = None) -> tuple[Follow, ...]:
    return await follows.next_followed(tenant_id, "", 1000)


class TestBegin:
    async def test_a_service_is_followed_from_now_on(self, follows: Follows) -> None:
        await follows.begin(a_follow())

        assert (a_follow(),) == await all_followed(follows)
        assert 1 == await follows.count()

    async def test_one_that_is_known_stays_as_it_is(self, follows: Follows) -> None:
        """
        A redelivered request begins again, whatever was told meanwhile.
        """
        now = told(a_follow(), "DOWN", 5)
        await follows.begin(a_follow())
        await follows.note([now])

        await follows.begin(a_follow())
        await follows.begin(a_follow(service_id="other", begun_at=after(60)))

        assert (now,) == await all_followed(follows)

    async def test_what_is_over_does_not_begin_again(self, follows: Follows) -> None:
        await follows.begin(a_follow())
        await follows.note([told(a_follow(), "ACTIVE", 5, is_over=True)])

        await follows.begin(a_follow())

        assert () == await all_followed(follows)
        assert () == await follows.rounds(after(60))
        assert 0 == await follows.count()

    @pytest.mark.parametrize("key", [RequestKey("shop", "order-2"), RequestKey("other", "order-1")])
    async def test_source_and_id_together_make_the_key(self, follows: Follows, key: RequestKey) -> None:
        other = a_follow(key=key, service_id="z")
        await follows.begin(a_follow())
        await follows.begin(other)

        assert (a_follow(), other) == await all_followed(follows)

    async def test_many_at_once_are_all_followed(self, open_ledger: OpenLedger) -> None:
        ours, theirs = (await open_ledger("a")).follows, (await open_ledger("b")).follows
        many = [a_follow(f"{number:03}", tenant_id=f"t{number % 7}") for number in range(100)]

        await asyncio.gather(*(one.begin(follow) for follow in many for one in (ours, theirs)))

        assert 100 == await ours.count()
        assert 7 == len(await theirs.rounds(NOW))
        assert tuple(many[0::7]) == await all_followed(ours, "t0")


class TestOfServices:
    async def test_those_of_the_tenant_that_are_followed_are_told(self, follows: Follows) -> None:
        for name in ("one", "two", "over"):
            await follows.begin(a_follow(name))
        await follows.begin(a_follow("theirs", tenant_id="t"))
        await follows.note([told(a_follow("over"), "ACTIVE", 1, is_over=True)])
        ids = [f"service-of-{name}" for name in ("theirs", "over", "two", "unknown", "one", "two")]

        ours = await follows.of_services(None, ids)
        theirs = await follows.of_services("t", ids)

        assert {a_follow("one").id, a_follow("two").id} == {follow.id for follow in ours}
        assert 2 == len(ours)
        assert (a_follow("theirs", tenant_id="t"),) == theirs

    async def test_of_no_service_none_is_told(self, follows: Follows) -> None:
        await follows.begin(a_follow())

        assert () == await follows.of_services(None, ())

    async def test_any_number_may_be_asked_for(self, follows: Follows) -> None:
        many = {f"{number:03}": a_follow(f"{number:03}") for number in range(230)}
        await asyncio.gather(*(follows.begin(follow) for follow in many.values()))

        found = await follows.of_services(None, (follow.service_id for follow in many.values()))

        assert many == {follow.id: follow for follow in found}

    async def test_ids_that_no_ledger_can_hold_are_not_followed(self, follows: Follows) -> None:
        """
        A trouble harms only its own: one odd service in the cloud's list hides no other.
        """
        await follows.begin(a_follow())

        assert (a_follow(),) == await follows.of_services(None, ["\ud800", "a\0b", a_follow().service_id])


class TestNextFollowed:
    async def test_all_come_in_batches_by_service_id(self, follows: Follows) -> None:
        for name in ("d", "a", "c", "e", "b"):
            await follows.begin(a_follow(name, service_id=name))
        await follows.begin(a_follow("f", service_id="bb", tenant_id="t"))
        await follows.note([told(a_follow("c", service_id="c"), "DOWN", 1, is_over=True)])

        batches, after_id = [], ""
        while batch := await follows.next_followed(None, after_id, 2):
            batches.append([follow.service_id for follow in batch])
            after_id = batch[-1].service_id

        assert [["a", "b"], ["d", "e"]] == batches

    async def test_their_ids_alone_come_in_the_same_order(self, follows: Follows) -> None:
        for name in ("d", "a\0", "c", "ü", "b"):
            await follows.begin(a_follow(name, service_id=name))
        await follows.begin(a_follow("f", service_id="bb", tenant_id="t"))
        await follows.note([told(a_follow("c", service_id="c"), "DOWN", 1, is_over=True)])

        batches, after_id = [], ""
        while batch := await follows.next_ids(None, after_id, 2):
            batches.append(batch)
            after_id = batch[-1]

        assert [("a\0", "b"), ("d", "ü")] == batches
        assert ("bb",) == await follows.next_ids("t", "", 10)

    async def test_only_those_due_are_told_if_asked(self, follows: Follows) -> None:
        for name, deadline_s in (("a", 30), ("b", 10), ("c", 20), ("d", 10)):
            await follows.begin(a_follow(name, service_id=name, deadline_at=after(deadline_s)))

        async def due(before_s: float, after_id: str = "", limit: int = 10) -> list[str]:
            found = await follows.next_followed(None, after_id, limit, due_before=after(before_s))
            return [follow.service_id for follow in found]

        assert [] == await due(10)
        assert ["b", "d"] == await due(20)
        assert ["b", "c"] == await due(30, limit=2)
        assert ["d"] == await due(30, after_id="c")

    async def test_ids_may_be_any_text(self, follows: Follows) -> None:
        odd = [a_follow(f"{number}", service_id=text) for number, text in enumerate(["a\0b", "\\0", "\\", "ü", "'%_"])]
        for follow in odd:
            await follows.begin(follow)

        found: list[Follow] = []
        after_id = ""
        while batch := await follows.next_followed(None, after_id, 1):
            found += batch
            after_id = batch[-1].service_id

        assert {follow.service_id: follow for follow in odd} == {follow.service_id: follow for follow in found}
        assert len(odd) == len(found)


class TestNote:
    async def test_what_was_told_is_there(self, follows: Follows) -> None:
        one, two = told(a_follow("one"), "BUILD", 5), told(a_follow("two"), None, 6)
        for name in ("one", "two", "three"):
            await follows.begin(a_follow(name))

        await follows.note(iter([one, two]))

        assert (one, a_follow("three"), two) == await all_followed(follows)

    async def test_telling_again_is_safe(self, follows: Follows) -> None:
        await follows.begin(a_follow())
        for at_s in (5, 6):
            await follows.note([told(a_follow(), "DOWN", at_s)])

        assert (told(a_follow(), "DOWN", 5),) == await all_followed(follows)

    async def test_what_somebody_else_has_told_meanwhile_stays(self, open_ledger: OpenLedger) -> None:
        ours, theirs = (await open_ledger("a")).follows, (await open_ledger("b")).follows
        await ours.begin(a_follow())
        await ours.begin(a_follow("order-2"))
        later = told(told(a_follow(), "DOWN", 5), "ACTIVE", 6)
        await theirs.note([told(a_follow(), "DOWN", 5)])
        await theirs.note([later])

        await ours.note([told(a_follow(), "ERROR", 7, is_over=True), told(a_follow("order-2"), "DOWN", 7)])

        assert (later, told(a_follow("order-2"), "DOWN", 7)) == await all_followed(ours)

    async def test_changes_of_one_service_are_written_in_their_order(self, follows: Follows) -> None:
        await follows.begin(a_follow())
        first = told(a_follow(), "BUILD", 5)
        second = told(first, "DOWN", 6)

        await follows.note([first, second, told(second, "ACTIVE", 7)])

        assert (told(second, "ACTIVE", 7),) == await all_followed(follows)

    async def test_what_is_not_followed_is_not_made(self, follows: Follows) -> None:
        await follows.note([told(a_follow(), "DOWN", 5)])
        await follows.note([])

        assert () == await all_followed(follows)

    async def test_a_status_may_be_any_text(self, follows: Follows) -> None:
        """
        Half a surrogate pair is no UTF-8, and a status of the cloud all the same.
        """
        statuses = ["\udcff", "a\0b", "\\u0000", "\ud83d\ude00", ""]
        for number in range(len(statuses)):
            await follows.begin(a_follow(f"{number}"))

        await follows.note(told(a_follow(f"{number}"), status, 5) for number, status in enumerate(statuses))

        assert statuses == [follow.status for follow in await all_followed(follows)]


def with_names_of_its_own(follow: Follow) -> Follow:
    """
    The follow under a key, and of a tenant, that no other example has.
    """
    name = uuid.uuid4().hex
    key = RequestKey(follow.key.source, follow.key.id + name)
    return replace(follow, key=key, tenant_id=(follow.tenant_id or "") + name, is_over=False)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(first=FOLLOWS, later=FOLLOWS)
async def test_every_field_of_a_follow_comes_back(follows: Follows, first: Follow, later: Follow) -> None:
    first = replace(with_names_of_its_own(first), changes=min(first.changes, 2**31 - 2))
    later = replace(later, key=first.key, tenant_id=first.tenant_id, service_id=first.service_id)
    later = replace(later, changes=first.changes + 1, is_over=False)

    await follows.begin(first)
    begun = await all_followed(follows, first.tenant_id)
    await follows.note([later])

    assert (first,) == begun
    assert (later,) == await follows.of_services(first.tenant_id, [first.service_id])


class TestGlimpses:
    async def test_they_say_of_followed_services_what_the_follow_says(self, follows: Follows) -> None:
        odd = a_follow("a", service_id="a\0b", status="\\u005c\0")
        none = a_follow("b", service_id="b", status=None, deadline_at=after(0.123456))
        for follow in (odd, none, a_follow("c", service_id="c"), a_follow("d", service_id="d", tenant_id="t")):
            await follows.begin(follow)
        await follows.note([told(a_follow("c", service_id="c"), "DOWN", 1, is_over=True)])

        found = await follows.glimpses(None, ["a\0b", "b", "c", "d", "unknown", "\ud800"])

        assert {Glimpse(one.service_id, one.status, one.deadline_at) for one in (odd, none)} == set(found)

    async def test_any_number_can_be_asked_for(self, follows: Follows) -> None:
        for number in range(3):
            await follows.begin(a_follow(f"{number}", service_id=f"s-{number}"))

        found = await follows.glimpses(None, (f"s-{number}" for number in range(250)))

        assert ["s-0", "s-1", "s-2"] == sorted(one.service_id for one in found)
        assert () == await follows.glimpses(None, [])


@pytest.mark.parametrize(
    "call",
    [
        lambda follows: follows.begin(a_follow()),
        lambda follows: follows.rounds(NOW),
        lambda follows: follows.take(FIRST, NOW),
        lambda follows: follows.renew(FIRST, NOW),
        lambda follows: follows.glimpses(None, ["s"]),
        lambda follows: follows.of_services(None, ["s"]),
        lambda follows: follows.next_ids(None, "", 1),
        lambda follows: follows.next_followed(None, "", 1),
        lambda follows: follows.note([a_follow()]),
        lambda follows: follows.finish(FIRST),
        lambda follows: follows.count(),
    ],
)
async def test_a_closed_ledger_says_so(open_ledger: OpenLedger, call: Callable[[Follows], Awaitable[object]]) -> None:
    ledger = await open_ledger()
    await ledger.close()

    with pytest.raises(LedgerError, match="closed"):
        await call(ledger.follows)


async def test_closing_finishes_what_was_ordered(open_ledger: OpenLedger) -> None:
    ledger, later = await open_ledger("a"), await open_ledger("a")
    begun = asyncio.gather(*(ledger.follows.begin(a_follow(f"{number}")) for number in range(50)))
    await asyncio.sleep(0)

    await ledger.close()
    await begun

    assert 50 == await later.follows.count()
