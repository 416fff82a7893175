"""
Rounds: when a tenant's followed services are looked at, all of them with one list.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from worker.core.following import FollowPolicy

#: The interval grows with the time for which nothing has changed: a quarter of it.
_GROWTH = 0.25
#: A deadline brings a round forward, but rounds for deadlines alone are no closer than this share of the longest interval.
_DEADLINE_SHARE = 0.2
#: Share of the time in which a tenant's calls may be under way: a list of many pages is asked for less often.
_BUSY_SHARE = 0.1
#: How often the wait after a failed round doubles.
_MOST_DOUBLINGS = 10


@dataclass(frozen=True, slots=True)
class Round:
    """
    The look at one tenant's services, again and again.

    Attributes:
        tenant_id: whose; None for requests that name no tenant.
        last_at: when it was last made, or the tenant first had something to follow.
        rest_until: not before then.
        failures: how often in a row it was throttled or failed.
        newest_at: when the status of any of them was last told, or was first followed.
        deadline_at: the first of their deadlines.
    """

    tenant_id: str | None
    last_at: datetime
    rest_until: datetime
    failures: int
    newest_at: datetime
    deadline_at: datetime


def interval_s(age_s: float, policy: FollowPolicy) -> float:
    """
    Seconds between two rounds.

    Args:
        age_s: for how long nothing has changed, in seconds.
        policy: its bounds.

    Returns:
        `least_interval_s` to `most_interval_s`, growing with the age.
    """
    return min(policy.most_interval_s, max(policy.least_interval_s, age_s * _GROWTH))


def due_at(tour: Round, now: datetime, policy: FollowPolicy) -> datetime:
    """
    When a round is to be made: soon after something changed, less and less often while nothing does.

    Args:
        tour: as the ledger has it.
        now: aware UTC.
        policy: how often.
    """
    if tour.last_at > now + timedelta(seconds=policy.most_interval_s):
        return now  # a clock was set back: nobody should wait until that moment comes again
    age_s = (tour.last_at - tour.newest_at).total_seconds()
    usual = tour.last_at + timedelta(seconds=interval_s(age_s, policy))
    for_deadline_s = max(policy.least_interval_s, policy.most_interval_s * _DEADLINE_SHARE)
    for_deadline = max(tour.deadline_at, tour.last_at + timedelta(seconds=for_deadline_s))
    return max(tour.rest_until, min(usual, for_deadline))


def after_round(tour: Round, asked_s: float, now: datetime, policy: FollowPolicy, *, is_well: bool) -> Round:
    """
    The round once it was made.

    Args:
        tour: as it was before.
        asked_s: how long calls to the cloud were under way in it.
        now: when it ended, aware UTC.
        policy: how often.
        is_well: the cloud has answered all of it, and did not ask for calm.
    """
    failures = 0 if is_well else tour.failures + 1
    rest_s = asked_s * (1 / _BUSY_SHARE - 1)
    if failures:
        rest_s = max(rest_s, policy.least_interval_s * 2.0 ** min(failures, _MOST_DOUBLINGS))
    # However long it took, nobody waits longer than this for a status.
    rest = timedelta(seconds=min(rest_s, policy.most_interval_s))
    return replace(tour, last_at=now, rest_until=now + rest, failures=failures)
