"""
How SQLite finds what is followed, and what people ask for: through indexes, however large the ledger.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.ledger.jobs import NOW
from worker.core.records import OPEN_STATES, RecordFilter
from worker.ledger import record_query, sqlite_sql
from worker.ledger import sqlite_follows_sql as sql
from worker.ledger.sqlite_file import open_database
from worker.ledger.sqlite_records import DIALECT


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """
    An empty ledger: without statistics its plans are those of any.
    """
    with closing(open_database(tmp_path / "ledger.sqlite3")) as opened:
        yield opened


def plan(database: sqlite3.Connection, statement: str) -> set[str]:
    """
    What SQLite would do, but for reading what it has made itself.
    """
    values = [None] * statement.count("?")
    steps = {step for _, _, _, step in database.execute(f"EXPLAIN QUERY PLAN {statement}", values)}
    return {step for step in steps if "SUBQUERY" not in step}


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (sql.OF_SERVICE, "INDEX follows_open (tenant_id=? AND service_id=? AND is_over=?)"),
        (sql.NEXT, "INDEX follows_open (tenant_id=? AND service_id>?)"),
        (sql.NEXT_DUE, "INDEX follows_open (tenant_id=? AND service_id>?)"),
        (sql.NOTE, "PRIMARY KEY (source=? AND id=?)"),
    ],
)
def test_a_service_is_searched_in_an_index(database: sqlite3.Connection, statement: str, index: str) -> None:
    assert {f"SEARCH follows USING {index}"} == plan(database, statement)


def test_a_page_of_services_is_compared_in_the_index_alone(database: sqlite3.Connection) -> None:
    expected = {"SEARCH follows USING COVERING INDEX follows_open (tenant_id=? AND service_id=? AND is_over=?)"}

    assert expected == plan(database, sql.glimpses(100))


def test_rounds_read_no_more_than_two_services_a_tenant(database: sqlite3.Connection) -> None:
    expected = {
        "SCAN rounds",
        "SEARCH follows USING INDEX follows_by_change (tenant_id=?)",
        "SEARCH follows USING INDEX follows_by_deadline (tenant_id=?)",
    }

    assert expected == plan(database, sql.ROUNDS)


def test_services_are_counted_without_a_look_at_them(database: sqlite3.Connection) -> None:
    assert {"SCAN follows USING COVERING INDEX follows_open"} == plan(database, sql.COUNT)


def test_what_can_be_forgotten_is_searched_by_age(database: sqlite3.Connection) -> None:
    expected = {
        "SEARCH jobs USING INDEX jobs_to_prune (updated_at<?)",
        "SEARCH follows USING PRIMARY KEY (source=? AND id=?)",
    }

    assert expected == plan(database, sqlite_sql.PRUNABLE)


@pytest.mark.parametrize(
    ("wanted", "step"),
    [
        (RecordFilter(), "SCAN jobs USING COVERING INDEX jobs_by_age"),
        (RecordFilter(states=frozenset({"failed"})), "SCAN jobs USING COVERING INDEX jobs_by_age"),
        (RecordFilter(tenant_id="t", source="s"), "SCAN jobs USING COVERING INDEX jobs_by_age"),
        (RecordFilter(since=NOW), "SEARCH jobs USING COVERING INDEX jobs_by_age (created_at>?)"),
        (RecordFilter(is_followed=True), "SCAN follows USING COVERING INDEX follows_open"),
        (RecordFilter(states=frozenset({"in_doubt"})), "SCAN jobs USING INDEX jobs_in_doubt"),
        (RecordFilter(states=frozenset(OPEN_STATES)), "SCAN jobs USING INDEX jobs_undecided"),
        (RecordFilter(order_id="o"), "SEARCH jobs USING INDEX jobs_by_order (order_id=?)"),
        (RecordFilter(service_id="s"), "SEARCH jobs USING INDEX jobs_by_service (service_id=?)"),
    ],
)
def test_records_are_found_in_an_index(database: sqlite3.Connection, wanted: RecordFilter, step: str) -> None:
    statement, _ = record_query.newest(wanted, 50, None, DIALECT)

    found = plan(database, statement)

    assert step in found
    assert not found & {"SCAN jobs", "SCAN follows"}


def test_the_newest_come_without_sorting_all(database: sqlite3.Connection) -> None:
    """
    Only the page itself is put in order again.
    """
    statement, _ = record_query.newest(RecordFilter(), 50, None, DIALECT)

    steps = [step for *_, step in database.execute(f"EXPLAIN QUERY PLAN {statement}", [50])]

    assert 1 == steps.count("USE TEMP B-TREE FOR ORDER BY")
