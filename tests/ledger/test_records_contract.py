"""
What every ledger promises to people who read it (worker.ports.Records), whatever it is made of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ledger.conftest import Opened, OpenLedger
from tests.ledger.follows import a_follow, told
from tests.ledger.jobs import a_job, after, created, failed, in_doubt
from worker.core.following import Follow
from worker.core.job import Job, Phase, RequestKey
from worker.core.records import OPEN_STATES, STATES, Record, RecordFilter
from worker.errors import LedgerError
from worker.ports import Records

EVERYTHING = RecordFilter()


def in_state(job: Job, state: str) -> Job:
    if state == "created":
        return created(job, f"service-of-{job.key.id}")
    if state == "failed":
        return failed(job)
    return in_doubt(job) if state == "in_doubt" else replace(job, phase=Phase(state))


async def written(ledger: Opened, job: Job, at_s: float, follow: Follow | None = None) -> Record:
    """
    The record of a job that was written first at that time, and last a second later.
    """
    await ledger.claim(replace(job, phase=Phase.READY, outcome=None), after(at_s))
    await ledger.save(job, after(at_s + 1))
    if follow is not None:
        begun = replace(follow, status="PENDING_CREATE", changes=0, is_over=False)
        await ledger.follows.begin(begun)
        await ledger.follows.note([follow])
    return Record(job, after(at_s), after(at_s + 1), follow)


async def many(ledger: Opened) -> list[Record]:
    """
    Requests in every state, of some tenants, orders and sources, several of them written at the same moment.
    """
    records = []
    for number, (state, tenant) in enumerate(product(STATES, (None, "t1", "t2", "t1"))):
        wanted = {"tenant_id": tenant, "order_id": f"o{number % 5}" if number % 3 else None}
        key = RequestKey("shop" if number % 4 else "bulk", f"r{number:02}")
        job = in_state(a_job(key=key, router_id=f"{number}", wanted=wanted), state)
        follow = a_follow(key=key, tenant_id=tenant, service_id=f"s{number}", target=a_follow().target)
        follow = told(follow, "DOWN", 5, is_over=number % 2 == 0)
        records.append(written(ledger, job, number * 7 % 11, follow if state == "created" else None))
    return list(await asyncio.gather(*records))


def fits(record: Record, wanted: RecordFilter) -> bool:
    """
    The filter in words of this side.
    """
    job = record.job
    return (
        (not wanted.states or record.state in wanted.states)
        and wanted.tenant_id in {None, job.tenant_id}
        and wanted.order_id in {None, job.wanted["order_id"]}
        and wanted.source in {None, job.key.source}
        and wanted.service_id in {None, job.service_id}
        and (wanted.since is None or record.recorded_at >= wanted.since)
        and (wanted.until is None or record.recorded_at <= wanted.until)
        and (not wanted.is_followed or (record.follow is not None and not record.follow.is_over))
    )


async def paged(records: Records, wanted: RecordFilter, limit: int) -> list[Record]:
    found: list[Record] = []
    page: Sequence[Record] = await records.newest(wanted, limit)
    while page:
        assert len(page) <= limit
        found += page
        page = await records.newest(wanted, limit, page[-1].place)
    return found


MOMENTS = st.none() | st.integers(-1, 12).map(after)
FILTERS = st.builds(
    RecordFilter,
    states=st.frozensets(st.sampled_from(STATES))
    | st.sampled_from([frozenset({state}) for state in STATES])
    | st.just(frozenset(OPEN_STATES)),
    tenant_id=st.sampled_from([None, None, "t1", "t2", "t3"]),
    order_id=st.sampled_from([None, None, "o1", "o4", "o9"]),
    source=st.sampled_from([None, None, "shop", "bulk", "other"]),
    service_id=st.sampled_from([None, None, "service-of-r13", "service-of-r14", "none"]),
    since=MOMENTS,
    until=MOMENTS,
    is_followed=st.booleans(),
)


@pytest.fixture
async def everything(ledger: Opened) -> list[Record]:
    """
    What is in the ledger, in the order of the list.
    """
    return sorted(await many(ledger), key=lambda record: record.place, reverse=True)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(wanted=FILTERS, limit=st.integers(1, 30))
async def test_every_page_of_every_filter_is_right(
    ledger: Opened, everything: list[Record], wanted: RecordFilter, limit: int
) -> None:
    """
    Filters choose their index, and pages their place among others of the same moment.
    """
    expected = [record for record in everything if fits(record, wanted)]

    assert expected == await paged(ledger.records, wanted, limit)


@pytest.mark.parametrize(
    "wanted",
    [
        RecordFilter(states=frozenset({"in_doubt"})),
        RecordFilter(states=frozenset(OPEN_STATES)),
        RecordFilter(tenant_id="t1"),
        RecordFilter(order_id="o4"),
        RecordFilter(source="bulk"),
        RecordFilter(service_id="service-of-r13"),
        RecordFilter(since=after(3), until=after(3)),
        RecordFilter(is_followed=True),
    ],
)
async def test_every_filter_lets_some_through_and_others_not(
    ledger: Opened, everything: list[Record], wanted: RecordFilter
) -> None:
    """
    Luck finds no edge for certain, and may have tried little but empty pages.
    """
    found = await ledger.records.newest(wanted, 100)

    assert tuple(record for record in everything if fits(record, wanted)) == found
    assert 0 < len(found) < len(everything)


async def test_a_record_tells_its_job_its_times_and_what_was_followed(ledger: Opened) -> None:
    follow = told(a_follow(), "ACTIVE", 5, is_over=True)
    record = await written(ledger, created(a_job(), "s-1"), 3.000_001, follow)

    assert (record,) == await ledger.records.newest(EVERYTHING, 10)
    assert ("created", "ACTIVE", after(3.000_001)) == (record.state, record.status, record.place.recorded_at)


async def test_an_empty_ledger_has_none(ledger: Opened) -> None:
    assert () == await ledger.records.newest(EVERYTHING, 10)
    assert () == await ledger.records.of_request("order-1")


class TestOfRequest:
    async def test_a_request_is_found_by_its_id_alone(self, ledger: Opened) -> None:
        jobs = [a_job(key=RequestKey(source, "order-1"), router_id=source) for source in ("shop", "a", "z")]
        records = [await written(ledger, job, at_s) for at_s, job in enumerate([*jobs, a_job("order-2")])]

        assert (records[1], records[0], records[2]) == await ledger.records.of_request("order-1")
        assert (records[2],) == await ledger.records.of_request("order-1", "z")
        assert () == await ledger.records.of_request("order-3")
        assert () == await ledger.records.of_request("order-2", "z")

    async def test_what_was_followed_comes_with_it(self, ledger: Opened) -> None:
        record = await written(ledger, created(a_job(), "s-1"), 0, told(a_follow(), "DOWN", 5))

        assert (record,) == await ledger.records.of_request("order-1")


class TestOddTexts:
    async def test_texts_may_be_any(self, ledger: Opened) -> None:
        key = RequestKey("\\0", "a\\b\0c%_'\"")
        wanted = {"tenant_id": "t\0", "order_id": "o\\"}
        job = created(a_job(key=key, router_id="r\0", wanted=wanted), "s\0")
        record = await written(ledger, job, 0, told(a_follow(key=key, tenant_id="t\0", service_id="s\0"), "\ud800", 5))
        wanted_too = RecordFilter(tenant_id="t\0", order_id="o\\", source="\\0", service_id="s\0")

        assert (record,) == await ledger.records.newest(wanted_too, 10)
        assert (record,) == await ledger.records.of_request(key.id, key.source)
        assert () == await ledger.records.newest(EVERYTHING, 10, record.place)

    @pytest.mark.parametrize(
        "wanted",
        [
            RecordFilter(tenant_id="\udcff"),
            RecordFilter(order_id="\udcff"),
            RecordFilter(source="\udcff"),
            RecordFilter(service_id="\udcff"),
        ],
    )
    async def test_what_no_ledger_can_hold_is_not_found(self, ledger: Opened, wanted: RecordFilter) -> None:
        """
        A command line may say anything.
        """
        await written(ledger, a_job(), 0)

        assert () == await ledger.records.newest(wanted, 10)
        assert () == await ledger.records.of_request("\udcff")


async def test_a_closed_ledger_says_so(open_ledger: OpenLedger) -> None:
    ledger = await open_ledger()
    await ledger.close()

    for call in (ledger.records.newest(EVERYTHING, 1), ledger.records.of_request("order-1")):
        with pytest.raises(LedgerError, match="closed"):
            await call
