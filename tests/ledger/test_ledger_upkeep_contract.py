"""
What every ledger promises to look-ups, to people, to the janitor and to the quarantine, whatever it is made of.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.ledger.conftest import Opened, OpenLedger
from tests.ledger.follows import a_follow, told
from tests.ledger.jobs import NOW, a_job, after, created, failed, in_doubt
from worker.core.job import Job, OutcomeKind, Phase, RequestKey
from worker.core.records import RecordFilter
from worker.ports import Claimed, Ledger, Saved


class TestOwned:
    async def test_services_of_other_jobs_are_told(self, ledger: Ledger) -> None:
        for name in ("one", "two", "three"):
            await ledger.claim(a_job(name), NOW)
        await ledger.save(created(a_job("one"), "s-1"), NOW)
        await ledger.save(created(a_job("two"), "s-2"), NOW)

        owned = await ledger.owned(["s-1", "s-2", "s-3"], a_job("one").key)

        assert frozenset({"s-2"}) == owned

    async def test_of_no_service_none_is_owned(self, ledger: Ledger) -> None:
        assert frozenset() == await ledger.owned((), a_job().key)

    async def test_a_failed_job_owns_the_service_it_left_behind(self, ledger: Ledger) -> None:
        done = created(a_job(), "s-1")
        assert done.outcome is not None
        left_behind = replace(done, outcome=replace(done.outcome, kind=OutcomeKind.FAILED))
        await ledger.claim(a_job(), NOW)
        await ledger.save(left_behind, NOW)

        assert frozenset({"s-1"}) == await ledger.owned(["s-1"], a_job("other").key)


class TestFind:
    async def test_a_job_is_found_by_its_id_alone(self, ledger: Ledger) -> None:
        mine = a_job(attempts=3)
        others = [a_job(key=RequestKey(source, "order-1"), router_id=source) for source in ("a", "z")]
        for job in (mine, *others, a_job("order-2")):
            await ledger.claim(job, NOW)

        assert (others[0], mine, others[1]) == await ledger.find("order-1")
        assert (mine,) == await ledger.find("order-1", "shop")

    async def test_what_is_not_there_is_not_found(self, ledger: Ledger) -> None:
        assert () == await ledger.find("order-1")
        await ledger.claim(a_job(), NOW)

        assert () == await ledger.find("order-2")
        assert () == await ledger.find("order-1", "other")

    async def test_an_id_may_be_any_text(self, ledger: Ledger) -> None:
        odd = a_job(key=RequestKey("\\0", "a\\b\0c%_'\""), router_id="r")
        await ledger.claim(odd, NOW)

        assert (odd,) == await ledger.find(odd.key.id)
        assert (odd,) == await ledger.find(odd.key.id, odd.key.source)


class TestAmend:
    async def done(self, ledger: Ledger, job: Job) -> Job:
        await ledger.claim(a_job(job.key.id), NOW)
        await ledger.save(job, NOW)
        return job

    async def test_what_a_person_decided_is_written(self, ledger: Ledger) -> None:
        was = await self.done(ledger, in_doubt(a_job()))
        decided = created(a_job(), "s-1")

        assert Saved.WRITTEN is await ledger.amend(was, decided, after(5))
        assert (decided,) == await ledger.find("order-1")
        assert {"created": 1} == dict(await ledger.counts())

    async def test_a_job_to_be_done_again_is_free_for_whoever_claims_it(self, open_ledger: OpenLedger) -> None:
        ours, theirs = await open_ledger("a"), await open_ledger("b")
        was = await self.done(ours, failed(a_job()))
        again = a_job(phase=Phase.READY, replays=1)

        assert Saved.WRITTEN is await ours.amend(was, again, after(5))
        assert Claimed(again, is_new=False) == await theirs.claim(a_job(), after(6))

    async def test_of_two_people_the_first_decides(self, ledger: Ledger) -> None:
        was = await self.done(ledger, in_doubt(a_job()))
        await ledger.amend(was, created(a_job(), "s-1"), after(5))

        assert Saved.LEASE_LOST is await ledger.amend(was, failed(a_job()), after(6))
        assert (created(a_job(), "s-1"),) == await ledger.find("order-1")

    async def test_deciding_the_same_again_is_safe(self, ledger: Ledger) -> None:
        was = await self.done(ledger, in_doubt(a_job()))

        assert [Saved.WRITTEN] * 2 == [await ledger.amend(was, created(a_job(), "s-1"), after(n)) for n in range(2)]

    @pytest.mark.parametrize("phase", [Phase.READY, Phase.SENT, Phase.LOOKING])
    async def test_a_job_under_way_is_left_alone(self, ledger: Ledger, phase: Phase) -> None:
        await ledger.claim(a_job(phase=phase), NOW)

        assert Saved.LEASE_LOST is await ledger.amend(in_doubt(a_job()), failed(a_job()), NOW)
        assert (a_job(phase=phase),) == await ledger.find("order-1")

    async def test_a_job_that_is_not_there_is_not_made(self, ledger: Ledger) -> None:
        assert Saved.LEASE_LOST is await ledger.amend(in_doubt(a_job()), failed(a_job()), NOW)
        assert {} == await ledger.counts()

    async def test_a_service_of_another_job_cannot_be_given_away(self, ledger: Ledger) -> None:
        await self.done(ledger, created(a_job("one"), "s-1"))
        was = await self.done(ledger, in_doubt(a_job("two")))

        assert Saved.SERVICE_TAKEN is await ledger.amend(was, created(a_job("two"), "s-1"), NOW)
        assert (was,) == await ledger.find("two")


class TestPrune:
    async def finish(self, ledger: Ledger, job: Job, at_s: float) -> None:
        await ledger.claim(a_job(job.key.id), NOW)
        await ledger.save(job, after(at_s))

    async def left(self, ledger: Ledger, *names: str) -> list[str]:
        return [name for name in names if await ledger.find(name)]

    async def test_the_oldest_go_first_and_the_young_stay(self, ledger: Ledger) -> None:
        for at_s, name in ((30, "c"), (10, "a"), (20, "b"), (40, "d")):
            await self.finish(ledger, failed(a_job(name)), at_s)

        first, second, third = [await ledger.prune(after(40), 2) for _ in range(3)]

        assert (2, 1, 0) == (first, second, third)
        assert ["d"] == await self.left(ledger, "a", "b", "c", "d")

    async def test_only_what_is_done_and_decided_goes(self, ledger: Ledger) -> None:
        for phase in (Phase.READY, Phase.SENT, Phase.LOOKING):
            await self.finish(ledger, a_job(phase.value, phase=phase), 1)
        await self.finish(ledger, in_doubt(a_job("doubt")), 1)
        await self.finish(ledger, created(a_job("created"), "s-1"), 1)

        assert 1 == await ledger.prune(after(86_400), 100)
        assert {"ready": 1, "sent": 1, "looking": 1, "in_doubt": 1} == dict(await ledger.counts())

    async def test_what_was_forgotten_is_a_stranger(self, ledger: Ledger) -> None:
        await self.finish(ledger, created(a_job(), "s-1"), 1)
        await ledger.prune(after(2), 100)

        assert Claimed(a_job(), is_new=True) == await ledger.claim(a_job(), after(3))
        assert frozenset() == await ledger.owned(["s-1"], a_job("other").key)

    async def test_what_a_person_decided_lately_stays(self, ledger: Ledger) -> None:
        await self.finish(ledger, in_doubt(a_job()), 1)
        await ledger.amend(in_doubt(a_job()), failed(a_job()), after(100))

        assert 0 == await ledger.prune(after(99), 100)
        assert 1 == await ledger.prune(after(101), 100)

    async def test_what_is_still_followed_stays(self, ledger: Opened) -> None:
        """
        A service that settles late is told of, whatever the retention time is.
        """
        for name in ("followed", "over", "never"):
            await self.finish(ledger, created(a_job(name), f"service-of-{name}"), 1)
        for name in ("followed", "over"):
            await ledger.follows.begin(a_follow(name))
        await ledger.follows.note([told(a_follow("over"), "ACTIVE", 5, is_over=True)])

        assert 2 == await ledger.prune(after(86_400), 100)
        assert ["followed"] == await self.left(ledger, "followed", "over", "never")
        assert (a_follow("followed"),) == await ledger.follows.next_followed(None, "", 10)

    async def test_what_is_still_followed_does_not_hold_up_the_rest(self, ledger: Opened) -> None:
        """
        Whoever prunes goes on until nothing is left, a few at a time.
        """
        for at_s, name in enumerate(["a", "b", "c", "d"]):
            await self.finish(ledger, created(a_job(name), f"service-of-{name}"), at_s)
        for name in ("a", "b"):
            await ledger.follows.begin(a_follow(name))

        assert [1, 1, 0] == [await ledger.prune(after(86_400), 1) for _ in range(3)]
        assert ["a", "b"] == await self.left(ledger, "a", "b", "c", "d")

    async def test_what_was_followed_is_forgotten_with_its_job(self, ledger: Opened) -> None:
        await self.finish(ledger, created(a_job(), "service-of-order-1"), 1)
        await ledger.follows.begin(a_follow())
        await ledger.follows.note([told(a_follow(), "ACTIVE", 5, is_over=True)])
        await ledger.prune(after(86_400), 100)

        await ledger.follows.begin(a_follow())

        assert (a_follow(),) == await ledger.follows.next_followed(None, "", 10)

    async def test_only_so_many_go_at_a_time_with_what_was_followed(self, ledger: Opened) -> None:
        for at_s, name in enumerate(["a", "b"]):
            await self.finish(ledger, created(a_job(name), f"service-of-{name}"), at_s)
            await ledger.follows.begin(a_follow(name))
        await ledger.follows.note(told(a_follow(name), "ACTIVE", 5, is_over=True) for name in ("a", "b"))

        assert 1 == await ledger.prune(after(86_400), 1)
        assert ["b"] == await self.left(ledger, "a", "b")
        (record,) = await ledger.records.newest(RecordFilter(), 10)
        assert told(a_follow("b"), "ACTIVE", 5, is_over=True) == record.follow


class TestSuspects:
    async def test_each_note_counts_whoever_made_it(self, open_ledger: OpenLedger) -> None:
        ours, theirs = await open_ledger("a"), await open_ledger("b")

        assert [1, 2, 3] == [await one.mark_suspect("f", NOW) for one in (ours, theirs, ours)]
        assert 1 == await ours.mark_suspect("g", NOW)

    async def test_what_was_survived_begins_anew(self, ledger: Ledger) -> None:
        await ledger.mark_suspect("f", NOW)
        await ledger.mark_suspect("g", NOW)
        await ledger.clear_suspect("f")
        await ledger.clear_suspect("never noted")

        assert (1, 2) == (await ledger.mark_suspect("f", NOW), await ledger.mark_suspect("g", NOW))

    async def test_notes_at_once_are_all_counted(self, ledger: Ledger) -> None:
        assert set(range(1, 21)) == set(await asyncio.gather(*(ledger.mark_suspect("f", NOW) for _ in range(20))))

    async def test_old_notes_are_forgotten_with_old_jobs(self, ledger: Ledger) -> None:
        await ledger.mark_suspect("old", NOW)
        await ledger.mark_suspect("young", after(10))

        assert 0 == await ledger.prune(after(5), 100)
        assert (1, 2) == (await ledger.mark_suspect("old", NOW), await ledger.mark_suspect("young", NOW))
