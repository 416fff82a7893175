"""
A cloud in trouble, in its own words; only a simulator can be told to have it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cloud_contract.saying import expect, expect_refused
from worker.core.answers import Refused, Throttled, Unknown

if TYPE_CHECKING:
    from tests.cloud_contract.cloud import Cloud

#: Forms of error body (cloud API family, Errors), each with what it tells as code and as message.
FORMS = {
    "neutron": ("Odd.0001", "odd words"),
    "error_code": ("Odd.0001", "odd words"),
    "code": ("Odd.0001", "odd words"),
    "camel": ("Odd.0001", "odd words"),
    "message": (None, "odd words"),
    "keystone": ("400", "odd words"),
    "html": (None, "HTTP 400"),
    "text": (None, "HTTP 400"),
    "empty": (None, "HTTP 400"),
}


@pytest.mark.simulated("a real quota cannot be used up", quota=1)
async def test_a_used_up_quota_is_refused_as_such(cloud: Cloud) -> None:
    first_id, second_id = await cloud.free_routers(2)
    await cloud.created(cloud.wanted(first_id))

    answer = await cloud.create(cloud.wanted(second_id))

    expect_refused(answer, "quota_exceeded", "a create beyond the quota should be refused")


@pytest.mark.simulated("a real cloud throttles when it likes")
async def test_throttling_tells_how_long_to_wait(cloud: Cloud) -> None:
    router_id = await cloud.free_router()
    cloud.simulated.state.faults.add({"fault": "throttle", "retry_after": 7})

    answer = await cloud.create(cloud.wanted(router_id))

    throttled = expect(Throttled, answer, "a create that comes too fast should be throttled")
    assert 7.0 == throttled.retry_after_s
    assert not cloud.simulated.state.services


@pytest.mark.simulated("nobody can make a real cloud say it")
@pytest.mark.parametrize("form", FORMS)
async def test_an_error_is_read_in_every_form(cloud: Cloud, form: str) -> None:
    router_id = await cloud.free_router()
    code, message = FORMS[form]
    rule = {"fault": "error", "form": form, "status": 400, "code": "Odd.0001", "message": "odd words"}
    cloud.simulated.state.faults.add(rule)

    trouble = expect(Refused, await cloud.create(cloud.wanted(router_id)), "a 400 should be a refusal").trouble

    assert (400, code, message) == (trouble.http_status, trouble.api_code, trouble.message)
    assert (trouble.api_request_id or "").startswith("req-")


@pytest.mark.simulated("nobody can make a real cloud do it half")
@pytest.mark.parametrize("status", [500, 503])
async def test_a_half_made_service_is_unknown_and_then_found(cloud: Cloud, status: int) -> None:
    router_id = await cloud.free_router()
    cloud.simulated.state.faults.add({"fault": "half_made", "status": status})

    answer = await cloud.create(cloud.wanted(router_id))

    expect(Unknown, answer, f"a {status} should be unknown: it may have been created")
    (left,) = cloud.simulated.state.services
    assert [(left, "ERROR")] == [(one.id, one.status) for one in await cloud.services_of(router_id)]


@pytest.mark.simulated("nobody can make a real cloud leave a half-made gateway")
async def test_a_half_made_gateway_in_the_way_is_refused_with_its_leftover(cloud: Cloud) -> None:
    router_id = await cloud.free_router()
    cloud.simulated.state.faults.add({"fault": "half_made", "status": 409})

    answer = await cloud.create(cloud.wanted(router_id))

    refused = expect_refused(answer, "gateway_in_error", "a gateway in ERROR should be a refusal")
    assert refused.names_leftover
    assert ["ERROR"] == [one.status for one in await cloud.services_of(router_id)]


@pytest.mark.simulated("nobody can make a real cloud lose an answer")
async def test_a_lost_answer_is_unknown_and_the_service_is_found(cloud: Cloud) -> None:
    router_id = await cloud.free_router()
    cloud.simulated.state.faults.add({"fault": "commit_then_close"})

    answer = await cloud.create(cloud.wanted(router_id))

    expect(Unknown, answer, "a create without an answer should be unknown")
    assert list(cloud.simulated.state.services) == [one.id for one in await cloud.services_of(router_id)]
