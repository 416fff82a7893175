"""
The rules of Open Telekom Cloud's Classic VPN, read from its document "Creating a VPN Service" (doc).
"""

import ipaddress

from worker.simulator.bodies import GATEWAY, MESSAGE, NEUTRON, ErrorForm, Voice
from worker.simulator.dialect import Dialect, Parameter

PARAMETERS = {
    # doc: Table 1; an ID of no characters is no ID, so `least` is 1 where an ID must be correct.
    "subnet_id": Parameter(str, is_nullable=True, least=1),  # doc: example request sends null
    "router_id": Parameter(str, is_mandatory=True, least=1),
    "name": Parameter(str, least=1, most=64, default=""),
    "admin_state_up": Parameter(bool, only=True, default=True),
    "tenant_id": Parameter(str, most=255),
    "description": Parameter(str, most=255, default=""),
    "order_id": Parameter(str, most=255, default=""),
    "product_id": Parameter(str, most=255, default=""),
    "prepay_connection_num": Parameter(int, default=0),
    "resource_speccode": Parameter(str, most=255, default=""),
    "external_v4_ip": Parameter(str, most=255),
}

ANSWER_FIELDS = (  # doc: Table 2, in the order of the example response
    "router_id",
    "status",
    "name",
    "external_v6_ip",
    "admin_state_up",
    "subnet_id",
    "tenant_id",
    "external_v4_ip",
    "id",
    "description",
    "prepay_connection_num",
    "resource_speccode",
    "order_id",
    "product_id",
    "created_at",
)

ERRORS = {
    # Statuses: doc, Common Returned Values. Types: those of neutron and neutron-vpnaas, whose API this is.
    "malformed": ErrorForm(400, NEUTRON, "MalformedRequestBody", "Malformed request body: {reason}."),
    "invalid": ErrorForm(400, NEUTRON, "HTTPBadRequest", "{reason}"),
    "no_gateway": ErrorForm(
        400, NEUTRON, "RouterIsNotExternal", "Router {router_id} has no external network gateway set"
    ),
    "no_subnet": ErrorForm(
        400, NEUTRON, "SubnetIsNotConnectedToRouter", "Subnet {subnet_id} is not connected to Router {router_id}"
    ),
    "forbidden": ErrorForm(403, NEUTRON, "PolicyNotAuthorized", "Disallowed by policy: {reason}."),
    "other_tenant": ErrorForm(
        403, NEUTRON, "PolicyNotAuthorized", "Disallowed by policy: the role {role} may not name another tenant."
    ),
    "no_router": ErrorForm(404, NEUTRON, "RouterNotFound", "Router {router_id} could not be found"),
    "not_found": ErrorForm(404, NEUTRON, "VPNServiceNotFound", "VPNService {id} could not be found."),
    "bad_method": ErrorForm(405, NEUTRON, "HTTPMethodNotAllowed", "The method {method} is not allowed here."),
    "conflict": ErrorForm(409, NEUTRON, "Conflict", "{reason}"),
    "in_error": ErrorForm(409, NEUTRON, "VPNGatewayInError", "The VPN gateway of the router is in ERROR."),
    "quota": ErrorForm(409, NEUTRON, "OverQuota", "Quota exceeded for resources: ['vpnservice']."),
    "server_error": ErrorForm(
        500,
        NEUTRON,
        "HTTPInternalServerError",
        "Request Failed: internal server error while processing your request.",
    ),
    "unavailable": ErrorForm(503, NEUTRON, "ServiceUnavailable", "The service is unavailable."),
    # The gateway's own codes: APIG error codes.
    "unauthorized": ErrorForm(401, GATEWAY, "APIG.0301", "Incorrect IAM authentication information."),
    "bad_signature": ErrorForm(401, GATEWAY, "APIG.0301", "Incorrect IAM authentication information: {reason}."),
    # "Some services say 403 with 'invalid token'" (cloud-api.md, Authentication): no code comes with it.
    "invalid_token": ErrorForm(403, MESSAGE, "", "Forbidden: invalid token"),
    "other_project": ErrorForm(403, GATEWAY, "APIG.0302", "The access key may not be used in this project."),
    "no_such_api": ErrorForm(404, GATEWAY, "APIG.0101", "The API does not exist or has not been published."),
    "too_large": ErrorForm(413, GATEWAY, "APIG.0201", "The request entity is too large."),
    "throttled": ErrorForm(429, GATEWAY, "APIG.0308", "The throttling threshold has been reached."),
    "busy": ErrorForm(429, GATEWAY, "APIG.0308", "The throttling threshold has been reached: too many at once."),
}

EXTERNAL_IP_ROLES = frozenset({"admin", "internal_admin", "op_service"})  # doc: Table 1, note at external_v4_ip

OTC = Dialect(
    name="otc",
    path="/v2.0/vpn/vpnservices",  # doc: URI
    member="vpnservice",
    collection="vpnservices",
    parameters=PARAMETERS,
    unsupported=frozenset({"project_id"}),  # doc: Table 1, note at vpnservice
    answer_fields=ANSWER_FIELDS,
    first_status="PENDING_CREATE",  # doc: example response
    services_per_vpc=1,  # doc: note at Function
    services_per_vpc_active_active=2,  # doc: Table 1, note at vpnservice
    external_ip_roles=EXTERNAL_IP_ROLES,
    external_ip_own_tenant_roles=frozenset({"vpn_adm"}),  # doc: same note
    v4_pool=ipaddress.IPv4Network("172.32.0.0/11"),
    v4_first=ipaddress.IPv4Address("172.32.1.11"),  # doc: example response
    v6_first=ipaddress.IPv6Address("2001:db8::1"),  # doc: example response
    voice=Voice(ERRORS, ("X-Request-Id", "X-Openstack-Request-Id")),
    read_only_roles=frozenset({"reader", "readonly"}),  # Keystone's default role; IAM's Tenant Guest
    other_tenant_roles=EXTERNAL_IP_ROLES,
)
