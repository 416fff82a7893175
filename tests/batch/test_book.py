"""
What is known of each order, what is still to be sent, and the result file.
"""

from __future__ import annotations

import csv
import fcntl
import json
import os
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.events import (
    ErrorField,
    ErrorInfo,
    VpnServiceCreated,
    VpnServiceCreateDelayed,
    VpnServiceCreateFailed,
    VpnServiceCreateInDoubt,
    VpnServiceCreateRejected,
    VpnServiceEvent,
    VpnServiceStatusChanged,
    encode_event,
)
from worker.batch.book import Book, State, Told
from worker.batch.checking import Orders, checked
from worker.batch.errors import ResultUnwritable
from worker.batch.orders import Manner
from worker.batch.pending import Pending
from worker.batch.results import NAMES, result_file, results
from worker.batch.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from messages.envelope import Envelope

NOW = datetime(2026, 1, 31, tzinfo=UTC)


@contextmanager
def batch(*ids: str) -> Iterator[tuple[Orders, Book]]:
    """
    A batch of orders with these ids, and its book.
    """
    rows = (Row("f.csv", line, {"id": identity, "router_id": "r"}) for line, identity in enumerate(ids, 2))
    with checked(rows, Manner("/shop")) as found:
        book = Book(found.orders)
        yield found.orders, book
        book.close()


def message(
    kind: type[VpnServiceEvent], request_id: str | None, source: str | None = "/shop", **fields: object
) -> Envelope:
    """
    An event as it comes from the broker.
    """
    extra = {"reason": "busy"} if kind is VpnServiceCreateDelayed else {}
    if kind is VpnServiceStatusChanged:
        extra = {"previous_status": None, "is_final": True}  # type: ignore[dict-item]
    event = kind.model_validate(
        {"request_id": request_id, "request_source": source, "occurred_at": NOW, **extra, **fields}
    )
    return encode_event(event, id="e", source="/w", subject=None, correlation_id="c", extensions={})


def test_each_event_is_written_down_for_its_order() -> None:
    failed = ErrorInfo(code="quota_exceeded", message="The quota is used up.")
    fields = [ErrorField(path="a", code="x", message="must be b"), ErrorField(path="c", code="y", message="must be d")]
    rejected = ErrorInfo(code="invalid", message="wrong", fields=fields)
    with batch("a", "b", "c", "d", "e") as (orders, book):
        assert 0 == book.note(message(VpnServiceCreated, "a", service_id="s-1"))
        assert 1 == book.note(message(VpnServiceCreateFailed, "b", error=failed))
        assert 2 == book.note(message(VpnServiceCreateRejected, "c", error=rejected))
        assert 3 == book.note(message(VpnServiceCreateInDoubt, "d", error=failed))
        assert book.note(message(VpnServiceCreateDelayed, "e")) is None
        rows = list(results(orders, book))
        assert {"waiting": 0, "delayed": 1, "created": 1, "failed": 1, "rejected": 1, "in_doubt": 1} == book.counts
        assert not book.all_told.is_set()
        assert 4 == book.note(message(VpnServiceCreated, "e", service_id="s-2"))
        assert book.all_told.is_set()

    assert ("f.csv", 2, "a", "created", "s-1", None, None) == rows[0]
    assert ("f.csv", 3, "b", "failed", None, "quota_exceeded", "The quota is used up.") == rows[1]
    assert ("f.csv", 4, "c", "rejected", None, "invalid", "a: must be b; c: must be d") == rows[2]
    assert "in_doubt" == rows[3][3]
    assert ("waiting", None, "delayed", "busy") == rows[4][3:]


def test_what_is_none_of_our_business_changes_nothing() -> None:
    with batch("a") as (_, book):
        for other in (
            message(VpnServiceCreated, "a", "/other"),
            message(VpnServiceCreated, "b"),
            message(VpnServiceCreated, None, None),
            message(VpnServiceStatusChanged, "a"),
        ):
            assert book.note(other) is None
        assert 1 == book.counts["waiting"]


def test_a_late_delay_undoes_no_outcome_and_doubt_can_be_resolved() -> None:
    with batch("a") as (_, book):
        book.note(message(VpnServiceCreateInDoubt, "a"))
        book.note(message(VpnServiceCreateDelayed, "a"))
        assert State.in_doubt is book.state(0)
        book.note(message(VpnServiceCreated, "a", service_id="s"))
        book.note(message(VpnServiceCreated, "a", service_id="s"))
        assert (State.created, Told("s")) == (book.state(0), book.told(0))
        assert 1 == sum(book.counts.values())


def taken(pending: Pending) -> list[tuple[int, int]]:
    """
    All that is to be sent now.
    """
    found = []
    while (one := pending.take()) is not None:
        found.append(one)
    return found


def test_every_order_is_sent_once_and_the_unconfirmed_again() -> None:
    pending = Pending(5)
    out = taken(pending)
    for place, in_round in out[:2]:
        pending.confirmed(place, in_round)
    for place, _ in out[2:]:
        pending.failed(place)

    assert [0, 1, 2, 3, 4] == [place for place, _ in out]
    assert pending.has_work.is_set()
    assert [2, 3, 4] == [place for place, _ in taken(pending)]
    assert 2 == pending.confirmed_count


def test_a_confirm_of_before_does_not_count_for_what_is_asked_again() -> None:
    """
    What was out when events were missed may have had its outcome meanwhile: it must be sent once more.
    """
    pending = Pending(4)
    out = taken(pending)
    for place, in_round in out[:2]:
        pending.confirmed(place, in_round)
    again = pending.ask_again(lambda place: place == 0)
    for place, in_round in out[2:]:
        pending.confirmed(place, in_round)

    assert 3 == again
    assert pending.all_safe.is_set()
    assert [1, 2, 3] == [place for place, _ in taken(pending)]


def test_what_has_its_outcome_is_not_sent_any_more() -> None:
    pending = Pending(3)
    pending.settled(1)

    assert [0, 2] == [place for place, _ in taken(pending)]
    assert 1 == pending.confirmed_count


@given(steps=st.lists(st.tuples(st.sampled_from(["take", "confirm", "fail", "again", "settle"]), st.integers(0, 7))))
def test_nothing_is_ever_forgotten(steps: list[tuple[str, int]]) -> None:
    """
    Whatever happens in whatever order: in the end every order is sent and safe, and nothing is left.
    """
    pending, settled = Pending(8), set[int]()
    out: list[tuple[int, int]] = []
    for step, number in steps:
        if step == "take" and (one := pending.take()) is not None:
            out.append(one)
        elif step == "confirm" and out:
            pending.confirmed(*out.pop(number % len(out)))
        elif step == "fail" and out:
            pending.failed(out.pop(number % len(out))[0])
        elif step == "again":
            pending.ask_again(settled.__contains__)
        elif step == "settle":
            settled.add(number)
            pending.settled(number)
    for one in out:
        pending.confirmed(*one)
    for one in taken(pending):
        pending.confirmed(*one)

    assert pending.all_safe.is_set()
    assert 8 == pending.confirmed_count
    assert [] == taken(pending)


def test_the_result_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "r.jsonl"
    target.write_text("old")
    with batch("a", "é\u202e") as (orders, book):
        book.note(message(VpnServiceCreated, "a", service_id="s"))
        with result_file(target, orders) as file:
            assert (tmp_path / "r.jsonl.partial").stat().st_size > 200  # the room is taken
            assert "old" == target.read_text()
            file.write(results(orders, book))
    rows = [json.loads(line) for line in target.read_text().splitlines()]

    assert [target] == list(tmp_path.iterdir())
    assert list(NAMES) == list(rows[0])
    assert [("f.csv", 2, "a", "created", "s"), ("f.csv", 3, "é\u202e", "waiting", None)] == [
        tuple(row[name] for name in NAMES[:5]) for row in rows
    ]


def test_a_run_that_writes_nothing_leaves_nothing(tmp_path: Path) -> None:
    with batch("a") as (orders, _), result_file(tmp_path / "r.csv", orders):
        pass

    assert [] == list(tmp_path.iterdir())


def test_no_cell_of_csv_is_a_formula(tmp_path: Path) -> None:
    ids = ["=1+1", "+1", "-1", "@a", "a,b", 'say "x"']
    with batch(*ids) as (orders, book), result_file(tmp_path / "r.csv", orders) as file:
        error = ErrorInfo(code="x", message="=cmd|'/c calc'!A0\nnext")
        book.note(message(VpnServiceCreateFailed, "a,b", error=error))
        file.write(results(orders, book))
    with (tmp_path / "r.csv").open(newline="", encoding="utf-8") as read:
        rows = list(csv.DictReader(read))

    assert ["'=1+1", "'+1", "'-1", "'@a", "a,b", 'say "x"'] == [row["id"] for row in rows]
    assert "'=cmd|'/c calc'!A0\nnext" == rows[4]["error_message"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "r.csv").symlink_to(tmp_path / "there" / "real.csv")
    with batch("a") as (orders, book), result_file(tmp_path / "r.csv", orders) as file:
        file.write(results(orders, book))

    assert (tmp_path / "r.csv").is_symlink()
    assert (tmp_path / "there" / "real.csv").read_text().startswith("file,line,id,")


@pytest.mark.parametrize("name", ["r.txt", "missing/r.csv", "folder.csv", "r"])
def test_where_no_result_can_be_is_told_before_anything_is_sent(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    with (
        batch("a") as (orders, _),
        pytest.raises(ResultUnwritable, match="nothing was sent"),
        result_file(tmp_path / name, orders),
    ):
        pass


def test_a_full_disk_is_told_before_anything_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with (
        batch("a") as (orders, _),
        pytest.raises(ResultUnwritable, match="no room"),
        result_file(tmp_path / "r.csv", orders),
    ):
        pass

    assert [] == list(tmp_path.iterdir())


def test_two_runs_do_not_write_one_result(tmp_path: Path) -> None:
    partial = tmp_path / "r.csv.partial"
    with partial.open("w") as other, batch("a") as (orders, _):
        other.write("theirs")
        other.flush()
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ResultUnwritable, match="Another run"), result_file(tmp_path / "r.csv", orders):
            pass

        assert "theirs" == partial.read_text()
