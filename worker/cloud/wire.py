"""
The cloud's error bodies and services, as the documents describe them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from messages.services import created_at_of
from worker.core.answers import Service

_MESSAGE_LIMIT = 500
_CODE_LIMIT = 128


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


def read_fault(http_status: int, body: bytes, header_request_id: str | None) -> Fault:
    """
    The error in `body`; every dialect of the family (source: the API family's error pages), HTML or nothing.
    """
    read = _object(body)
    inner = read.get("NeutronError") or read.get("error") or read
    if isinstance(inner, str):
        inner = {"message": inner}
    code = _first(inner, "type", "error_code", "errorCode", "code")
    message = _first(inner, "message", "error_msg", "errorMsg", "detail", "title")
    request_id = _first(read, "request_id", "requestId") or header_request_id
    return Fault(
        http_status, to_code(code), one_line(message or f"HTTP {http_status}", _MESSAGE_LIMIT), to_code(request_id)
    )


def read_service(body: bytes) -> Service | None:
    """
    The service of a create or show answer; None when there is no `vpnservice.id` to go by.
    """
    return to_service(_object(body).get("vpnservice"))


def read_services(body: bytes) -> tuple[tuple[Service, ...], str | None] | None:
    """
    The services of one list page and the link to the next page; None when it is no list.
    """
    read = _object(body)
    listed = read.get("vpnservices")
    if not isinstance(listed, list):
        return None
    services = tuple(service for one in listed if (service := to_service(one)) is not None)
    links = read.get("vpnservices_links")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("rel") == "next" and isinstance(link.get("href"), str):
            return services, link["href"]
    return services, None


def to_service(shown: object) -> Service | None:
    """
    A service from the cloud's object, kept verbatim; None when it has no id.
    """
    if not isinstance(shown, dict):
        return None
    service_id, status = shown.get("id"), shown.get("status")
    if not isinstance(service_id, str) or not service_id:
        return None
    created_at = created_at_of(shown.get("created_at"))
    return Service(
        service_id,
        status if isinstance(status, str) else None,
        shown,
        datetime.fromisoformat(created_at) if created_at else None,
    )


def one_line(text: str, limit: int) -> str:
    """
    The text without anything that could forge a line or cannot be written as UTF-8, at most `limit` characters.
    """
    return "".join(char if char.isprintable() else " " for char in text[:limit])


def to_code(text: str | None) -> str | None:
    """
    A code or request id as it is safe to keep, whoever wrote it; None for none.
    """
    return None if text is None else one_line(text, _CODE_LIMIT)


def _object(body: bytes) -> dict[str, Any]:
    try:
        read = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return read if isinstance(read, dict) else {}


def _first(fields: object, *names: str) -> str | None:
    if not isinstance(fields, dict):
        return None
    for name in names:
        value = fields.get(name)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return None
