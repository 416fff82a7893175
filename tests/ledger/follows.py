"""
Followed services to record: plain ones, and every shape one can have.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from tests.ledger.jobs import COUNTS, NOW, TEXTS, after
from worker.core.following import Ending, Follow, Target
from worker.core.job import RequestKey
from worker.core.rounds import Round

#: Of the plain follow's tenant, before it was ever made.
FIRST = Round(None, last_at=NOW, rest_until=NOW, failures=0, newest_at=NOW, deadline_at=after(3600))


def a_follow(request_id: str = "order-1", **changes: Any) -> Follow:
    """
    A service as it is first followed.
    """
    follow = Follow(
        key=RequestKey("shop", request_id),
        digest="d" * 64,
        tenant_id=None,
        service_id=f"service-of-{request_id}",
        target=Target.SETTLED,
        status="PENDING_CREATE",
        begun_at=NOW,
        changed_at=NOW,
        deadline_at=after(3600),
    )
    return replace(follow, **changes)


def told(follow: Follow, status: str | None, at_s: float, *, is_over: bool = False) -> Follow:
    """
    The follow once that status was told.
    """
    ending = Ending.REACHED if is_over else None
    return replace(
        follow, status=status, changed_at=after(at_s), changes=follow.changes + 1, is_over=is_over, ending=ending
    )


# A float of seconds holds the microseconds of this century.
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2105, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
#: A status is whatever a cloud calls one.
STATUSES = st.none() | st.text(st.characters(), max_size=20) | st.sampled_from(["\\", "\\u005c", "\ud83d\ude00", "\0"])
FOLLOW_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "key": st.builds(RequestKey, TEXTS, TEXTS),
    "digest": TEXTS,
    "tenant_id": st.none() | TEXTS.filter(bool),
    "service_id": TEXTS.filter(bool),
    "target": st.sampled_from(Target),
    "ending": st.none() | st.sampled_from(Ending),
    "status": STATUSES,
    "begun_at": MOMENTS,
    "changed_at": MOMENTS,
    "deadline_at": MOMENTS,
    "changes": COUNTS,
    "is_over": st.booleans(),
    "attempts": COUNTS,
    "reconciled": st.booleans(),
    "correlation_id": st.none() | TEXTS,
    "extensions": st.dictionaries(TEXTS, TEXTS | st.booleans() | st.integers(-(2**63), 2**63 - 1), max_size=4),
    "traceparent": st.none() | TEXTS,
    "tracestate": st.none() | TEXTS,
}
FOLLOWS = st.builds(Follow, **FOLLOW_FIELDS)
