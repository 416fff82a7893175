"""
The family's table of errors, row by row (source: the cloud API family, Errors).
"""

from __future__ import annotations

import pytest

from worker.cloud.classify import TABLE, classify, classify_look
from worker.core.meanings import Class, Fault

UNKNOWN, REFUSED, BUSY = Class.UNKNOWN, Class.REFUSED, Class.BUSY
CONFLICT, THROTTLED, CREDENTIALS, MISCONFIGURED = (
    Class.CONFLICT,
    Class.THROTTLED,
    Class.CREDENTIALS,
    Class.MISCONFIGURED,
)


def a_fault(http_status: int, api_code: str | None = None, message: str = "") -> Fault:
    return Fault(http_status, api_code, message, None)


@pytest.mark.parametrize(
    ("http_status", "api_code", "means", "code"),
    [
        # 500, 502, 503, 504 (also APIG.0201, APIG.0203 backend timeout)
        (500, None, UNKNOWN, "server_error"),
        (502, None, UNKNOWN, "server_error"),
        (503, "ServiceUnavailable", UNKNOWN, "server_error"),
        (504, None, UNKNOWN, "server_error"),
        (504, "APIG.0201", UNKNOWN, "backend_timeout"),
        (400, "APIG.0203", UNKNOWN, "backend_timeout"),
        # 401
        (401, None, CREDENTIALS, "credentials_refused"),
        (401, "APIG.0301", CREDENTIALS, "credentials_refused"),
        # 429, APIG.0308, VPN.0429
        (429, None, THROTTLED, "throttled"),
        (403, "APIG.0308", THROTTLED, "throttled"),
        (400, "VPN.0429", THROTTLED, "throttled"),
        # 409 (default), 400 VPC.1026, 400 VPN.0031
        (409, None, CONFLICT, "conflict"),
        (409, "VpnServiceExists", CONFLICT, "conflict"),
        (400, "VPC.1026", CONFLICT, "conflict"),
        (400, "VPN.0031", CONFLICT, "conflict"),
        # 409 OverQuota, 400 VPC.1003, VPN.0803
        (409, "OverQuota", REFUSED, "quota_exceeded"),
        (400, "VPC.1003", REFUSED, "quota_exceeded"),
        (400, "VPN.0803", REFUSED, "quota_exceeded"),
        # 400 VPC.0004 / VPN.0030 / VPN.0506 / VPN.0507 / VPN.0508, 409 VPN.0016 / VPN.0017, 425
        (400, "VPC.0004", BUSY, "busy"),
        (400, "VPN.0030", BUSY, "busy"),
        (400, "VPN.0506", BUSY, "busy"),
        (400, "VPN.0507", BUSY, "busy"),
        (400, "VPN.0508", BUSY, "busy"),
        (409, "VPN.0016", BUSY, "busy"),
        (409, "VPN.0017", BUSY, "busy"),
        (425, None, BUSY, "busy"),
        # 400 VPC.1020/1023/1024/1027/1028/1029/1030 ("system error"), 400 VPNGatewayNotReady
        (400, "VPC.1020", UNKNOWN, "system_error"),
        (400, "VPC.1023", UNKNOWN, "system_error"),
        (400, "VPC.1024", UNKNOWN, "system_error"),
        (400, "VPC.1027", UNKNOWN, "system_error"),
        (400, "VPC.1028", UNKNOWN, "system_error"),
        (400, "VPC.1029", UNKNOWN, "system_error"),
        (400, "VPC.1030", UNKNOWN, "system_error"),
        (400, "VPNGatewayNotReady", UNKNOWN, "gateway_not_ready"),
        # 409 VPNGatewayInError
        (409, "VPNGatewayInError", REFUSED, "gateway_in_error"),
        # other 400, other 403, VPC.1017, VPC.0005, APIG.0302, 404 router or VPC not found
        (400, None, REFUSED, "refused"),
        (400, "HTTPBadRequest", REFUSED, "refused"),
        (403, "PolicyNotAuthorized", REFUSED, "refused"),
        (404, "VPC.1017", REFUSED, "refused"),
        (403, "VPC.0005", REFUSED, "refused"),
        (403, "APIG.0302", REFUSED, "refused"),
        (404, "RouterNotFound", REFUSED, "not_found"),
        (404, "VPC.0202", REFUSED, "not_found"),
        # 404 "API not found" (APIG.0101), 405, 406, 407, 410, 413, 414, 415, 501
        (404, "APIG.0101", MISCONFIGURED, "api_not_found"),
        (404, None, MISCONFIGURED, "endpoint_wrong"),
        (404, "404", MISCONFIGURED, "endpoint_wrong"),
        (404, "404 Not Found", MISCONFIGURED, "endpoint_wrong"),
        (404, "", MISCONFIGURED, "endpoint_wrong"),
        (405, None, MISCONFIGURED, "endpoint_wrong"),
        (406, None, MISCONFIGURED, "endpoint_wrong"),
        (407, None, MISCONFIGURED, "endpoint_wrong"),
        (410, None, MISCONFIGURED, "endpoint_wrong"),
        (413, None, MISCONFIGURED, "endpoint_wrong"),
        (414, None, MISCONFIGURED, "endpoint_wrong"),
        (415, None, MISCONFIGURED, "endpoint_wrong"),
        (501, None, MISCONFIGURED, "endpoint_wrong"),
        # 408: unknown when the body was fully sent, and it was when an answer came
        (408, None, UNKNOWN, "request_timeout"),
        # not in the table: the safe side
        (301, None, UNKNOWN, "redirected"),
        (302, None, UNKNOWN, "redirected"),
        (418, None, UNKNOWN, "unexpected_answer"),
        (507, None, UNKNOWN, "unexpected_answer"),
        (599, None, UNKNOWN, "unexpected_answer"),
    ],
)
def test_a_line_of_the_table(http_status: int, api_code: str | None, means: Class, code: str) -> None:
    assert (means, code) == classify(a_fault(http_status, api_code))


@pytest.mark.parametrize(
    "message", ["The token is invalid.", "Token expired", "The Token you gave is NOT VALID any more"]
)
def test_a_403_about_the_token_is_about_credentials(message: str) -> None:
    assert (CREDENTIALS, "credentials_refused") == classify(a_fault(403, None, message))


@pytest.mark.parametrize("message", ["", "Forbidden", "Your role is invalid", "A token of our thanks"])
def test_any_other_403_is_a_refusal(message: str) -> None:
    assert (REFUSED, "refused") == classify(a_fault(403, None, message))


@pytest.mark.parametrize("number", ["0101", "0201", "0203", "0302", "0308"])
def test_huaweis_gateway_says_the_same_under_its_own_name(number: str) -> None:
    assert classify(a_fault(400, f"APIG.{number}")) == classify(a_fault(400, f"APIGW.{number}"))


@pytest.mark.parametrize("http_status", [418, 500, 200])
def test_a_code_means_nothing_under_a_status_it_is_not_documented_for(http_status: int) -> None:
    assert UNKNOWN is classify(a_fault(http_status, "VPC.1026"))[0]


def test_every_row_can_be_reached() -> None:
    """
    A row that an earlier one hides would be a line of the document that is not obeyed.
    """
    reached = {
        classify(a_fault(status, code, "token expired" if row.code == "credentials_refused" else ""))
        for row in TABLE
        for status in (row.statuses or {400})
        for code in (row.api_codes or {None, "Some.Code"})
    }

    assert {(row.means, row.code) for row in TABLE} <= reached


@pytest.mark.parametrize(
    ("http_status", "api_code", "means"),
    [
        (500, None, BUSY),
        (503, None, BUSY),
        (504, "APIG.0201", BUSY),
        (400, None, BUSY),
        (403, None, BUSY),
        (404, "NotFound", BUSY),
        (409, None, BUSY),
        (302, None, MISCONFIGURED),
        (429, None, THROTTLED),
        (401, None, CREDENTIALS),
        (404, None, MISCONFIGURED),
        (405, None, MISCONFIGURED),
    ],
)
def test_a_look_changes_nothing_and_is_free_to_repeat(http_status: int, api_code: str | None, means: Class) -> None:
    assert means is classify_look(a_fault(http_status, api_code))[0]
