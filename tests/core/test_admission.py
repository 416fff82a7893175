"""
Whom a worker serves: what the cloud takes, which tenants have an account, and who may ask for them.
"""

from __future__ import annotations

from typing import Any

import pytest

from messages.faults import CODES
from worker.core.admission import Admission, faults
from worker.core.profile import Profile
from worker.profiles import profile_named

OTC = profile_named("otc")
OPENSTACK = profile_named("openstack")
ROUTER = "66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa"
TENANTS = {"a": frozenset({"shop-a"}), "b": frozenset({"shop-b", "shop-a"})}


def codes(admission: Admission, user: str | None = None, **wanted: Any) -> list[tuple[str, str]]:
    found = faults(admission, {"router_id": ROUTER, **wanted}, user)
    assert all(fault.code in CODES and fault.message.isprintable() for fault in found)
    return [(fault.path, fault.code) for fault in found]


def test_one_account_serves_every_tenant_and_who_names_none() -> None:
    assert [] == codes(Admission(OTC))
    assert [] == codes(Admission(OTC), tenant_id="anything")


@pytest.mark.parametrize("profile", [profile_named("otc"), profile_named("huawei")], ids=lambda profile: profile.name)
def test_the_document_s_own_clouds_take_all_its_fields(profile: Profile) -> None:
    wanted: dict[str, Any] = {"order_id": "o", "product_id": "p", "prepay_connection_num": 1, "external_v4_ip": ""}

    assert [] == codes(Admission(profile), **wanted, resource_speccode="s", subnet_id=None, name=None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("order_id", "o-1"),
        ("order_id", None),
        ("product_id", "p-1"),
        ("prepay_connection_num", 0),
        ("resource_speccode", ""),
        ("external_v4_ip", "192.0.2.1"),
        ("name", None),
        ("description", None),
        ("tenant_id", None),
        ("subnet_id", "not-a-uuid"),
        ("router_id", "r-1"),
    ],
)
def test_what_neutron_would_refuse_is_refused_here_naming_the_profile(name: str, value: object) -> None:
    (fault,) = faults(Admission(OPENSTACK), {"router_id": ROUTER, name: value}, None)

    assert (f"vpnservice.{name}", "cloud_refuses") == (fault.path, fault.code)
    assert "profile openstack" in fault.message


@pytest.mark.parametrize("router_id", [ROUTER, ROUTER.upper(), ROUTER.replace("-", "")])
def test_neutron_takes_a_uuid_in_any_spelling(router_id: str) -> None:
    assert () == faults(Admission(OPENSTACK), {"router_id": router_id, "subnet_id": None, "name": "n"}, None)


@pytest.mark.parametrize(
    ("tenant_id", "expected"),
    [
        ("a", []),
        ("b", []),
        ("c", [("vpnservice.tenant_id", "tenant_unknown")]),
        ("", [("vpnservice.tenant_id", "tenant_unknown")]),
        (None, [("vpnservice.tenant_id", "tenant_unknown")]),
    ],
)
def test_a_tenant_without_an_account_is_not_tried_with_another(
    tenant_id: str | None, expected: list[tuple[str, str]]
) -> None:
    admission = Admission(OTC, users=TENANTS, default_users=None)

    assert expected == codes(admission, tenant_id=tenant_id)


def test_a_default_account_serves_who_names_no_tenant_and_nobody_else() -> None:
    admission = Admission(OTC, users=TENANTS, default_users=frozenset())

    assert [] == codes(admission)
    assert [("vpnservice.tenant_id", "tenant_unknown")] == codes(admission, tenant_id="c")


@pytest.mark.parametrize(
    ("tenant_id", "user", "is_allowed"),
    [
        ("a", "shop-a", True),
        ("b", "shop-a", True),
        ("b", "shop-b", True),
        ("a", "shop-b", False),
        ("a", None, False),
        ("a", "", False),
        (None, "shop-a", False),
        (None, "root", True),
        (None, None, False),
    ],
)
def test_the_publisher_decides_when_the_operator_wants_it(tenant_id: str | None, user: str, is_allowed: bool) -> None:
    admission = Admission(OTC, users=TENANTS, default_users=frozenset({"root"}), is_user_checked=True)

    assert ([] if is_allowed else [("user_id", "tenant_forbidden")]) == codes(admission, user, tenant_id=tenant_id)


def test_every_fault_is_told_at_once() -> None:
    admission = Admission(OPENSTACK, users=TENANTS, default_users=None)

    assert [
        ("vpnservice.order_id", "cloud_refuses"),
        ("vpnservice.tenant_id", "tenant_unknown"),
    ] == codes(admission, order_id="o", tenant_id="c")
