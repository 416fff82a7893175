"""
What an error answer of a cloud can mean, and the form of a table that says so: one row a line, as data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Fault:
    """
    An error answer, whatever its dialect.

    Attributes:
        http_status: of the answer.
        api_code: `NeutronError.type`, `error_code`, `code` or `errorCode`, at most 128 characters; None for HTML or
            an empty body.
        message: the cloud's words, at most 500 characters, on one line.
        request_id: from the body or the headers.
    """

    http_status: int
    api_code: str | None
    message: str
    request_id: str | None


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

    def fits(self, fault: Fault, api_code: str) -> bool:
        """
        Whether this line is about that answer; `api_code` is its code as the table spells it.
        """
        if self.statuses and fault.http_status not in self.statuses:
            return False
        if self.api_codes and api_code not in self.api_codes:
            return False
        return self.matches(fault)


def row(statuses: str, api_codes: str, means: Class, code: str, matches: Callable[[Fault], bool] | None = None) -> Row:
    """
    A line of the table; statuses and codes each in one text, apart by spaces.
    """
    line = Row(frozenset(map(int, statuses.split())), frozenset(api_codes.split()), means, code)
    return line if matches is None else Row(line.statuses, line.api_codes, means, code, matches)
