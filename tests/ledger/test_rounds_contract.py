"""
What every ledger promises about rounds (worker.ports.Follows), whatever it is made of.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.ledger.conftest import LEASE_S, OpenLedger
from tests.ledger.follows import FIRST, a_follow, told
from tests.ledger.jobs import NOW, after
from worker.core.rounds import Round
from worker.ports import Follows


async def only_round(follows: Follows, at_s: float = 0) -> Round:
    (tour,) = await follows.rounds(after(at_s))
    return tour


class TestRounds:
    async def test_a_tenant_with_something_to_follow_has_one(self, follows: Follows) -> None:
        await follows.begin(a_follow())
        await follows.begin(a_follow("order-2", tenant_id="t", begun_at=after(1), changed_at=after(2)))

        rounds = await follows.rounds(NOW)

        theirs = replace(FIRST, tenant_id="t", last_at=after(1), rest_until=after(1), newest_at=after(2))
        assert {FIRST, theirs} == set(rounds)
        assert 2 == len(rounds)

    async def test_it_tells_the_newest_change_and_the_first_deadline(self, follows: Follows) -> None:
        for number, (changed_s, deadline_s) in enumerate([(5, 700), (9, 500), (7, 600)]):
            await follows.begin(a_follow(f"{number}", changed_at=after(changed_s), deadline_at=after(deadline_s)))
        over = a_follow("over", deadline_at=after(1))
        await follows.begin(over)
        await follows.note([told(over, "ERROR", 99, is_over=True)])

        assert replace(FIRST, newest_at=after(9), deadline_at=after(500)) == await only_round(follows)

    async def test_another_service_of_a_tenant_does_not_change_when_it_was_made(self, follows: Follows) -> None:
        await follows.begin(a_follow())
        await follows.begin(a_follow("order-2", begun_at=after(50), changed_at=after(50)))

        assert replace(FIRST, newest_at=after(50)) == await only_round(follows)

    async def test_a_tenant_whose_services_have_settled_has_none(self, follows: Follows) -> None:
        await follows.begin(a_follow())
        await follows.note([told(a_follow(), "DOWN", 5, is_over=True)])

        assert () == await follows.rounds(after(9))

    async def test_it_comes_back_with_the_next_service(self, follows: Follows) -> None:
        await follows.begin(a_follow())
        await follows.note([told(a_follow(), "DOWN", 5, is_over=True)])
        later = {"begun_at": after(500), "changed_at": after(500), "deadline_at": after(900)}
        await follows.begin(a_follow("order-2", **later))

        assert replace(FIRST, newest_at=after(500), deadline_at=after(900)) == await only_round(follows)

    async def test_microseconds_count(self, follows: Follows) -> None:
        odd = NOW + timedelta(microseconds=123_457)
        await follows.begin(a_follow(begun_at=odd, changed_at=odd, deadline_at=odd))

        assert Round(None, odd, odd, 0, odd, odd) == await only_round(follows)

    async def test_an_empty_ledger_has_none(self, follows: Follows) -> None:
        assert () == await follows.rounds(NOW)
        assert 0 == await follows.count()


class TestLease:
    @pytest.fixture
    async def pair(self, open_ledger: OpenLedger) -> tuple[Follows, Follows]:
        """
        Two workers, and one service to follow.
        """
        ours, theirs = (await open_ledger("a")).follows, (await open_ledger("b")).follows
        await ours.begin(a_follow())
        return ours, theirs

    async def test_only_one_gets_a_round(self, pair: tuple[Follows, Follows]) -> None:
        ours, theirs = pair

        assert await ours.take(FIRST, NOW)
        assert not await theirs.take(FIRST, after(LEASE_S - 0.001))

    async def test_of_many_that_would_have_it_one_gets_it(self, open_ledger: OpenLedger) -> None:
        workers = [(await open_ledger(f"worker-{number}")).follows for number in range(5)]
        for number in range(10):
            await workers[0].begin(a_follow(f"{number}", tenant_id=f"t{number}"))
        rounds = await workers[0].rounds(NOW)

        taken = [await asyncio.gather(*(one.take(tour, NOW) for one in workers)) for tour in rounds]

        assert [1] * 10 == [results.count(True) for results in taken]

    async def test_a_round_that_somebody_holds_is_not_shown_to_others(self, pair: tuple[Follows, Follows]) -> None:
        ours, theirs = pair
        await ours.take(FIRST, NOW)

        assert () == await theirs.rounds(after(LEASE_S - 0.001))
        assert (FIRST,) == await ours.rounds(after(1))

    async def test_when_the_lease_ends_another_takes_it_over(self, pair: tuple[Follows, Follows]) -> None:
        ours, theirs = pair
        await ours.take(FIRST, NOW)

        assert (FIRST,) == await theirs.rounds(after(LEASE_S))
        assert await theirs.take(FIRST, after(LEASE_S))
        assert not await ours.take(FIRST, after(LEASE_S))

    async def test_taking_again_is_safe(self, pair: tuple[Follows, Follows]) -> None:
        ours, theirs = pair

        assert [True, True] == [await ours.take(FIRST, after(at_s)) for at_s in (0, 10)]
        assert not await theirs.take(FIRST, after(LEASE_S + 9))

    async def test_a_round_that_was_made_meanwhile_is_not_made_again(self, pair: tuple[Follows, Follows]) -> None:
        ours, theirs = pair
        await ours.take(FIRST, NOW)
        await ours.finish(replace(FIRST, last_at=after(0.000_001)))

        assert not await theirs.take(FIRST, after(1))
        assert await theirs.take(replace(FIRST, last_at=after(0.000_001)), after(1))

    async def test_renewing_lengthens_it(self, pair: tuple[Follows, Follows]) -> None:
        ours, theirs = pair
        await ours.take(FIRST, NOW)

        assert await ours.renew(FIRST, after(100))
        assert not await theirs.take(FIRST, after(100 + LEASE_S - 1))

    async def test_what_another_has_taken_cannot_be_renewed(self, pair: tuple[Follows, Follows]) -> None:
        ours, theirs = pair
        await ours.take(FIRST, NOW)
        await theirs.take(FIRST, after(LEASE_S))

        assert not await ours.renew(FIRST, after(LEASE_S))
        assert await theirs.renew(FIRST, after(LEASE_S))

    async def test_a_lease_that_ended_unnoticed_is_still_ours(self, pair: tuple[Follows, Follows]) -> None:
        ours, _ = pair
        await ours.take(FIRST, NOW)

        assert await ours.renew(FIRST, after(LEASE_S * 9))

    async def test_what_nobody_took_cannot_be_renewed(self, pair: tuple[Follows, Follows]) -> None:
        ours, _ = pair

        assert not await ours.renew(FIRST, NOW)
        assert not await ours.renew(replace(FIRST, tenant_id="unknown"), NOW)
        assert not await ours.take(replace(FIRST, tenant_id="unknown"), NOW)

    async def test_finishing_writes_the_round_and_frees_it(self, pair: tuple[Follows, Follows]) -> None:
        ours, theirs = pair
        made = replace(FIRST, last_at=after(7), rest_until=after(27), failures=3)
        await ours.take(FIRST, NOW)
        await ours.finish(made)

        assert (made,) == await theirs.rounds(after(7))
        assert await theirs.take(made, after(7))

    async def test_finishing_what_another_has_taken_writes_nothing(self, pair: tuple[Follows, Follows]) -> None:
        ours, theirs = pair
        await ours.take(FIRST, NOW)
        await theirs.take(FIRST, after(LEASE_S))

        await ours.finish(replace(FIRST, last_at=after(7), failures=3))

        assert (FIRST,) == await theirs.rounds(after(LEASE_S))
        assert () == await ours.rounds(after(LEASE_S))
        assert await theirs.renew(FIRST, after(LEASE_S))

    async def test_finishing_again_is_safe(self, pair: tuple[Follows, Follows]) -> None:
        ours, theirs = pair
        made = replace(FIRST, last_at=after(7))
        await ours.take(FIRST, NOW)
        await ours.finish(made)
        await theirs.take(made, after(8))

        await ours.finish(made)

        assert (made,) == await theirs.rounds(after(9))
        assert () == await ours.rounds(after(9))

    async def test_rounds_of_two_tenants_are_held_apart(self, pair: tuple[Follows, Follows]) -> None:
        ours, theirs = pair
        await ours.begin(a_follow("order-2", tenant_id="t"))

        assert await ours.take(FIRST, NOW)
        assert await theirs.take(replace(FIRST, tenant_id="t"), NOW)
