"""
Followed services as rows.
"""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime

import pytest
from hypothesis import given

from tests.ledger.follows import FOLLOW_FIELDS, FOLLOWS, MOMENTS, a_follow
from worker.core.following import Follow
from worker.ledger.follow_rows import FollowRow, batches_of, from_follow_row, next_readable, readable, to_follow_row
from worker.ledger.sqlite_follows import moment_of


@given(follow=FOLLOWS)
def test_every_field_of_a_follow_comes_back(follow: Follow) -> None:
    row = to_follow_row(follow)

    assert follow == from_follow_row(row)
    assert isinstance((row.status or "").encode(), bytes)


def test_no_field_of_a_follow_is_left_untried() -> None:
    assert set(FOLLOW_FIELDS) == {field.name for field in fields(Follow)}


def test_a_status_stands_in_its_row_as_the_cloud_says_it() -> None:
    """
    For whoever reads the table: only what no database can hold looks different.
    """
    statuses = [to_follow_row(a_follow(status=status)).status for status in ("PENDING_CREATE", "größer", "a\ud800\\b")]

    assert ["PENDING_CREATE", "größer", r"a\ud800\u005cb"] == statuses


def test_what_is_not_there_takes_no_room() -> None:
    doc = to_follow_row(a_follow()).doc

    assert "null" not in doc


@given(moment=MOMENTS)
def test_microseconds_survive_as_seconds(moment: datetime) -> None:
    """
    Rounds are taken by comparing when they were last made.
    """
    assert moment == moment_of(moment.timestamp())
    assert moment.timestamp() == moment_of(moment.timestamp()).timestamp()


@pytest.mark.parametrize("doc", ["nonsense", "[]", "{}", '{"target": "deleted", "begun_at": "x", "extensions": {}}'])
def test_a_row_that_cannot_be_read_harms_no_neighbour(doc: str) -> None:
    rows = [to_follow_row(a_follow(name)) for name in "abc"]
    rows[1] = replace(rows[1], doc=doc)

    assert (a_follow("a"), a_follow("c")) == readable(rows)


async def test_a_batch_is_filled_up_behind_rows_that_cannot_be_read() -> None:
    """
    Whoever gets less than asked for takes it for the end.
    """
    rows = [to_follow_row(a_follow(name)) for name in "abcdef"]
    rows[0], rows[1], rows[3] = (replace(rows[number], doc="[]") for number in (0, 1, 3))

    async def read(after: str, limit: int) -> list[FollowRow]:
        return [row for row in rows if row.service_id > after][:limit]

    assert (a_follow("c"), a_follow("e")) == await next_readable(read, "", 2)
    assert (a_follow("f"),) == await next_readable(read, a_follow("e").service_id, 2)
    assert () == await next_readable(read, a_follow("f").service_id, 2)


def test_ids_are_looked_up_once_and_a_hundred_at_a_time() -> None:
    ids = [f"s-{number}" for number in range(250)]

    batches = list(batches_of([*ids, "\ud800", *ids]))

    assert [100, 100, 50] == [len(batch) for batch in batches]
    assert ids == [one for batch in batches for one in batch]
