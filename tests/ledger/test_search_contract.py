"""
What every ledger promises to who looks for a request by a text (worker.ports.Records.search).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ledger.jobs import a_job, after, created
from worker.core.job import RequestKey
from worker.core.records import RecordFilter

if TYPE_CHECKING:
    from tests.ledger.conftest import Opened

EVERYTHING = RecordFilter()


async def wrote(ledger: Opened, number: int, request_id: str, **wanted: object) -> None:
    job = a_job(key=RequestKey("shop", request_id), router_id=f"router-{number}", wanted=wanted)
    await ledger.claim(job, after(number))
    await ledger.save(created(job, f"service-{number}"), after(number + 1))


@pytest.fixture
async def filled(ledger: Opened) -> Opened:
    await wrote(ledger, 1, "a-1", order_id="o-1", tenant_id="t-1")
    await wrote(ledger, 2, "a-2", order_id="o-1", tenant_id="t-2")
    await wrote(ledger, 3, "b%_", order_id="a-2", tenant_id="t-1")
    await wrote(ledger, 4, "ü\U0010fffe\0 '\"\\", order_id=None)
    return ledger


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a-1", ["a-1"]),
        ("a-", ["a-2", "a-1"]),
        ("a-2", ["b%_", "a-2"]),
        ("o-1", ["a-2", "a-1"]),
        ("t-1", ["b%_", "a-1"]),
        ("service-2", ["a-2"]),
        ("router-3", ["b%_"]),
        ("b%", ["b%_"]),
        ("%", []),
        ("_", []),
        ("A-1", []),
        ("ü", ["ü\U0010fffe\0 '\"\\"]),
        ("ü\U0010fffe\0 '\"\\", ["ü\U0010fffe\0 '\"\\"]),
        ("\ud800", []),
        ("\0", []),
        ("router", []),
    ],
)
async def test_a_text_finds_what_it_names_the_newest_first(filled: Opened, text: str, found: list[str]) -> None:
    records = await filled.records.search(text, EVERYTHING, 10)

    assert found == [record.job.key.id for record in records]


async def test_the_filter_holds_as_well(filled: Opened) -> None:
    records = await filled.records.search("a-", RecordFilter(tenant_id="t-2"), 10)

    assert ["a-2"] == [record.job.key.id for record in records]


async def test_pages_follow_each_other(filled: Opened) -> None:
    first = await filled.records.search("o-1", EVERYTHING, 1)
    second = await filled.records.search("o-1", EVERYTHING, 1, first[-1].place)
    third = await filled.records.search("o-1", EVERYTHING, 1, second[-1].place)

    assert (["a-2"], ["a-1"], ()) == ([one.job.key.id for one in first], [one.job.key.id for one in second], third)
