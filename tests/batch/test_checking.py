"""
The first pass over a batch: ids, repeats, lists that do not grow without end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.batch.checking import MAX_TOLD, checked
from worker.batch.errors import SpoolFull
from worker.batch.identities import Identities
from worker.batch.orders import Manner
from worker.batch.rows import Fault, Row
from worker.batch.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANNER = Manner("/shop")


def row(line: int, identity: object, router_id: str = "r") -> Row:
    """
    A row that is right.
    """
    return Row("f", line, {"id": identity, "router_id": router_id})


def test_orders_are_kept_in_their_order_and_found_by_id() -> None:
    rows = [row(line, f"id-{line}") for line in range(1, 3001)]
    with checked(rows, MANNER) as found:
        assert 3000 == len(found.orders)
        assert [one.line for one in rows] == [order.line for order in found.orders]
        assert 1234 == found.orders.place_of("id-1235")
        assert "id-1235" == found.orders.at(1234).id
        assert found.orders.place_of("other") is None


def test_the_same_row_twice_is_one_order_and_is_told() -> None:
    with checked([row(1, "a"), row(2, "b"), row(9, "a")], MANNER) as found:
        assert (2, 0, 1) == (len(found.orders), found.fault_count, found.repeat_count)
        assert [(1, 9)] == [(first.line, again.line) for first, again in found.repeats]


def test_one_id_for_two_orders_is_a_fault_with_both_lines() -> None:
    with checked([row(1, "a"), row(9, "a", "other")], MANNER) as found:
        [fault] = found.faults

    assert (9, "id", "id_repeated") == (fault.line, fault.path, fault.code)
    assert "f:1" in fault.message


def test_of_many_faults_the_first_are_kept_and_all_are_counted() -> None:
    with checked((row(line, "") for line in range(1, 501)), MANNER) as found:
        assert (500, MAX_TOLD) == (found.fault_count, len(found.faults))
        assert list(range(1, MAX_TOLD + 1)) == [fault.line for fault in found.faults]


def test_of_many_repeats_the_first_are_kept_and_all_are_counted() -> None:
    with checked((row(line, "a") for line in range(1, 502)), MANNER) as found:
        assert (500, MAX_TOLD) == (found.repeat_count, len(found.repeats))


def test_no_orders_at_all_are_a_fault() -> None:
    with checked([], MANNER) as found:
        assert ["no_orders"] == [fault.code for fault in found.faults]


def test_faults_of_the_reader_are_faults_of_the_batch() -> None:
    def rows() -> Iterator[Row | Fault]:
        yield row(1, "a")
        yield Fault("f", 2, "row", "not_json", "must be JSON")

    with checked(rows(), MANNER) as found:
        assert (1, 1) == (len(found.orders), found.fault_count)


@given(ids=st.lists(st.text(max_size=4), unique=True, max_size=60), others=st.lists(st.text(max_size=4), max_size=20))
def test_ids_are_found_where_they_were_put(ids: list[str], others: list[str]) -> None:
    known = Identities()
    for identity in ids:
        known.add(identity)

    assert list(range(len(ids))) == [known.place_of(identity) for identity in ids]
    for other in set(others) - set(ids):
        assert known.place_of(other) is None


@given(records=st.lists(st.binary(max_size=20), max_size=30))
def test_records_are_read_while_others_are_added(records: list[bytes]) -> None:
    with Spool() as spool:
        for place, record in enumerate(records):
            assert place == spool.add(record)
            assert records[place // 2] == spool.read(place // 2)

        assert records == list(spool)
        assert sum(map(len, records)) == spool.size_bytes


def test_no_room_for_temporary_files_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))

    with pytest.raises(SpoolFull, match="TMPDIR"):
        Spool()
