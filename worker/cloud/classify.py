"""
What a cloud's answer to a create means: the family's table as data, one row a line.

The HTTP status alone misclassifies, so the rows are read in order: error code first, then status
(source: the API family's error pages and the issue threads named beside the rows).
"""

from __future__ import annotations

from collections.abc import Iterable

from worker.core.meanings import Class, Fault, Row, row


def _names_the_token(fault: Fault) -> bool:
    """
    The message says that the token is invalid or expired.
    """
    said = fault.message.lower()
    return "token" in said and any(word in said for word in ("invalid", "expired", "not valid"))


def _has_own_code(fault: Fault) -> bool:
    """
    The body has a code of its own.

    Web servers and frameworks repeat the status as the code ("404", "404 Not Found"): that tells of the URL, not of
    a router that is not there.
    """
    code = fault.api_code or ""
    return code != "" and not code[0].isdigit()


#: They are not followed: credentials never go to another host, and a 302 would turn the POST into a GET.
REDIRECTS = frozenset({301, 302, 303, 307, 308})

# fmt: off
TABLE: tuple[Row, ...] = (
    # codes that mean the same under any status; APIGW. (Huawei) and APIG. (OTC) are the same codes
    row("", "APIG.0201 APIG.0203", Class.UNKNOWN, "backend_timeout"),
    row("", "APIG.0308 VPN.0429", Class.THROTTLED, "throttled"),
    row("", "APIG.0101", Class.MISCONFIGURED, "api_not_found"),
    row("", "APIG.0302 VPC.1017 VPC.0005", Class.REFUSED, "refused"),
    # codes under their documented status
    row("409", "OverQuota", Class.REFUSED, "quota_exceeded"),
    row("400", "VPC.1003 VPN.0803", Class.REFUSED, "quota_exceeded"),
    row("400", "VPC.1026 VPN.0031", Class.CONFLICT, "conflict"),
    row("400", "VPC.0004 VPN.0030 VPN.0506 VPN.0507 VPN.0508", Class.BUSY, "busy"),
    row("409", "VPN.0016 VPN.0017", Class.BUSY, "busy"),
    row("400", "VPC.1020 VPC.1023 VPC.1024 VPC.1027 VPC.1028 VPC.1029 VPC.1030", Class.UNKNOWN, "system_error"),
    row("400", "VPNGatewayNotReady", Class.UNKNOWN, "gateway_not_ready"),
    row("409", "VPNGatewayInError", Class.REFUSED, "gateway_in_error"),
    # the status alone
    row("500 502 503 504", "", Class.UNKNOWN, "server_error"),
    row("401", "", Class.CREDENTIALS, "credentials_refused"),
    row("403", "", Class.CREDENTIALS, "credentials_refused", _names_the_token),
    row("429", "", Class.THROTTLED, "throttled"),
    row("409", "", Class.CONFLICT, "conflict"),
    row("425", "", Class.BUSY, "busy"),
    # the body was fully sent when an answer came, so 408 may have been executed
    row("408", "", Class.UNKNOWN, "request_timeout"),
    row("404", "", Class.REFUSED, "not_found", _has_own_code),
    row("404 405 406 407 410 413 414 415 501", "", Class.MISCONFIGURED, "endpoint_wrong"),
    row("400 403", "", Class.REFUSED, "refused"),
)
# fmt: on


def classify(fault: Fault, rows: Iterable[Row] = ()) -> tuple[Class, str]:
    """
    Class and our code of an error answer to a create.

    Args:
        fault: the answer.
        rows: the cloud profile's own, which go before the family's.

    Returns:
        The first row that fits; an answer that no row knows is unknown, the safe side (3xx and 1xx among them).
    """
    api_code = (fault.api_code or "").replace("APIGW.", "APIG.")
    for line in (*rows, *TABLE):
        if line.fits(fault, api_code):
            return line.means, line.code
    return Class.UNKNOWN, "redirected" if fault.http_status in REDIRECTS else "unexpected_answer"


def classify_look(fault: Fault, rows: Iterable[Row] = ()) -> tuple[Class, str]:
    """
    Class and our code of an error answer to a list or show call: it changes nothing, so it is free to repeat.
    """
    means, code = classify(fault, rows)
    if means in {Class.THROTTLED, Class.CREDENTIALS, Class.MISCONFIGURED}:
        return means, code
    if fault.http_status in REDIRECTS:
        # After a POST it proves nothing, so that is unknown; but no list is ever served like this.
        return Class.MISCONFIGURED, code
    return Class.BUSY, "look_failed"
