"""
The audit of a chaos run sees what is wrong with a world, and finds no fault with one that is right.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.chaos.audit import audit, in_doubt
from tests.chaos.evidence import (
    ACTIVE,
    BUILD,
    CREATED,
    FAILED,
    IN_DOUBT,
    PENDING,
    REJECTED,
    Asked,
    Changed,
    Evidence,
    Told,
    unfinished,
)
from tests.chaos.plan import Fate
from tests.chaos.rules import RULES

FINE = Evidence(
    asked=(
        Asked("a", "router-a", Fate.GOOD, confirmed_at_s=1.0),
        Asked("b", "router-b", Fate.REFUSED, confirmed_at_s=1.0),
        Asked("c", "router-c", Fate.INVALID, confirmed_at_s=1.0),
        Asked("d", "router-d", Fate.GOOD, confirmed_at_s=None),
    ),
    told=(
        Told("copy-1", "event-a", "a", CREATED, "service-a", status=PENDING),
        Told("copy-2", "event-a", "a", CREATED, "service-a", at_s=5.0, status=PENDING, place=12),
        Told("copy-3", "event-b", "b", FAILED),
        Told("copy-4", "event-c", "c", REJECTED),
    ),
    services=(("service-a", "router-a"),),
    dead=("c",),
    counts={"created": 1, "failed": 1},
    changed=(
        Changed("copy-6", "event-a1", "a", "service-a", BUILD, PENDING, place=5),
        Changed("copy-7", "event-a2", "a", "service-a", ACTIVE, BUILD, is_final=True, place=8),
        Changed("copy-8", "event-a1", "a", "service-a", BUILD, PENDING, place=9),
    ),
)
BUILT, ACTIVATED, BUILT_AGAIN = FINE.changed
UNTOLD = replace(FINE, told=FINE.told[2:], services=(), counts={}, changed=())


def found(world: Evidence) -> list[tuple[str, str]]:
    """
    Rule and request of every violation.
    """
    return [(violation.rule, violation.ref) for violation in audit(world)]


def named(service_id: str) -> tuple[Changed, ...]:
    """
    The status events of the right world, of another service.
    """
    return tuple(replace(one, service_id=service_id) for one in FINE.changed)


def found_of(*changed: Changed) -> list[tuple[str, str]]:
    """
    The same of the right world with these status events instead of its own.
    """
    return found(replace(FINE, changed=changed))


def test_a_world_that_is_right_passes() -> None:
    """
    Copies under one event id are allowed, and so is a request that was never confirmed and never arrived.
    """
    assert [] == audit(FINE)
    assert [] == FINE.unsettled


def test_a_request_that_was_confirmed_and_is_nowhere_is_lost() -> None:
    assert ["a"] == UNTOLD.unsettled
    assert [("lost", "a")] == found(UNTOLD)


@pytest.mark.parametrize("place", [{"waiting": {"vpn.retry.30s": ("a",)}}, {"dead": ("a", "c")}])
def test_a_request_that_waits_for_all_to_see_is_not_lost(place: dict[str, object]) -> None:
    assert [] == found(replace(UNTOLD, **place))  # type: ignore[arg-type]


@pytest.mark.parametrize("state", ["created", "looking"])
def test_a_request_that_the_ledger_alone_knows_was_acked_without_a_word(state: str) -> None:
    assert [("unspoken", "a")] == found(replace(UNTOLD, jobs={"a": state}))


def test_an_unconfirmed_request_that_arrived_is_none_the_worse() -> None:
    late = Told("copy-5", "event-d", "d", CREATED, "service-d", status=ACTIVE)
    world = replace(
        FINE,
        told=(*FINE.told, late),
        services=(*FINE.services, ("service-d", "router-d")),
        counts={"created": 2, "failed": 1},
    )

    assert [] == found(world)


def test_a_second_service_is_seen_whichever_of_them_was_told() -> None:
    doubled = (("service-a", "router-a"), ("service-a2", "router-a"))
    told_second = tuple(replace(one, service_id="service-a2") if one.ref == "a" else one for one in FINE.told)

    assert [("doubled", "a")] == found(replace(FINE, services=doubled))
    assert [("doubled", "a")] == found(replace(FINE, services=doubled, told=told_second, changed=named("service-a2")))


def test_a_second_event_id_is_a_second_outcome_even_of_the_same_kind() -> None:
    again = (*FINE.told, Told("copy-5", "event-x", "a", CREATED, "service-a"))
    failed = (*FINE.told, Told("copy-5", "event-x", "a", FAILED))

    assert [("outcomes", "a")] == found(replace(FINE, told=again))
    assert ("outcomes", "a") in found(replace(FINE, told=failed))


def test_created_must_name_the_service_that_is_there() -> None:
    other = tuple(replace(one, service_id="service-z") if one.ref == "a" else one for one in FINE.told)

    assert [("service", "a")] == found(replace(FINE, told=other, changed=named("service-z")))
    assert [("service", "a")] == found(replace(FINE, services=()))


def test_a_service_of_a_request_that_failed_or_was_rejected_is_a_leftover() -> None:
    assert [("leftover", "b")] == found(replace(FINE, services=(*FINE.services, ("service-b", "router-b"))))
    assert [("leftover", "c")] == found(replace(FINE, services=(*FINE.services, ("service-c", "router-c"))))


def test_a_good_request_must_not_fail() -> None:
    failed = (Told("copy-1", "event-a", "a", FAILED), *FINE.told[2:])

    assert [("wrong", "a")] == found(replace(FINE, told=failed, services=(), counts={"failed": 2}, changed=()))


def test_in_doubt_is_an_outcome_and_is_told_apart() -> None:
    doubted = (Told("copy-1", "event-a", "a", IN_DOUBT), *FINE.told[2:])
    world = replace(FINE, told=doubted, counts={"in_doubt": 1, "failed": 1}, changed=())

    assert [] == found(world)
    assert ["a"] == in_doubt(world)


def test_what_nobody_asked_for_is_seen() -> None:
    told = (*FINE.told, Told("copy-5", "event-z", "z", REJECTED))
    services = (*FINE.services, ("service-z", "router-z"))

    assert [("stranger", "z")] == found(replace(FINE, told=told))
    assert [("stranger", "router-z")] == found(replace(FINE, services=services))


def test_an_event_id_belongs_to_one_request() -> None:
    shared = (*FINE.told[:2], replace(FINE.told[2], event_id="event-a"), FINE.told[3])
    by_status = (FINE.told[0], FINE.told[1], replace(FINE.told[2], event_id=BUILT.event_id), FINE.told[3])

    assert [("shared_id", "a")] == found(replace(FINE, told=shared))
    assert [("shared_id", "a")] == found(replace(FINE, told=by_status))


def test_the_ledger_must_agree_with_the_events() -> None:
    assert [("ledger", "created")] == found(replace(FINE, counts={"created": 2, "failed": 1}))


def test_a_rejected_request_must_be_among_the_dead_letters() -> None:
    assert [("dead", "c")] == found(replace(FINE, dead=()))


def test_a_followed_service_has_one_final_event_and_is_active_then() -> None:
    second = replace(ACTIVATED, copy="copy-9", event_id="event-a3", place=10)

    assert [("final", "a")] == found_of()
    assert [("final", "a")] == found_of(BUILT, replace(ACTIVATED, is_final=False))
    assert [("final", "a")] == found_of(BUILT, replace(ACTIVATED, status="gone"))
    assert ("final", "a") in found_of(BUILT, ACTIVATED, second)
    assert [] == found_of(BUILT, ACTIVATED, replace(ACTIVATED, copy="copy-9", place=10))


def test_a_status_may_be_missed_and_is_told_by_the_next_one() -> None:
    assert [] == found_of(replace(ACTIVATED, previous_status=PENDING))


def test_a_service_that_was_at_its_end_when_it_was_created_is_not_followed() -> None:
    at_its_end = tuple(replace(one, status=ACTIVE) if one.ref == "a" else one for one in FINE.told)

    assert [] == found(replace(FINE, told=at_its_end, changed=()))
    assert ("uninvited", "a") in found(replace(FINE, told=at_its_end))


def test_nobody_is_followed_who_was_not_created() -> None:
    assert [("uninvited", "b")] == found_of(*FINE.changed, replace(BUILT, ref="b", event_id="event-b1"))
    assert [("uninvited", "z")] == found_of(*FINE.changed, replace(BUILT, ref="z", event_id="event-z1"))


def test_a_status_event_names_the_service_of_the_created_event() -> None:
    assert [("named", "a")] == found_of(replace(BUILT, service_id="service-z"), ACTIVATED)
    assert [("named", "a")] == found_of(BUILT, replace(ACTIVATED, service_id=None))


def test_a_status_is_told_under_one_event_id() -> None:
    again = replace(BUILT, copy="copy-9", event_id="event-a3", place=6)

    assert ("repeated", "a") in found_of(BUILT, again, ACTIVATED)


def test_the_first_copies_come_in_the_order_of_the_journey_after_created_and_nothing_new_after_the_final_one() -> None:
    late_created = (replace(FINE.told[0], place=6), *FINE.told[1:])
    backwards = Changed("copy-9", "event-a3", "a", "service-a", PENDING, BUILD, place=6)

    assert [("order", "a")] == found(replace(FINE, told=late_created))
    assert [("order", "a")] == found_of(BUILT, backwards, ACTIVATED)
    assert ("order", "a") in found_of(replace(BUILT, place=10), ACTIVATED)
    assert [("order", "a")] == found_of(BUILT, ACTIVATED, replace(BUILT, event_id="event-a3", status="DOWN", place=10))


def test_the_status_before_is_one_that_was_told() -> None:
    assert [("order", "a")] == found_of(replace(BUILT, previous_status="DOWN"), ACTIVATED)
    assert [("order", "a")] == found_of(ACTIVATED)


def test_a_followed_service_is_unfinished_until_its_final_event() -> None:
    assert {"a"} == unfinished(FINE.told, (BUILT, BUILT_AGAIN))
    assert set() == unfinished(FINE.told, FINE.changed)


def test_every_rule_of_the_report_is_one_that_can_be_broken() -> None:
    worlds = (
        UNTOLD,
        replace(UNTOLD, jobs={"a": "created"}),
        replace(FINE, told=(*FINE.told, Told("copy-5", "event-x", "a", CREATED, "service-a"))),
        replace(FINE, services=(*FINE.services, ("service-2", "router-a"), ("s", "router-b"), ("s", "router-z"))),
        replace(FINE, services=(), dead=(), counts={"created": 2}),
        replace(FINE, told=(replace(FINE.told[2], event_id="event-a"), replace(FINE.told[0], outcome=FAILED))),
        replace(FINE, changed=(BUILT, replace(BUILT, event_id="event-a3", service_id="z", place=6))),
    )

    assert set(RULES) == {violation.rule for world in worlds for violation in audit(world)}
