"""
What a cloud does not take: what the worker refuses on its behalf, the cloud would have refused as well.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from messages.requests import CreateVpnService
from tests.cloud_contract.saying import expect, expect_refused
from worker.core.admission import faults
from worker.core.answers import Created, Refused, Unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.cloud_contract.cloud import Cloud

#: Of each field, a value that is good where the field is taken.
GOOD: Mapping[str, object] = {
    "order_id": "CS1",
    "product_id": "OFFI1",
    "prepay_connection_num": 1,
    "resource_speccode": "vpn.small",
    "external_v4_ip": "172.32.9.9",
}


async def test_a_field_that_the_profile_refuses_is_refused_by_the_cloud(cloud: Cloud, refused_field: str) -> None:
    """
    Else the profile would keep people from what they could have.
    """
    wanted = cloud.wanted(await cloud.free_router(), **{refused_field: GOOD[refused_field]})

    answer = await cloud.create(wanted)

    assert [f"vpnservice.{refused_field}"] == _faulty(cloud, wanted)
    expect_refused(answer, "refused", f"{cloud.profile.title} should refuse {refused_field}, as its profile says")


async def test_a_field_in_which_the_profile_takes_no_null_is_refused_with_null(
    cloud: Cloud, not_null_field: str
) -> None:
    wanted = cloud.wanted(await cloud.free_router(), **{not_null_field: None})

    answer = await cloud.create(wanted)

    assert [f"vpnservice.{not_null_field}"] == _faulty(cloud, wanted)
    expect_refused(answer, "refused", f"{cloud.profile.title} should refuse null in {not_null_field}")


async def test_a_field_in_which_the_profile_wants_a_uuid_is_refused_with_another_text(
    cloud: Cloud, uuid_field: str
) -> None:
    wanted = cloud.wanted(await cloud.free_router()) | {uuid_field: "not-a-uuid"}

    answer = await cloud.create(wanted)

    assert [f"vpnservice.{uuid_field}"] == _faulty(cloud, wanted)
    expect_refused(answer, "refused", f"{cloud.profile.title} should refuse a {uuid_field} that is no UUID")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("project_id", "10039663455a446d8ba2cbb058b0f578"),
        ("admin_state_up", False),
        ("description", "d" * 256),
        ("name", 5),
        ("router_id", None),
        ("colour", "blue"),
    ],
    ids=["project_id", "admin_state_up", "description", "name", "router_id", "unknown"],
)
async def test_what_no_cloud_takes_is_refused_before_and_by_the_cloud(cloud: Cloud, field: str, value: object) -> None:
    wanted = cloud.wanted(await cloud.free_router()) | {field: value}

    answer = await cloud.create(wanted)

    with pytest.raises(ValidationError):
        CreateVpnService.model_validate({"vpnservice": wanted})
    if cloud.simulator is None and isinstance(answer, Created):
        pytest.skip(f"this cloud takes {field}={value!r}; the worker follows the document and does not")
    expect_refused(answer, "refused", f"{field}={value!r} should be refused")


async def test_a_router_that_is_not_there_is_refused(cloud: Cloud) -> None:
    answer = await cloud.create(cloud.wanted(str(uuid.uuid4())))

    if cloud.simulator is None and isinstance(answer, Created | Unknown):
        # A wrong router_id gave 500 at OTC (terraform-provider-opentelekomcloud #2608); three of them are a refusal.
        pytest.skip("this cloud does not check routers")
    expect_refused(answer, "not_found", "a router that is not there should be refused")


async def test_a_refusal_can_be_taken_to_the_support_desk(cloud: Cloud) -> None:
    answer = await cloud.create(cloud.wanted(await cloud.free_router(), description="d" * 256))

    trouble = expect(Refused, answer, "a description of 256 characters should be refused").trouble
    assert trouble.api_code
    assert trouble.message
    assert trouble.api_request_id


async def test_what_the_profile_lets_pass_the_cloud_takes(cloud: Cloud) -> None:
    wanted = cloud.wanted(await cloud.free_router(), subnet_id=None)

    created = await cloud.created(wanted)

    assert [] == _faulty(cloud, wanted)
    assert created.service.attributes["subnet_id"] is None


def _faulty(cloud: Cloud, wanted: Mapping[str, object]) -> list[str]:
    return [fault.path for fault in faults(cloud.admission, wanted, None)]
