"""
The audit: what was asked, told, made and left waiting, held against the promises. Pure.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from tests.chaos.evidence import CREATED, FAILED, IN_DOUBT, REJECTED, Evidence
from tests.chaos.following import following
from tests.chaos.plan import Fate
from tests.chaos.rules import Violation

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


def audit(world: Evidence) -> list[Violation]:
    """
    Every broken promise; none for a world that is as it must be.
    """
    rules = (_losses, _outcomes, _services, _strangers, _event_ids, _ledger, _dead_letters, following)
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
    for status_event in world.changed:
        refs[status_event.event_id].add(status_event.ref)
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
