"""
The audit of the status events: each service is followed from its created event to its end. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from tests.chaos.evidence import ACTIVE, JOURNEY, Changed, Evidence, followed
from tests.chaos.rules import Violation


def following(world: Evidence) -> Iterable[Violation]:
    """
    Every promise about the status events that is broken.
    """
    for rule in (_finals, _names, _repeats, _orders, _uninvited):
        yield from rule(world)


def _finals(world: Evidence) -> Iterable[Violation]:
    events = world.status_events
    for ref in followed(world.told):
        finals = [one for one in events.get(ref, []) if one.is_final]
        if [one.status for one in finals] != [ACTIVE]:
            yield Violation("final", ref, f"final events: {_said(finals)}; all: {_said(events.get(ref, []))}")


def _names(world: Evidence) -> Iterable[Violation]:
    events = world.status_events
    for ref, created in world.created.items():
        for one in events.get(ref, []):
            if one.service_id != created.service_id:
                yield Violation("named", ref, f"{one.status} of {one.service_id}, created was {created.service_id}")


def _repeats(world: Evidence) -> Iterable[Violation]:
    for ref, events in world.status_events.items():
        by_status: dict[str | None, list[Changed]] = defaultdict(list)
        for one in events:
            by_status[one.status].append(one)
        for status, told in by_status.items():
            if len(told) > 1:
                yield Violation("repeated", ref, f"{status} under {', '.join(one.event_id for one in told)}")


def _orders(world: Evidence) -> Iterable[Violation]:
    created = world.created
    for ref, events in world.status_events.items():
        if ref not in created:
            continue
        if events[0].place < created[ref].place:
            yield Violation("order", ref, f"{_said(events[:1])} came before its created event")
        final = next((one for one in events if one.is_final), events[-1])
        if final is not events[-1]:
            yield Violation("order", ref, f"{_said(events)}: something new after the final one")
        before = {created[ref].status}
        for one in events:
            if one.previous_status not in before or any(_stop(one.status) <= _stop(status) for status in before):
                yield Violation("order", ref, f"{created[ref].status}, then {_said(events)}")
                break
            before.add(one.status)


def _uninvited(world: Evidence) -> Iterable[Violation]:
    created = world.created
    for ref, events in world.status_events.items():
        if ref not in created:
            yield Violation("uninvited", ref, f"{_said(events)}, and it was not told as created")
        elif created[ref].status == ACTIVE:
            yield Violation("uninvited", ref, f"{_said(events)}, and it was {ACTIVE} when it was told as created")


def _stop(status: str | None) -> int:
    """
    How far on the journey a status is; what is not on it comes after all.
    """
    if status is None:
        return -1
    return JOURNEY.index(status) if status in JOURNEY else len(JOURNEY)


def _said(events: Iterable[Changed]) -> str:
    words = (
        f"{one.previous_status} -> {one.status}{' (final)' * one.is_final}, {one.event_id} at {one.place}"
        for one in events
    )
    return "; ".join(words) or "none"
