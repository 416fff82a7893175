"""
What every ledger promises (worker.ports.Ledger), whatever it is made of.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from tests.ledger.conftest import LEASE_S, OpenLedger
from tests.ledger.jobs import JOBS, NOW, a_job, after, created, failed, in_doubt
from worker.core.answers import Trouble
from worker.core.job import Job, Phase, RequestKey
from worker.errors import LedgerError
from worker.ports import Claimed, Held, Ledger, Reused, Saved


class TestClaim:
    async def test_an_unknown_request_is_written_and_ours(self, ledger: Ledger) -> None:
        assert Claimed(a_job(), is_new=True) == await ledger.claim(a_job(), NOW)

    async def test_our_own_request_is_given_back_as_it_was_saved(self, ledger: Ledger) -> None:
        await ledger.claim(a_job(), NOW)
        await ledger.save(a_job(attempts=7), NOW)

        assert Claimed(a_job(attempts=7), is_new=False) == await ledger.claim(a_job(), after(1))

    async def test_a_claim_writes_nothing_over_what_is_known(self, ledger: Ledger) -> None:
        await ledger.claim(a_job(), NOW)
        await ledger.claim(a_job(attempts=9, router_id="other"), NOW)

        assert Claimed(a_job(), is_new=False) == await ledger.claim(a_job(), NOW)

    async def test_the_same_key_with_another_body_is_reused(self, ledger: Ledger) -> None:
        await ledger.claim(a_job(), NOW)

        assert Reused() == await ledger.claim(a_job(digest="e" * 64), NOW)

    async def test_a_reused_key_is_told_even_while_another_worker_holds_it(self, open_ledger: OpenLedger) -> None:
        ours, theirs = await open_ledger("a"), await open_ledger("b")
        await theirs.claim(a_job(), NOW)

        assert Reused() == await ours.claim(a_job(digest="e" * 64), NOW)

    @pytest.mark.parametrize("key", [RequestKey("shop", "order-2"), RequestKey("other", "order-1")])
    async def test_source_and_id_together_make_the_key(self, ledger: Ledger, key: RequestKey) -> None:
        await ledger.claim(a_job(), NOW)

        other = a_job(key=key, router_id="elsewhere")

        assert Claimed(other, is_new=True) == await ledger.claim(other, NOW)

    async def test_what_another_worker_holds_is_held_until_its_lease_ends(self, open_ledger: OpenLedger) -> None:
        ours, theirs = await open_ledger("a"), await open_ledger("b")
        await theirs.claim(a_job(), NOW)

        assert Held(after(LEASE_S)) == await ours.claim(a_job(), after(LEASE_S - 0.001))

    async def test_when_the_lease_ends_the_job_is_taken_over(self, open_ledger: OpenLedger) -> None:
        ours, theirs = await open_ledger("a"), await open_ledger("b")
        await theirs.claim(a_job(), NOW)
        await theirs.save(a_job(attempts=2), NOW)

        taken = await ours.claim(a_job(), after(LEASE_S))

        assert Claimed(a_job(attempts=2), is_new=False) == taken
        assert Held(after(LEASE_S * 2)) == await theirs.claim(a_job(), after(LEASE_S))

    async def test_a_save_renews_the_lease(self, open_ledger: OpenLedger) -> None:
        ours, theirs = await open_ledger("a"), await open_ledger("b")
        await theirs.claim(a_job(), NOW)
        await theirs.save(a_job(), after(100))

        assert Held(after(100 + LEASE_S)) == await ours.claim(a_job(), after(LEASE_S + 1))

    async def test_a_done_job_is_claimed_by_everybody_without_a_lease(self, open_ledger: OpenLedger) -> None:
        """
        All that is left to do is to tell its outcome, and readers know a repeated event by its id.
        """
        ours, theirs = await open_ledger("a"), await open_ledger("b")
        done = created(a_job(), "s-1")
        await theirs.claim(a_job(), NOW)
        await theirs.save(done, NOW)

        assert [Claimed(done, is_new=False)] * 2 == [await one.claim(a_job(), after(1)) for one in (ours, theirs)]

    async def test_of_many_claims_at_once_exactly_one_is_new(self, open_ledger: OpenLedger) -> None:
        ours, theirs = await open_ledger("a"), await open_ledger("b")

        claims = await asyncio.gather(*(one.claim(a_job(), NOW) for one in (ours, theirs) * 20))

        assert 1 == sum(isinstance(claim, Claimed) and claim.is_new for claim in claims)
        assert 20 == sum(isinstance(claim, Held) for claim in claims)

    async def test_what_comes_at_once_for_one_request_is_done_one_after_the_other(self, ledger: Ledger) -> None:
        claims = await asyncio.gather(*(ledger.claim(a_job(), NOW) for _ in range(5)))
        saves = await asyncio.gather(*(ledger.save(a_job(attempts=attempts), NOW) for attempts in range(2, 7)))

        assert [True, False, False, False, False] == [isinstance(claim, Claimed) and claim.is_new for claim in claims]
        assert [Saved.WRITTEN] * 5 == saves
        assert Claimed(a_job(attempts=6), is_new=False) == await ledger.claim(a_job(), NOW)


class TestOneJobAtATimeOnARouter:
    """
    A look-up could not tell the services of two undecided requests for one router apart.
    """

    async def test_a_new_request_waits_while_another_is_under_way(self, ledger: Ledger) -> None:
        await ledger.claim(a_job("one", router_id="r"), NOW)

        claim = await ledger.claim(a_job("two", router_id="r"), NOW)

        assert isinstance(claim, Held)
        assert claim.until > NOW
        assert {"sent": 1} == await ledger.counts()

    async def test_it_waits_for_other_workers_too(self, open_ledger: OpenLedger) -> None:
        ours, theirs = await open_ledger("a"), await open_ledger("b")
        await theirs.claim(a_job("one", router_id="r"), NOW)

        assert isinstance(await ours.claim(a_job("two", router_id="r"), NOW), Held)

    async def test_it_waits_while_another_is_in_doubt_that_nobody_holds(self, ledger: Ledger) -> None:
        await ledger.claim(a_job("one", router_id="r"), NOW)
        await ledger.release(a_job("one", router_id="r", phase=Phase.LOOKING), NOW)

        assert isinstance(await ledger.claim(a_job("two", router_id="r"), after(LEASE_S * 2)), Held)

    async def test_it_goes_on_when_the_other_is_done(self, ledger: Ledger) -> None:
        await ledger.claim(a_job("one", router_id="r"), NOW)
        await ledger.save(created(a_job("one", router_id="r"), "s-1"), NOW)

        later = a_job("two", router_id="r")

        assert Claimed(later, is_new=True) == await ledger.claim(later, NOW)

    async def test_it_goes_on_while_the_other_waits_for_its_turn(self, ledger: Ledger) -> None:
        """
        One on a rung for an hour must not hold up the rest.
        """
        await ledger.claim(a_job("one", router_id="r"), NOW)
        await ledger.release(a_job("one", router_id="r", phase=Phase.READY), NOW)

        later = a_job("two", router_id="r")

        assert Claimed(later, is_new=True) == await ledger.claim(later, NOW)

    async def test_one_that_waited_gives_way_to_one_that_is_under_way(self, ledger: Ledger) -> None:
        waiting = a_job("one", router_id="r", phase=Phase.READY)
        await ledger.claim(waiting, NOW)
        await ledger.release(waiting, NOW)
        await ledger.claim(a_job("two", router_id="r"), NOW)

        assert isinstance(await ledger.claim(waiting, NOW), Held)

    @pytest.mark.parametrize("phase", [Phase.SENT, Phase.LOOKING])
    async def test_one_in_doubt_goes_first_whoever_else_there_is(self, ledger: Ledger, phase: Phase) -> None:
        """
        Two that wait for each other would wait for ever.
        """
        forgotten = a_job("one", router_id="r", phase=phase)
        await ledger.claim(forgotten, NOW)
        await ledger.release(forgotten, NOW)
        await ledger.claim(a_job("two", router_id="r"), after(86_400))

        assert Claimed(forgotten, is_new=False) == await ledger.claim(forgotten, after(86_401))

    async def test_one_that_nobody_came_back_for_does_not_hold_up_the_rest_for_ever(self, ledger: Ledger) -> None:
        await ledger.claim(a_job("one", router_id="r"), NOW)

        later = a_job("two", router_id="r")

        assert Claimed(later, is_new=True) == await ledger.claim(later, after(86_400))

    async def test_of_many_that_come_at_once_one_begins(self, open_ledger: OpenLedger) -> None:
        ours, theirs = await open_ledger("a"), await open_ledger("b")
        jobs = [a_job(f"{number}", router_id="r") for number in range(10)]

        claims = await asyncio.gather(*(one.claim(job, NOW) for job in jobs for one in (ours, theirs)))

        assert 1 == sum(isinstance(claim, Claimed) and claim.is_new for claim in claims)
        assert {"sent": 1} == await ours.counts()

    async def test_other_routers_go_on(self, ledger: Ledger) -> None:
        await ledger.claim(a_job("one"), NOW)

        assert Claimed(a_job("two"), is_new=True) == await ledger.claim(a_job("two"), NOW)


class TestSave:
    async def test_what_was_saved_is_there(self, ledger: Ledger) -> None:
        await ledger.claim(a_job(), NOW)

        assert Saved.WRITTEN is await ledger.save(a_job(phase=Phase.LOOKING, looks=3), NOW)
        assert Claimed(a_job(phase=Phase.LOOKING, looks=3), is_new=False) == await ledger.claim(a_job(), NOW)

    async def test_saving_again_is_safe(self, ledger: Ledger) -> None:
        await ledger.claim(a_job(), NOW)

        assert [Saved.WRITTEN] * 2 == [await ledger.save(a_job(attempts=2), NOW) for _ in range(2)]

    async def test_after_a_takeover_nothing_of_ours_is_written(self, open_ledger: OpenLedger) -> None:
        ours, theirs = await open_ledger("a"), await open_ledger("b")
        await ours.claim(a_job(), NOW)
        await theirs.claim(a_job(), after(LEASE_S))

        assert Saved.LEASE_LOST is await ours.save(failed(a_job()), after(LEASE_S))
        assert Saved.LEASE_LOST is await ours.release(a_job(attempts=9), after(LEASE_S))
        assert Claimed(a_job(), is_new=False) == await theirs.claim(a_job(), after(LEASE_S))

    async def test_a_lease_that_ended_unnoticed_is_still_ours(self, ledger: Ledger) -> None:
        await ledger.claim(a_job(), NOW)

        assert Saved.WRITTEN is await ledger.save(a_job(), after(LEASE_S * 9))

    async def test_a_job_that_was_never_claimed_is_not_ours_to_save(self, ledger: Ledger) -> None:
        assert Saved.LEASE_LOST is await ledger.save(a_job(), NOW)
        assert {} == await ledger.counts()

    async def test_a_service_belongs_to_one_job(self, ledger: Ledger) -> None:
        """
        The last guard against counting one service twice.
        """
        for name in ("one", "two"):
            await ledger.claim(a_job(name), NOW)

        first = await ledger.save(created(a_job("one"), "s-1"), NOW)
        second = await ledger.save(created(a_job("two"), "s-1"), NOW)

        assert (Saved.WRITTEN, Saved.SERVICE_TAKEN) == (first, second)
        assert Claimed(a_job("two"), is_new=False) == await ledger.claim(a_job("two"), NOW)

    async def test_a_taken_service_harms_no_neighbour(self, ledger: Ledger) -> None:
        for number in range(6):
            await ledger.claim(a_job(f"{number}"), NOW)

        saves = (ledger.save(created(a_job(f"{number}"), f"s-{number // 2}"), NOW) for number in range(6))

        assert [Saved.WRITTEN, Saved.SERVICE_TAKEN] * 3 == await asyncio.gather(*saves)
        assert {"created": 3, "sent": 3} == await ledger.counts()

    async def test_one_that_cannot_be_written_harms_no_neighbour(self, ledger: Ledger) -> None:
        """
        A trouble harms only its own message: half a surrogate pair is no UTF-8, and no repeating will make it so.
        """
        jobs = [a_job(f"{number}") for number in range(50)]
        await asyncio.gather(*(ledger.claim(job, NOW) for job in jobs))
        odd = Trouble("x", "\udcff")

        saves = (
            ledger.save(replace(job, attempts=2, trouble=odd if n % 10 == 0 else None), NOW)
            for n, job in enumerate(jobs)
        )
        results = await asyncio.gather(*saves, return_exceptions=True)

        assert all(isinstance(result, TypeError | ValueError) for result in results[::10])
        assert 45 == results.count(Saved.WRITTEN)
        assert Claimed(a_job("0"), is_new=False) == await ledger.claim(a_job("0"), NOW)
        assert Claimed(a_job("1", attempts=2), is_new=False) == await ledger.claim(a_job("1"), NOW)


class TestRelease:
    async def test_another_worker_can_claim_at_once(self, open_ledger: OpenLedger) -> None:
        ours, theirs = await open_ledger("a"), await open_ledger("b")
        await ours.claim(a_job(), NOW)

        assert Saved.WRITTEN is await ours.release(a_job(attempts=4), NOW)
        assert Claimed(a_job(attempts=4), is_new=False) == await theirs.claim(a_job(), NOW)

    async def test_what_was_released_is_no_longer_ours_to_save(self, ledger: Ledger) -> None:
        await ledger.claim(a_job(), NOW)
        await ledger.release(a_job(), NOW)

        assert Saved.LEASE_LOST is await ledger.save(a_job(attempts=8), NOW)


class TestRepeating:
    """
    A write may have been made although its answer was lost; whoever repeats it must not be told that it failed.
    """

    @pytest.mark.parametrize("finish", [failed, in_doubt, lambda job: created(job, "s-1")])
    async def test_a_finished_job_can_be_saved_again(self, ledger: Ledger, finish: Callable[[Job], Job]) -> None:
        await ledger.claim(a_job(), NOW)
        await ledger.save(finish(a_job()), NOW)

        assert Saved.WRITTEN is await ledger.save(finish(a_job()), after(1))

    async def test_a_job_can_be_released_again_until_somebody_claims_it(self, open_ledger: OpenLedger) -> None:
        ours, theirs = await open_ledger("a"), await open_ledger("b")
        await ours.claim(a_job(), NOW)
        await ours.release(a_job(attempts=2), NOW)

        again = await ours.release(a_job(attempts=2), NOW)
        await theirs.claim(a_job(), NOW)

        assert Saved.WRITTEN is again
        assert Saved.LEASE_LOST is await ours.release(a_job(attempts=2), NOW)

    async def test_another_outcome_is_not_taken_for_a_repeat(self, ledger: Ledger) -> None:
        await ledger.claim(a_job(), NOW)
        await ledger.save(failed(a_job()), NOW)

        assert Saved.LEASE_LOST is await ledger.save(in_doubt(a_job()), NOW)

    async def test_a_lease_that_was_given_up_does_not_come_back(self, ledger: Ledger) -> None:
        await ledger.claim(a_job(), NOW)
        await ledger.release(a_job(), NOW)

        assert Saved.LEASE_LOST is await ledger.save(a_job(), NOW)


async def test_a_caller_that_leaves_does_not_take_its_write_along(open_ledger: OpenLedger) -> None:
    ledger = await open_ledger()
    await ledger.claim(a_job(), NOW)

    leaving = asyncio.ensure_future(ledger.save(a_job(attempts=5), NOW))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving

    assert Claimed(a_job(attempts=5), is_new=False) == await ledger.claim(a_job(), NOW)


async def test_closing_finishes_what_was_ordered(open_ledger: OpenLedger) -> None:
    ledger, later = await open_ledger("a"), await open_ledger("a")
    claims = asyncio.gather(*(ledger.claim(a_job(f"{number}"), NOW) for number in range(50)))
    await asyncio.sleep(0)

    await ledger.close()
    await ledger.close()

    assert 50 == len(await claims)
    assert {"sent": 50} == await later.counts()
    with pytest.raises(LedgerError, match="closed"):
        await ledger.counts()


async def test_counts_tell_phases_and_outcomes_apart(ledger: Ledger) -> None:
    jobs = [
        a_job("1", phase=Phase.READY),
        a_job("2"),
        a_job("3", phase=Phase.LOOKING),
        created(a_job("4"), "s"),
        in_doubt(a_job("5")),
        failed(a_job("6")),
        failed(a_job("7")),
    ]

    for job in jobs:
        await ledger.claim(replace(job, phase=Phase.READY, outcome=None), NOW)
        await ledger.save(job, NOW)

    assert {
        "ready": 1,
        "sent": 1,
        "looking": 1,
        "created": 1,
        "in_doubt": 1,
        "failed": 2,
    } == dict(await ledger.counts())


def with_names_of_its_own(job: Job) -> Job:
    """
    The job under a key, and with a service, that no other example has.
    """
    name = uuid.uuid4().hex
    outcome = job.outcome
    if outcome is not None and outcome.service is not None:
        outcome = replace(outcome, service=replace(outcome.service, id=outcome.service.id + name))
    key = RequestKey(job.key.source, job.key.id + name)
    return replace(job, key=key, router_id=job.router_id + name, outcome=outcome)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(first=JOBS, later=JOBS)
async def test_every_field_of_a_job_comes_back(ledger: Ledger, first: Job, later: Job) -> None:
    first = with_names_of_its_own(first)
    later = replace(with_names_of_its_own(later), key=first.key, digest=first.digest, router_id=first.router_id)

    await ledger.claim(first, NOW)
    claimed = await ledger.claim(first, NOW)
    saved = await ledger.save(later, NOW)

    assert Claimed(first, is_new=False) == claimed
    assert Saved.WRITTEN is saved
    again = await ledger.claim(first, NOW)
    assert isinstance(again, Claimed)
    assert (Claimed(later, is_new=False), later.past, later.forgotten) == (again, again.job.past, again.job.forgotten)
