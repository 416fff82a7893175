"""
The rules of Huawei Cloud's Classic VPN: the call and limits of Open Telekom Cloud, other words when it refuses.
"""

from dataclasses import replace

from worker.simulator.bodies import CODE_MESSAGE, GATEWAY, ErrorForm, Voice
from worker.simulator.otc import ERRORS as OTC_ERRORS
from worker.simulator.otc import OTC

# VPN.0001 to VPN.0004: Huawei Cloud, VPN API Reference, Error Codes; VPC.: VPC API Reference, Error Codes.
# VPN.0031, VPN.0429, VPN.0803, VPNGatewayInError and the APIGW. prefix: cloud-api.md, Errors.
ERRORS = {
    **OTC_ERRORS,
    "malformed": ErrorForm(400, CODE_MESSAGE, "VPN.0001", "invalid request: {reason}"),
    "invalid": ErrorForm(400, CODE_MESSAGE, "VPN.0001", "invalid request: {reason}"),
    "no_gateway": ErrorForm(400, CODE_MESSAGE, "VPN.0001", "invalid request: router {router_id} has no gateway"),
    "no_subnet": ErrorForm(
        400, CODE_MESSAGE, "VPN.0001", "invalid request: subnet {subnet_id} is not in the VPC of router {router_id}"
    ),
    "conflict": ErrorForm(400, CODE_MESSAGE, "VPN.0031", "Repeated operation. {reason}"),
    "quota": ErrorForm(400, CODE_MESSAGE, "VPN.0803", "The quota of VPN services is used up."),
    "forbidden": ErrorForm(403, CODE_MESSAGE, "VPN.0003", "Authentication failed: {reason}"),
    "other_tenant": ErrorForm(403, CODE_MESSAGE, "VPN.0003", "Authentication failed: {role} may not name a tenant"),
    "no_router": ErrorForm(404, CODE_MESSAGE, "VPC.0003", "VPC does not exist."),
    "not_found": ErrorForm(404, CODE_MESSAGE, "VPN.0004", "resource not found"),
    "bad_method": ErrorForm(405, GATEWAY, "APIGW.0101", "The method {method} is not allowed here."),
    "in_error": ErrorForm(409, CODE_MESSAGE, "VPNGatewayInError", "The VPN gateway is in ERROR."),
    "server_error": ErrorForm(500, CODE_MESSAGE, "VPN.0002", "server error: internal server error"),
    "unavailable": ErrorForm(503, GATEWAY, "APIGW.0201", "Backend unavailable."),
    # The gateway's own codes, the same as APIG's with another prefix.
    "unauthorized": ErrorForm(401, GATEWAY, "APIGW.0301", "Incorrect IAM authentication information."),
    "bad_signature": ErrorForm(401, GATEWAY, "APIGW.0301", "Incorrect IAM authentication information: {reason}."),
    "other_project": ErrorForm(403, GATEWAY, "APIGW.0302", "The access key may not be used in this project."),
    "no_such_api": ErrorForm(404, GATEWAY, "APIGW.0101", "The API does not exist or has not been published."),
    "too_large": ErrorForm(413, GATEWAY, "APIGW.0201", "The request entity is too large."),
    "throttled": ErrorForm(429, GATEWAY, "APIGW.0308", "The throttling threshold has been reached."),
    "busy": ErrorForm(429, CODE_MESSAGE, "VPN.0429", "Too many requests."),
}

HUAWEI = replace(OTC, name="huawei", voice=Voice(ERRORS, ("X-Request-Id",)))
