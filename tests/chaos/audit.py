"""
The audit: what was asked, told, made and left waiting, held against the promises. Pure.
"""

from __future__ import annotations

from collections import Counter, defaultdict
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
_EXPECTED = {
    Fate.GOOD: CREATED,
    Fate.INVALID: REJECTED,
    Fate.NAMELESS: REJECTED,
    Fate.REFUSED: FAILED,
    Fate.FORBIDDEN: FAILED,
    Fate.EXPIRED: FAILED,
}
#: A job in the ledger that has its outcome.
_DONE = frozenset({"created", "failed", "in_doubt"})


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
    """

    copy: str
    event_id: str
    ref: str
    outcome: str
    service_id: str | None = None
    reconciled: bool = False
    attempts: int = 1
    at_s: float = 0.0


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
    """

    asked: tuple[Asked, ...]
    told: tuple[Told, ...]
    services: tuple[tuple[str, str], ...]
    waiting: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dead: tuple[str, ...] = ()
    jobs: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

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


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """
    A promise that was broken.

    Attributes:
        rule: which promise; a key of RULES.
        ref: the request.
        words: what was found.
    """

    rule: str
    ref: str
    words: str


#: The rules, each with what it says; the order of the report.
RULES = MappingProxyType(
    {
        "lost": "requests lost: confirmed to the publisher, in no queue, known to nobody",
        "unspoken": "requests acked without a confirmed event: known to the ledger, in no queue, no outcome told",
        "outcomes": "requests with two different outcomes, or one outcome under two event ids",
        "doubled": "services created twice for a request",
        "service": "events of created that do not name the one service of the request",
        "leftover": "services of requests that were not told as created",
        "wrong": "requests with another outcome than they must have",
        "stranger": "events or services nobody asked for",
        "shared_id": "event ids used for two requests",
        "ledger": "counts of the ledger that differ from the events",
        "dead": "rejected requests without a dead letter",
    }
)


def audit(world: Evidence) -> list[Violation]:
    """
    Every broken promise; none for a world that is as it must be.
    """
    rules = (_losses, _outcomes, _services, _strangers, _event_ids, _ledger, _dead_letters)
    return sorted(violation for rule in rules for violation in rule(world))


def in_doubt(world: Evidence) -> list[str]:
    """
    Requests left for a person; no broken promise, but none of them needs to be in a run like this.
    """
    return sorted({one.ref for one in world.told if one.outcome == IN_DOUBT})


def _losses(world: Evidence) -> Iterable[Violation]:
    seen = {ref for refs in world.waiting.values() for ref in refs} | set(world.dead)
    for ref in world.unsettled:
        if ref in seen:
            continue
        state = world.jobs.get(ref)
        if state is None:
            yield Violation("lost", ref, "no outcome, no message, no job")
        else:
            done = "done" if state in _DONE else "not done"
            yield Violation("unspoken", ref, f"no outcome, no message; its job is {state} ({done})")


def _outcomes(world: Evidence) -> Iterable[Violation]:
    fates = {one.ref: one.fate for one in world.asked}
    for ref, events in world.events.items():
        kinds = {one.outcome for one in events.values()}
        if len(events) > 1:
            yield Violation("outcomes", ref, f"{len(events)} event ids, outcomes {', '.join(sorted(kinds))}")
        elif ref in fates and not kinds <= {_EXPECTED[fates[ref]], IN_DOUBT}:
            yield Violation("wrong", ref, f"{', '.join(kinds)}, but it is {fates[ref]}")


def _services(world: Evidence) -> Iterable[Violation]:
    by_router: dict[str, list[str]] = defaultdict(list)
    for service_id, router_id in world.services:
        by_router[router_id].append(service_id)
    waiting = {ref for refs in world.waiting.values() for ref in refs} | set(world.dead)
    events = world.events
    for one in world.asked:
        made = by_router.get(one.router_id, [])
        told = [event for event in events.get(one.ref, {}).values() if event.outcome == CREATED]
        if len(made) > 1:
            yield Violation("doubled", one.ref, f"{len(made)} services: {', '.join(made)}")
        for event in told:
            if [event.service_id] != made and len(made) < 2:
                yield Violation("service", one.ref, f"told {event.service_id}, the cloud has {made or 'none'}")
            elif event.service_id not in made:
                yield Violation("service", one.ref, f"told {event.service_id}, the cloud has {made}")
        outcomes = {event.outcome for event in events.get(one.ref, {}).values()}
        is_open = outcomes == {IN_DOUBT} or (not outcomes and one.ref in waiting)
        if made and not told and not is_open:
            yield Violation("leftover", one.ref, f"the cloud has {', '.join(made)}")


def _strangers(world: Evidence) -> Iterable[Violation]:
    refs = {one.ref for one in world.asked}
    routers = {one.router_id for one in world.asked}
    for ref in world.events.keys() - refs:
        yield Violation("stranger", ref, "an outcome nobody asked for")
    for service_id, router_id in world.services:
        if router_id not in routers:
            yield Violation("stranger", router_id, f"service {service_id} nobody asked for")


def _event_ids(world: Evidence) -> Iterable[Violation]:
    refs: dict[str, set[str]] = defaultdict(set)
    for one in world.told:
        refs[one.event_id].add(one.ref)
    for event_id, users in refs.items():
        if len(users) > 1:
            yield Violation("shared_id", min(users), f"{event_id} is used for {', '.join(sorted(users))}")


def _ledger(world: Evidence) -> Iterable[Violation]:
    told = Counter(kind for events in world.events.values() for kind in {one.outcome for one in events.values()})
    for outcome in (CREATED, FAILED, IN_DOUBT):
        kept = world.counts.get(outcome.replace(" ", "_"), 0)
        if world.counts and kept != told[outcome]:
            yield Violation("ledger", outcome, f"{kept} jobs, {told[outcome]} requests told")


def _dead_letters(world: Evidence) -> Iterable[Violation]:
    dead = set(world.dead)
    for one in world.asked:
        if one.ref not in dead and any(told.outcome == REJECTED for told in world.events.get(one.ref, {}).values()):
            yield Violation("dead", one.ref, "rejected, and not among the dead letters")
