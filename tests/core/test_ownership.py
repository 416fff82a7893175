"""
Whose a service is that a look-up found.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.samples import NOW, ROUTER, a_sent_job, a_service, after
from worker.core.answers import Service
from worker.core.job import Job
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
