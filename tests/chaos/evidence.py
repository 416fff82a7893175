"""
What was asked, told, made and left waiting: the world after a run. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tests.chaos.plan import Fate

CREATED, FAILED, REJECTED, IN_DOUBT = "created", "failed", "rejected", "in doubt"

OUTCOMES = MappingProxyType(
    {
        "vpn.vpnservice.created.v1": CREATED,
        "vpn.vpnservice.create-failed.v1": FAILED,
        "vpn.vpnservice.create-rejected.v1": REJECTED,
        "vpn.vpnservice.create-in-doubt.v1": IN_DOUBT,
    }
)
CHANGED = "vpn.vpnservice.status-changed.v1"
#: The statuses that every service of a run goes through, in order; at the last one following it ends.
PENDING, BUILD, ACTIVE = JOURNEY = ("PENDING_CREATE", "BUILD", "ACTIVE")


@dataclass(frozen=True, slots=True)
class Asked:
    """
    A request as the publisher knows it.

    Attributes:
        ref: its name.
        router_id: the router it is for, which no other request has.
        fate: what must become of it.
        confirmed_at_s: when the broker confirmed it for the first time, seconds since the epoch; None: never.
    """

    ref: str
    router_id: str
    fate: Fate
    confirmed_at_s: float | None


@dataclass(frozen=True, slots=True)
class Told:
    """
    One copy of an outcome event that the broker kept.

    Attributes:
        copy: the message id, which no other publish has.
        event_id: `ce-id`, the same for every copy of an event.
        ref: of the request (the correlation id).
        outcome: created, failed, rejected or in doubt.
        service_id: as told.
        reconciled: found by a look-up.
        attempts: as told.
        at_s: when it was told, seconds since the epoch.
        status: of the service, as told.
        place: in the queue of all events, from 0.
    """

    copy: str
    event_id: str
    ref: str
    outcome: str
    service_id: str | None = None
    reconciled: bool = False
    attempts: int = 1
    at_s: float = 0.0
    status: str | None = None
    place: int = 0


@dataclass(frozen=True, slots=True)
class Changed:
    """
    One copy of a status event that the broker kept.

    Attributes:
        copy: the message id, which no other publish has.
        event_id: `ce-id`, the same for every copy of an event.
        ref: of the request (the correlation id).
        service_id: as told.
        status, previous_status: as told.
        is_final: nothing more is told of the service.
        place: in the queue of all events, from 0.
    """

    copy: str
    event_id: str
    ref: str
    service_id: str | None
    status: str | None
    previous_status: str | None
    is_final: bool = False
    place: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """
    The world after a run.

    Attributes:
        asked: every request, also those that were never confirmed.
        told: every copy of an outcome.
        services: (id, router id) of every service in the cloud.
        waiting: refs of the messages left in the work queue and on the rungs, by queue.
        dead: refs of the dead letters.
        jobs: phase or outcome in the ledger of the requests that have no outcome event.
        counts: the ledger's jobs by phase or outcome.
        changed: every copy of a status event.
    """

    asked: tuple[Asked, ...]
    told: tuple[Told, ...]
    services: tuple[tuple[str, str], ...]
    waiting: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dead: tuple[str, ...] = ()
    jobs: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    changed: tuple[Changed, ...] = ()

    @property
    def events(self) -> dict[str, dict[str, Told]]:
        """
        The events of each request by event id; of several copies the one told first.
        """
        found: dict[str, dict[str, Told]] = defaultdict(dict)
        for one in sorted(self.told, key=lambda one: one.at_s):
            found[one.ref].setdefault(one.event_id, one)
        return found

    @property
    def unsettled(self) -> list[str]:
        """
        Confirmed requests without an outcome.
        """
        told = {one.ref for one in self.told}
        return [one.ref for one in self.asked if one.confirmed_at_s is not None and one.ref not in told]

    @property
    def created(self) -> dict[str, Told]:
        """
        The created event of each request, of its copies the first in the queue.
        """
        return _first_created(self.told)

    @property
    def status_events(self) -> dict[str, list[Changed]]:
        """
        The status events of each request, of their copies the first, in the order of the queue.
        """
        firsts: dict[tuple[str, str], Changed] = {}
        for one in sorted(self.changed, key=lambda one: one.place):
            firsts.setdefault((one.ref, one.event_id), one)
        found: dict[str, list[Changed]] = defaultdict(list)
        for one in firsts.values():
            found[one.ref].append(one)
        return found


def followed(told: Iterable[Told]) -> dict[str, Told]:
    """
    The created events, by request, of the services that had not come to their end when they were told.
    """
    return {ref: one for ref, one in _first_created(told).items() if one.status != ACTIVE}


def unfinished(told: Iterable[Told], changed: Iterable[Changed]) -> set[str]:
    """
    Requests whose service is followed, and whose final status event is not told.
    """
    return set(followed(told)) - {one.ref for one in changed if one.is_final}


def _first_created(told: Iterable[Told]) -> dict[str, Told]:
    found: dict[str, Told] = {}
    for one in sorted(told, key=lambda one: one.place):
        if one.outcome == CREATED:
            found.setdefault(one.ref, one)
    return found
