"""
The cloud's error bodies and services, as the documents describe them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from messages.services import moment_of
from worker.core.answers import Service
from worker.core.meanings import Fault
from worker.core.profile import Profile

_MESSAGE_LIMIT = 500
_CODE_LIMIT = 128


def read_fault(http_status: int, body: bytes, header_request_id: str | None, mask: Callable[[str], str] = str) -> Fault:
    """
    The error in `body`; every dialect of the family (source: the API family's error pages), HTML or nothing.

    Args:
        http_status: of the answer.
        body: of the answer.
        header_request_id: the cloud's request id, where the body has none.
        mask: takes secrets out of the cloud's words. It gets them whole: half a secret would not be known for one.
    """
    read = _object(body)
    inner = read.get("NeutronError") or read.get("error") or read
    if isinstance(inner, str):
        inner = {"message": inner}
    code = _first(inner, "type", "error_code", "errorCode", "code")
    message = _first(inner, "message", "error_msg", "errorMsg", "detail", "title")
    request_id = _first(read, "request_id", "requestId") or header_request_id
    return Fault(
        http_status,
        to_code(mask(code) if code else None),
        one_line(mask(message) if message else f"HTTP {http_status}", _MESSAGE_LIMIT),
        to_code(mask(request_id) if request_id else None),
    )


def renamed(body: bytes, profile: Profile) -> bytes:
    """
    A create's body as this cloud names things; the document's own where it has no names of its own.
    """
    if profile.member == "vpnservice" and not profile.renames:
        return body
    asked: dict[str, object] = orjson.loads(body)["vpnservice"]
    return orjson.dumps({profile.member: {profile.renames.get(name, name): value for name, value in asked.items()}})


def read_service(body: bytes, profile: Profile) -> Service | None:
    """
    The service of a create or show answer; None when there is no `vpnservice.id` to go by.
    """
    return to_service(_object(body).get(profile.member), profile)


def read_services(body: bytes, profile: Profile) -> tuple[tuple[Service, ...], str | None] | None:
    """
    The services of one list page and the link to the next page; None when it is no list.
    """
    read = _object(body)
    listed = read.get(profile.collection)
    if not isinstance(listed, list):
        return None
    services = tuple(service for one in listed if (service := to_service(one, profile)) is not None)
    links = read.get(f"{profile.collection}_links")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("rel") == "next" and isinstance(link.get("href"), str):
            return services, link["href"]
    return services, None


def to_service(shown: object, profile: Profile) -> Service | None:
    """
    A service from the cloud's object, kept verbatim but for what the profile renames; None when it has no id.
    """
    if not isinstance(shown, dict):
        return None
    attributes: dict[str, Any] = shown
    if profile.renames:
        ours = {theirs: name for name, theirs in profile.renames.items()}
        attributes = {ours.get(name, name): value for name, value in attributes.items()}
    service_id, status = attributes.get("id"), attributes.get("status")
    if not isinstance(service_id, str) or not service_id:
        return None
    created_at = moment_of(attributes.get("created_at"))
    return Service(service_id, status if isinstance(status, str) else None, attributes, created_at)


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
