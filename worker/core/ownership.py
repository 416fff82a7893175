"""
Whose a service is that a look-up found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.core.answers import Service
from worker.core.job import Doubt, Job
from worker.core.marking import has_any_mark, has_mark


@dataclass(frozen=True, slots=True)
class Ours:
    """
    Exactly one service is this job's; proven when it bears the job's mark, whatever its age.
    """

    service: Service
    is_proven: bool = False


@dataclass(frozen=True, slots=True)
class Someone:
    """
    The router has a service, and it is not ours.
    """

    service: Service


@dataclass(frozen=True, slots=True)
class Several:
    """
    More than one service could be ours.
    """

    services: tuple[Service, ...]


@dataclass(frozen=True, slots=True)
class Nothing:
    """
    The router has no service.
    """


#: Null in the answer at first, filled in later or never (source: cloud API family, Life of a service).
_FILLED_LATER = frozenset({"external_v4_ip"})

Finding = Ours | Someone | Several | Nothing


def judge(job: Job, services: tuple[Service, ...], taken: frozenset[str], clock_tolerance_s: float) -> Finding:
    """
    What the services of a router mean for a job.

    A service is ours when every attribute that the request set is equal, no other job owns its id, and it
    is not older than the first attempt (design: Looking). With marks, it is ours when it bears our mark; only for
    a request that the ledger does not know the attributes count as well: it may have been sent without a mark.

    Args:
        job: the one that looks.
        services: what the cloud listed; those of other routers are left out here again.
        taken: ids that other jobs own.
        clock_tolerance_s: how far the cloud's clock may be behind ours.
    """
    here = tuple(one for one in services if one.attributes.get("router_id") == job.router_id)
    free = tuple(one for one in here if one.id not in taken) if job.may_own else ()
    if job.mark is not None:
        bearing = tuple(one for one in free if has_mark(one.attributes, job.mark))
        if bearing:
            return Ours(bearing[0], is_proven=True) if len(bearing) == 1 else Several(bearing)
    if job.mark is None or job.doubt is Doubt.STRANGER:
        unmarked = (one for one in free if job.mark is None or not has_any_mark(one.attributes))
        matching = tuple(one for one in unmarked if _could_be(job, one, clock_tolerance_s))
        if matching:
            return Ours(matching[0]) if len(matching) == 1 else Several(matching)
    return Someone(here[0]) if here else Nothing()


def _could_be(job: Job, service: Service, clock_tolerance_s: float) -> bool:
    return is_equal(job.wanted, service.attributes) and not _is_older(
        service.created_at, job.first_sent_at, clock_tolerance_s
    )


def is_equal(wanted: Mapping[str, object], shown: Mapping[str, object]) -> bool:
    """
    Whether a service has every attribute that a request set.

    An attribute asked for as null is the cloud's to choose, and so is one that the cloud does not show
    (`openstack` hides the order fields) or has not filled in yet.
    """
    return all(
        shown[name] == value or (name in _FILLED_LATER and shown[name] is None)
        for name, value in wanted.items()
        if value is not None and name in shown
    )


def _is_older(created_at: datetime | None, first_sent_at: datetime | None, clock_tolerance_s: float) -> bool:
    if created_at is None or first_sent_at is None:
        return False
    return created_at < first_sent_at - timedelta(seconds=clock_tolerance_s)
