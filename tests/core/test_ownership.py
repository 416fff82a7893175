"""
Whose a service is that a look-up found.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.samples import NOW, ROUTER, a_sent_job, a_service, after
from worker.core.answers import Service
from worker.core.job import Doubt, Job
from worker.core.ownership import Finding, Nothing, Ours, Several, Someone, is_equal, judge


def a_job_that_may_own(**changes: Any) -> Job:
    return a_sent_job(may_own=True, **changes)


def judged(*services: Service, taken: frozenset[str] = frozenset(), job: Job | None = None) -> Finding:
    return judge(job or a_job_that_may_own(), services, taken, clock_tolerance_s=60.0)


def test_nothing_is_found_on_an_empty_router() -> None:
    assert Nothing() == judged()


def test_the_one_service_that_fits_is_ours() -> None:
    assert Ours(a_service()) == judged(a_service())


def test_services_of_other_routers_do_not_count() -> None:
    """
    Some clouds do not know the filter and list everything.
    """
    assert Nothing() == judged(a_service(router_id="another"))


def test_a_service_another_job_owns_is_somebody_elses() -> None:
    assert Someone(a_service()) == judged(a_service(), taken=frozenset({"s-1"}))


def test_a_service_that_differs_in_an_attribute_is_somebody_elses() -> None:
    assert Someone(a_service(name="theirs")) == judged(a_service(name="theirs"))


def test_ours_is_found_beside_somebody_elses() -> None:
    assert Ours(a_service("s-2")) == judged(a_service("s-1", name="theirs"), a_service("s-2"))


def test_two_that_fit_cannot_be_told_apart() -> None:
    both = (a_service("s-1"), a_service("s-2"))

    assert Several(both) == judged(*both)


@pytest.mark.parametrize(("age_s", "is_ours"), [(60.0, True), (60.001, False), (-3600.0, True)])
def test_a_service_older_than_the_first_attempt_is_not_ours(*, age_s: float, is_ours: bool) -> None:
    finding = judged(a_service(created_at=after(-age_s)))

    assert is_ours is isinstance(finding, Ours)


def test_without_a_time_the_attributes_decide() -> None:
    unstamped = a_service(created_at=None)

    assert Ours(unstamped) == judged(unstamped)
    assert Ours(a_service()) == judged(a_service(created_at=NOW), job=a_job_that_may_own(first_sent_at=None))


def test_a_job_that_made_nothing_owns_nothing() -> None:
    assert Someone(a_service()) == judged(a_service(), job=a_sent_job(may_own=False))


MARK = "[req:order-1]"


def marked(service_id: str, description: str = MARK, **attributes: Any) -> Service:
    return a_service(service_id, description=description, **attributes)


def test_of_two_equal_services_the_one_with_our_mark_is_ours_for_certain() -> None:
    finding = judged(a_service("s-1"), marked("s-2"), job=a_job_that_may_own(mark=MARK))

    assert Ours(marked("s-2"), is_proven=True) == finding


def test_our_mark_is_enough_whatever_the_age_and_the_attributes() -> None:
    ours = marked("s-1", f"for billing {MARK}", created_at=after(-1e6), name="renamed since")

    assert Ours(ours, is_proven=True) == judged(ours, job=a_job_that_may_own(mark=f" {MARK}"))


@pytest.mark.parametrize("description", ["", "[req:order-2]", "[req:order-1] and more", "[req:order-11]", None])
def test_with_marks_an_equal_service_without_ours_is_somebody_elses(description: str | None) -> None:
    theirs = a_service(description=description)

    assert Someone(theirs) == judged(theirs, job=a_job_that_may_own(mark=MARK))


def test_two_services_with_our_mark_cannot_be_told_apart() -> None:
    both = (marked("s-1"), marked("s-2"))

    assert Several(both) == judged(a_service("s-0"), *both, job=a_job_that_may_own(mark=MARK))


def test_our_mark_on_a_service_of_another_job_is_not_ours() -> None:
    finding = judged(marked("s-1"), taken=frozenset({"s-1"}), job=a_job_that_may_own(mark=MARK))

    assert Someone(marked("s-1")) == finding


def test_our_mark_on_another_router_does_not_count() -> None:
    assert Nothing() == judged(marked("s-1", router_id="another"), job=a_job_that_may_own(mark=MARK))


def test_a_marked_job_that_made_nothing_owns_nothing() -> None:
    job = a_sent_job(may_own=False, mark=MARK)

    assert Someone(marked("s-1")) == judged(marked("s-1"), job=job)


def a_stranger(**changes: Any) -> Job:
    return a_job_that_may_own(doubt=Doubt.STRANGER, mark=MARK, **changes)


def test_a_stranger_is_known_by_its_mark_for_certain() -> None:
    finding = judged(a_service("s-1"), marked("s-2"), job=a_stranger(first_sent_at=None))

    assert Ours(marked("s-2"), is_proven=True) == finding


def test_a_stranger_without_its_mark_is_known_by_its_attributes() -> None:
    """
    The worker that sent it may not have marked yet.
    """
    assert Ours(a_service()) == judged(a_service(), job=a_stranger())
    assert Several((a_service("s-1"), a_service("s-2"))) == judged(a_service("s-1"), a_service("s-2"), job=a_stranger())
    assert Someone(a_service(name="theirs")) == judged(a_service(name="theirs"), job=a_stranger())


@pytest.mark.parametrize("description", ["[req:order-2]", "for billing [req:order-2]"])
def test_a_stranger_does_not_take_what_bears_the_mark_of_another(description: str) -> None:
    """
    With the ledger all is lost that told who owns it, but the mark.
    """
    theirs = a_service(description=description)

    assert Someone(theirs) == judged(theirs, job=a_stranger())


@pytest.mark.parametrize(
    ("wanted", "shown", "is_same"),
    [
        ({}, {"name": "a"}, True),
        ({"name": "a"}, {"name": "a", "status": "ACTIVE"}, True),
        ({"name": "a"}, {"name": "b"}, False),
        ({"name": "a"}, {"name": None}, False),
        ({"subnet_id": None}, {"subnet_id": "chosen by the cloud"}, True),
        ({"order_id": "o-1"}, {"name": "hidden by the cloud"}, True),
        ({"prepay_connection_num": 2}, {"prepay_connection_num": 3}, False),
        ({"external_v4_ip": "172.32.1.11"}, {"external_v4_ip": "172.32.1.12"}, False),
    ],
)
def test_equality_is_about_what_was_asked_for(
    wanted: dict[str, object], shown: dict[str, object], *, is_same: bool
) -> None:
    assert is_same is is_equal(wanted, shown)


def test_an_address_that_is_not_filled_in_yet_does_not_tell_services_apart() -> None:
    """
    The cloud may show null at first; taking that for another service would make a second one.
    """
    shown = {"router_id": ROUTER, "external_v4_ip": None}

    assert is_equal({"router_id": ROUTER, "external_v4_ip": "172.32.1.11"}, shown)
