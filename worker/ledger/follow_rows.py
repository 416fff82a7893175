"""
Followed services as rows and back: the columns that queries need, and a JSON document for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final

import orjson
import structlog

from worker.core.following import Ending, Follow, Target
from worker.core.job import RequestKey

log = structlog.get_logger()

#: Services that are looked up in one go; small enough that no job waits for it.
_BATCH = 100
#: Fields of a follow that JSON holds as they are; those that are None are left out.
_PLAIN = ("digest", "attempts", "reconciled", "correlation_id", "traceparent", "tracestate")
#: What not every database can hold in a text, and the mark of an escape.
_UNFIT: Final = re.compile("[\\\\\0\ud800-\udfff]")
_ESCAPED: Final = re.compile(r"\\u([0-9a-f]{4})")


@dataclass(frozen=True, slots=True)
class FollowRow:
    """
    What a row says of a followed service: the columns that queries need, and `doc` for the rest.
    """

    source: str
    id: str
    tenant_id: str
    service_id: str
    status: str | None
    changes: int
    is_over: bool
    changed_at: datetime
    deadline_at: datetime
    doc: str


def to_follow_row(follow: Follow) -> FollowRow:
    """
    The row of a followed service; raises ValueError or TypeError for one that no database can hold.

    Its status is escaped, since it alone comes from an answer that no job was written with: any text will do.
    """
    doc: dict[str, Any] = {name: told for name in _PLAIN if (told := getattr(follow, name)) is not None}
    if follow.ending is not None:
        doc["ending"] = follow.ending.value
    doc |= {"target": follow.target.value, "begun_at": follow.begun_at, "extensions": dict(follow.extensions)}
    return FollowRow(
        source=follow.source,
        id=follow.id,
        tenant_id=tenant_column(follow.tenant_id),
        service_id=follow.service_id,
        status=None if follow.status is None else _UNFIT.sub(_escape, follow.status),
        changes=follow.changes,
        is_over=follow.is_over,
        changed_at=follow.changed_at,
        deadline_at=follow.deadline_at,
        doc=orjson.dumps(doc).decode(),
    )


def from_follow_row(row: FollowRow) -> Follow:
    """
    The followed service of a row, the exact inverse of `to_follow_row`.

    Raises:
        ValueError, TypeError, KeyError: it cannot be read.
    """
    read: dict[str, Any] = orjson.loads(row.doc)
    return Follow(
        key=RequestKey(row.source, row.id),
        tenant_id=row.tenant_id or None,
        service_id=row.service_id,
        target=Target(read["target"]),
        status=status_of(row.status),
        begun_at=datetime.fromisoformat(read["begun_at"]),
        changed_at=row.changed_at,
        deadline_at=row.deadline_at,
        changes=row.changes,
        is_over=row.is_over,
        ending=Ending(read["ending"]) if "ending" in read else None,
        extensions=read["extensions"],
        **{name: read[name] for name in _PLAIN if name in read},
    )


def status_of(kept: str | None) -> str | None:
    """
    The status that a column holds.
    """
    return kept if kept is None or "\\" not in kept else _ESCAPED.sub(_unescape, kept)


def readable(rows: Iterable[FollowRow]) -> tuple[Follow, ...]:
    """
    The followed services of the rows that can be read; one that cannot must not keep the others from being followed.
    """
    found = []
    for row in rows:
        try:
            found.append(from_follow_row(row))
        except (ValueError, TypeError, KeyError) as exc:
            log.warning("ledger.follow_unreadable", source=row.source, id=row.id, error=repr(exc))
    return tuple(found)


def tenant_column(tenant_id: str | None) -> str:
    """
    A tenant as the columns name it: a key has no nulls, and no request names an empty tenant.
    """
    return tenant_id or ""


async def next_readable(
    read: Callable[[str, int], Awaitable[Sequence[FollowRow]]], after: str, limit: int
) -> tuple[Follow, ...]:
    """
    The first `limit` that can be read: a shorter batch means that there are no more.

    Args:
        read: gives the next rows after a service id, up to a number.
        after: a service id.
        limit: 1 or more.
    """
    found: list[Follow] = []
    is_last = False
    while len(found) < limit and not is_last:
        missing = limit - len(found)
        rows = await read(after, missing)
        found += readable(rows)
        is_last = len(rows) < missing
        after = rows[-1].service_id if rows else after
    return tuple(found)


def batches_of(service_ids: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """
    The ids that a ledger can hold, each once, a few at a time.
    """
    ids = (one for one in dict.fromkeys(service_ids) if is_unicode(one))
    while batch := tuple(islice(ids, _BATCH)):
        yield batch


def is_unicode(text: str) -> bool:
    """
    Whether a database can hold the text: half a surrogate pair has no UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _unescape(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))
