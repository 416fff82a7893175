"""
The rules of Open Telekom Cloud's Classic VPN, read from its document "Creating a VPN Service" (doc).
"""

import ipaddress

from worker.simulator.dialect import Dialect, ErrorForm, Parameter


def neutron_body(code: str, message: str, _request_id: str) -> dict[str, object]:
    """
    The body of a refusal by the VPN service itself: these calls are native OpenStack ones.
    """
    return {"NeutronError": {"type": code, "message": message, "detail": ""}}


def gateway_body(code: str, message: str, request_id: str) -> dict[str, object]:
    """
    The body of a refusal by the API gateway, before the VPN service saw the call (APIG codes).
    """
    return {"error_code": code, "error_msg": message, "request_id": request_id}


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
    "malformed": ErrorForm(400, neutron_body, "MalformedRequestBody", "Malformed request body: {reason}."),
    "invalid": ErrorForm(400, neutron_body, "HTTPBadRequest", "{reason}"),
    "forbidden": ErrorForm(403, neutron_body, "PolicyNotAuthorized", "Disallowed by policy: {reason}."),
    "not_found": ErrorForm(404, neutron_body, "VPNServiceNotFound", "VPNService {id} could not be found."),
    "bad_method": ErrorForm(405, neutron_body, "HTTPMethodNotAllowed", "The method {method} is not allowed here."),
    "conflict": ErrorForm(409, neutron_body, "Conflict", "{reason}"),
    "server_error": ErrorForm(
        500,
        neutron_body,
        "HTTPInternalServerError",
        "Request Failed: internal server error while processing your request.",
    ),
    "unavailable": ErrorForm(503, neutron_body, "ServiceUnavailable", "The service is unavailable."),
    # The gateway's own codes: APIG error codes.
    "unauthorized": ErrorForm(401, gateway_body, "APIG.0301", "Incorrect IAM authentication information."),
    "no_such_api": ErrorForm(404, gateway_body, "APIG.0101", "The API does not exist or has not been published."),
    "too_large": ErrorForm(413, gateway_body, "APIG.0201", "The request entity is too large."),
    "throttled": ErrorForm(429, gateway_body, "APIG.0308", "The throttling threshold has been reached."),
}

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
    external_ip_roles=frozenset({"admin", "internal_admin", "op_service"}),  # doc: Table 1, note at external_v4_ip
    external_ip_own_tenant_roles=frozenset({"vpn_adm"}),  # doc: same note
    v4_pool=ipaddress.IPv4Network("172.32.0.0/11"),
    v4_first=ipaddress.IPv4Address("172.32.1.11"),  # doc: example response
    v6_first=ipaddress.IPv6Address("2001:db8::1"),  # doc: example response
    errors=ERRORS,
)
