"""
What a cloud did, in words that somebody reads who has never seen this code.
"""

from __future__ import annotations

from typing import TypeVar

import pytest

from worker.core.answers import Created, Listed, Refused, Service, Trouble

T = TypeVar("T")


def told(answer: object) -> str:
    """
    An answer as a part of a sentence.
    """
    match answer:
        case Created(service):
            return f"it created service {service.id} with status {service.status}"
        case Listed(services):
            return f"it listed {', '.join(one.id for one in services) or 'nothing'}"
        case Service(id=service_id, status=status):
            return f"it showed service {service_id} with status {status}"
        case None:
            return "it accepted that"
    trouble = getattr(answer, "trouble", None)
    if not isinstance(trouble, Trouble):
        return f"it said {answer!r}"
    http = f"HTTP {trouble.http_status}, " if trouble.http_status else ""
    api_code = f"{trouble.api_code}, " if trouble.api_code else ""
    return f"it said ({type(answer).__name__}, {http}{api_code}{trouble.code}, {trouble.api_request_id}): {trouble.message}"


def expect(kind: type[T], answer: object, claim: str) -> T:
    """
    The answer, if it is of this kind; else the test fails with the claim and what the cloud said instead.
    """
    __tracebackhide__ = True
    if not isinstance(answer, kind):
        pytest.fail(f"{claim}; {told(answer)}")
    return answer


def expect_refused(answer: object, code: str, claim: str) -> Refused:
    """
    The answer, if it is a refusal with this code of ours.
    """
    __tracebackhide__ = True
    refused = expect(Refused, answer, claim)
    if refused.trouble.code != code:
        pytest.fail(f"{claim}, as {code}; {told(answer)}")
    return refused
