"""
The rules of OpenStack Neutron with VPNaaS, as a real one answers (cloud-api.md, The `openstack` dialect).
"""

from dataclasses import replace

from worker.simulator.bodies import KEYSTONE, NEUTRON, TEXT, ErrorForm, Voice
from worker.simulator.dialect import Parameter
from worker.simulator.otc import ERRORS as OTC_ERRORS
from worker.simulator.otc import OTC

PARAMETERS = {
    # neutron-lib and neutron-vpnaas, attribute map of vpnservices; admin_state_up: cloud-api.md, Three clouds.
    "name": Parameter(str, most=255, default=""),
    "description": Parameter(str, most=255, default=""),
    "tenant_id": Parameter(str, most=255),
    "subnet_id": Parameter(str, is_nullable=True, is_uuid=True),
    "router_id": Parameter(str, is_mandatory=True, is_uuid=True),
    "flavor_id": Parameter(str, is_nullable=True, is_uuid=True),
    "admin_state_up": Parameter(bool, only=True, default=True),
}

ANSWER_FIELDS = (
    "id",
    "name",
    "description",
    "project_id",
    "tenant_id",
    "subnet_id",
    "router_id",
    "flavor_id",
    "admin_state_up",
    "external_v4_ip",
    "external_v6_ip",
    "status",
)

ERRORS = {
    **OTC_ERRORS,
    "other_tenant": ErrorForm(
        400,
        NEUTRON,
        "HTTPBadRequest",
        "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin "
        "privileges",
    ),
    "unauthorized": ErrorForm(
        401,
        KEYSTONE,
        "",
        "The request you have made requires authentication.",
        {"WWW-Authenticate": 'Keystone uri="{origin}/v3"'},
    ),
    "no_such_api": ErrorForm(404, NEUTRON, "HTTPNotFound", "The resource could not be found."),
    "too_large": ErrorForm(413, TEXT, "", "The request is too large."),
    # Neutron itself never throttles; a proxy before it may.
    "throttled": ErrorForm(429, TEXT, "", "Too many requests."),
    "busy": ErrorForm(429, TEXT, "", "Too many requests at once."),
    # What its token check says while the identity service is down.
    "unavailable": ErrorForm(503, TEXT, "", "The Keystone service is temporarily unavailable."),
}

OPENSTACK = replace(
    OTC,
    name="openstack",
    parameters=PARAMETERS,
    answer_fields=ANSWER_FIELDS,
    services_per_vpc=0,  # no unique constraint on router_id
    services_per_vpc_active_active=0,
    voice=Voice(ERRORS, ("x-openstack-request-id",)),
    read_only_roles=frozenset({"reader"}),  # Keystone's default roles: admin, manager, member, reader
    other_tenant_roles=frozenset({"admin"}),
    all_seeing_roles=frozenset({"admin"}),
    answer_only=frozenset({"id", "status", "external_v4_ip", "external_v6_ip"}),
    filters=frozenset(ANSWER_FIELDS),
    is_tenant_guarded=True,
    is_token_first=True,
    is_scope_domain_needed=True,
    is_signing_known=False,  # SDK-HMAC-SHA256 is Huawei's
)
