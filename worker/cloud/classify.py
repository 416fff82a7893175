"""
What a cloud's answer to a create means: the family's table as data, one row a line.

The HTTP status alone misclassifies, so the rows are read in order: error code first, then status
(source: the API family's error pages and the issue threads named beside the rows).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from worker.cloud.wire import Fault


class Class(Enum):
    """
    What the worker does about an answer.
    """

    REFUSED = "refused"
    BUSY = "busy"
    THROTTLED = "throttled"
    CONFLICT = "conflict"
    UNKNOWN = "unknown"
    CREDENTIALS = "credentials"
    MISCONFIGURED = "misconfigured"


@dataclass(frozen=True, slots=True)
class Row:
    """
    One line of the table: for these statuses and these codes, this class and our code.

    Empty `statuses` or `api_codes` match every one; `matches` looks closer where code and status do not tell.
    """

    statuses: frozenset[int]
    api_codes: frozenset[str]
    means: Class
    code: str
    matches: Callable[[Fault], bool] = lambda fault: True


def _row(statuses: str, api_codes: str, means: Class, code: str, matches: Callable[[Fault], bool] | None = None) -> Row:
    row = Row(frozenset(map(int, statuses.split())), frozenset(api_codes.split()), means, code)
    return row if matches is None else Row(row.statuses, row.api_codes, means, code, matches)


def _names_the_token(fault: Fault) -> bool:
    said = fault.message.lower()
    return "token" in said and any(word in said for word in ("invalid", "expired", "not valid"))


def _has_own_code(fault: Fault) -> bool:
    # Web servers and frameworks repeat the status as the code ("404", "404 Not Found"): that tells of the URL, not of
    # a router that is not there.
    code = fault.api_code or ""
    return code != "" and not code[0].isdigit()


# fmt: off
TABLE: tuple[Row, ...] = (
    # codes that mean the same under any status; APIGW. (Huawei) and APIG. (OTC) are the same codes
    _row("", "APIG.0201 APIG.0203", Class.UNKNOWN, "backend_timeout"),
    _row("", "APIG.0308 VPN.0429", Class.THROTTLED, "throttled"),
    _row("", "APIG.0101", Class.MISCONFIGURED, "api_not_found"),
    _row("", "APIG.0302 VPC.1017 VPC.0005", Class.REFUSED, "refused"),
    # codes under their documented status
    _row("409", "OverQuota", Class.REFUSED, "quota_exceeded"),
    _row("400", "VPC.1003 VPN.0803", Class.REFUSED, "quota_exceeded"),
    _row("400", "VPC.1026 VPN.0031", Class.CONFLICT, "conflict"),
    _row("400", "VPC.0004 VPN.0030 VPN.0506 VPN.0507 VPN.0508", Class.BUSY, "busy"),
    _row("409", "VPN.0016 VPN.0017", Class.BUSY, "busy"),
    _row("400", "VPC.1020 VPC.1023 VPC.1024 VPC.1027 VPC.1028 VPC.1029 VPC.1030", Class.UNKNOWN, "system_error"),
    _row("400", "VPNGatewayNotReady", Class.UNKNOWN, "gateway_not_ready"),
    _row("409", "VPNGatewayInError", Class.REFUSED, "gateway_in_error"),
    # the status alone
    _row("500 502 503 504", "", Class.UNKNOWN, "server_error"),
    _row("401", "", Class.CREDENTIALS, "credentials_refused"),
    _row("403", "", Class.CREDENTIALS, "credentials_refused", _names_the_token),
    _row("429", "", Class.THROTTLED, "throttled"),
    _row("409", "", Class.CONFLICT, "conflict"),
    _row("425", "", Class.BUSY, "busy"),
    # the body was fully sent when an answer came, so 408 may have been executed
    _row("408", "", Class.UNKNOWN, "request_timeout"),
    _row("404", "", Class.REFUSED, "not_found", _has_own_code),
    _row("404 405 406 407 410 413 414 415 501", "", Class.MISCONFIGURED, "endpoint_wrong"),
    _row("400 403", "", Class.REFUSED, "refused"),
)
# fmt: on


def classify(fault: Fault) -> tuple[Class, str]:
    """
    Class and our code of an error answer to a create.

    Returns:
        The first row that fits; an answer that no row knows is unknown, the safe side (3xx and 1xx among them).
    """
    api_code = (fault.api_code or "").replace("APIGW.", "APIG.")
    for row in TABLE:
        if row.statuses and fault.http_status not in row.statuses:
            continue
        if row.api_codes and api_code not in row.api_codes:
            continue
        if row.matches(fault):
            return row.means, row.code
    return Class.UNKNOWN, "unexpected_answer"


def classify_look(fault: Fault) -> tuple[Class, str]:
    """
    Class and our code of an error answer to a list or show call: it changes nothing, so it is free to repeat.
    """
    means, code = classify(fault)
    if means in {Class.THROTTLED, Class.CREDENTIALS, Class.MISCONFIGURED}:
        return means, code
    return Class.BUSY, "look_failed"
