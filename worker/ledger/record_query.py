"""
The queries by which people read the ledger, for both databases: only placeholders and values differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from worker.core.records import OPEN_STATES, Position, RecordFilter
from worker.ledger.follow_rows import is_unicode

#: A record; the follow's part is null where nothing was followed.
_RECORD = """
SELECT jobs.source, jobs.id, jobs.digest, jobs.router_id, jobs.phase, jobs.doc, jobs.created_at, jobs.updated_at,
       follows.tenant_id, follows.service_id, follows.status, follows.changes, follows.is_over, follows.changed_at,
       follows.deadline_at, follows.doc AS follow_doc
"""
_JOINED = """
JOIN jobs ON jobs.source = page.source AND jobs.id = page.id
LEFT JOIN follows ON follows.source = page.source AND follows.id = page.id
"""
_JOBS = "SELECT jobs.source, jobs.id FROM jobs"
_NEWEST_FIRST = "ORDER BY jobs.created_at DESC, jobs.source DESC, jobs.id DESC"
#: Behind everything else that a text can go on with.
_LAST = "\U0010ffff"
_OPEN = frozenset(OPEN_STATES)
_IN_DOUBT = frozenset({"in_doubt"})
# From one source to the next by the primary key: there are few, and no index on `id` alone has to be kept.
_SOURCES = """
WITH RECURSIVE sources (source) AS (
    SELECT MIN(source) FROM jobs
    UNION ALL
    SELECT (SELECT MIN(jobs.source) FROM jobs WHERE jobs.source > sources.source)
    FROM sources WHERE sources.source IS NOT NULL
)
SELECT jobs.source, jobs.id FROM sources JOIN jobs ON jobs.source = sources.source
"""


@dataclass(frozen=True, slots=True)
class Dialect:
    """
    How a database wants to be asked.

    Attributes:
        placeholder: of the value with that number, counted from 1.
        text, moment: a value as the columns hold it.
        by_index: what to say behind a table's name so that an index of it is used; nothing where statistics decide.
        order_id: the column as its index has it.
        is_followed: the condition that a job's service is being followed.
    """

    placeholder: Callable[[int], str]
    text: Callable[[str], str]
    moment: Callable[[datetime], object]
    by_index: Callable[[str], str]
    order_id: str
    is_followed: str


@dataclass(slots=True)
class Query:
    """
    A statement in the making, and its values.
    """

    dialect: Dialect
    conditions: list[str] = field(default_factory=list)
    values: list[object] = field(default_factory=list)

    def value(self, value: object) -> str:
        """
        The placeholder of a value that is added.
        """
        self.values.append(value)
        return self.dialect.placeholder(len(self.values))

    def one_of(self, expression: str, *texts: str) -> None:
        """
        Adds the condition that an expression is one of these texts; one that is no Unicode is in no ledger.
        """
        known = (self.dialect.text(text) if is_unicode(text) else None for text in texts)
        self.conditions.append(f"{expression} IN ({', '.join(self.value(text) for text in known)})")

    def begins(self, column: str, text: str) -> None:
        """
        Adds the condition that a column's text begins like this; character by character, nothing in it is a pattern.
        """
        if not is_unicode(text):
            self.conditions.append("1 = 0")
            return
        kept = self.dialect.text(text)
        self.conditions.append(f"{column} >= {self.value(kept)} AND {column} < {self.value(kept + _LAST)}")

    def since(self, relation: str, moment: datetime) -> None:
        """
        Adds the condition that it was first written at a time of that relation to a moment.
        """
        self.conditions.append(f"jobs.created_at {relation} {self.value(self.dialect.moment(moment))}")

    def before(self, place: Position) -> None:
        """
        Adds the condition that it stands behind that place in the order of the list.
        """
        recorded_at = self.value(self.dialect.moment(place.recorded_at))
        rest = ", ".join(self.value(self.dialect.text(text)) for text in (place.source, place.id))
        self.conditions.append(f"(jobs.created_at, jobs.source, jobs.id) < ({recorded_at}, {rest})")


def newest(wanted: RecordFilter, limit: int, before: Position | None, dialect: Dialect) -> tuple[str, list[object]]:
    """
    The statement for a page of records, and its values.
    """
    query = Query(dialect)
    _by_state(query, wanted.states)
    named = (
        ("jobs.source", wanted.source),
        ("jobs.tenant_id", wanted.tenant_id),
        (dialect.order_id, wanted.order_id),
        ("jobs.service_id", wanted.service_id),
        ("jobs.router_id", wanted.router_id),
    )
    for column, text in named:
        if text is not None:
            query.one_of(column, text)
    if wanted.id_begins is not None:
        query.begins("jobs.id", wanted.id_begins)
    if wanted.since is not None:
        query.since(">=", wanted.since)
    if wanted.until is not None:
        query.since("<=", wanted.until)
    if wanted.is_followed:
        query.conditions.append(dialect.is_followed)
    if before is not None:
        query.before(before)
    where = f"WHERE {' AND '.join(query.conditions)}" if query.conditions else ""
    keys = f"{_JOBS} {dialect.by_index(_index(wanted))} {where} {_NEWEST_FIRST} LIMIT {query.value(limit)}"
    return _records(keys, _NEWEST_FIRST), query.values


def of_request(request_id: str, source: str | None, dialect: Dialect) -> tuple[str, list[object]]:
    """
    The statement for the records of a request id, and its values.
    """
    query = Query(dialect)
    query.one_of("jobs.id", request_id)
    if source is not None:
        query.one_of("jobs.source", source)
    keys = f"{_SOURCES} WHERE {' AND '.join(query.conditions)}"
    return _records(keys, "ORDER BY jobs.source"), query.values


def _records(keys: str, order: str) -> str:
    # Keys first: no more documents are read than given, whatever had to be looked at.
    return f"{_RECORD} FROM ({keys}) AS page {_JOINED} {order}"


def _by_state(query: Query, states: frozenset[str]) -> None:
    # The first two in words of their own: an index of some rows serves only who asks for these.
    if states == _IN_DOUBT:
        query.conditions.append("jobs.outcome = 'in_doubt'")
    elif states and states <= _OPEN:
        query.conditions.append("jobs.phase <> 'done'")
        query.one_of("jobs.phase", *states)
    elif states:
        query.one_of("COALESCE(jobs.outcome, jobs.phase)", *states)


def _index(wanted: RecordFilter) -> str:
    if wanted.service_id is not None:
        return "jobs_by_service"
    if wanted.order_id is not None:
        return "jobs_by_order"
    if wanted.states == _IN_DOUBT:
        return "jobs_in_doubt"
    if wanted.states and wanted.states <= _OPEN:
        return "jobs_undecided"
    return "jobs_by_age"
