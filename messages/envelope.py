"""
The envelope of a request: one AMQP message, read in plain and both CloudEvents modes, and written.

CloudEvents 1.0.2 with its JSON format, and RabbitMQ's and AMQP's protocol bindings for the headers.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Required, TypedDict, Unpack

from pydantic import ValidationError

from messages.attributes import (
    CORE_ATTRIBUTES,
    FOLLOW_VALUES,
    JSON_CONTENT,
    REQUEST_TYPE,
    SPECVERSION,
    STRUCTURED,
    UNNAMED_SOURCE,
    checked_text,
    extensions_of,
    is_extension_name,
    is_portable,
    media_type,
    read_headers,
    rfc3339,
    text_problem,
    time_of,
    trace_of,
)
from messages.faults import FieldError, capped, quoted, shown
from messages.identity import check_content, checked_id, cloudevents_identity, structured_identity, unwrapped
from messages.requests import CreateVpnService, digest, field_errors, to_api_body
from messages.strict_json import ABSENT, parse

__all__ = [
    "REQUEST_TYPE",
    "UNNAMED_SOURCE",
    "Envelope",
    "Rejection",
    "Request",
    "decode_request",
    "encode_request",
]

_MARKS_OF_BINARY = frozenset(("id", "source", "type", "specversion"))


@dataclass(frozen=True, slots=True)
class Envelope:
    """
    One AMQP message, free of any client library: the body, the headers and the properties that matter here.
    """

    body: bytes
    headers: Mapping[str, object]
    content_type: str | None
    message_id: str | None
    app_id: str | None
    correlation_id: str | None
    reply_to: str | None
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """
    A valid request. `(source, id)` is its idempotency key, `digest` tells whether the same key came with another body.

    Args:
        correlation_id: the request's, or its id.
        expires_at: not to be created after this moment; aware, UTC.
        extensions: CloudEvents extension attributes to copy to the events.
        traceparent: W3C Trace Context of the publisher, valid when given.
        follow: how far to follow the service: none, settled, active; None leaves it to the worker.
        made_at: when it was made, as its `ce-time` says; aware, UTC.
    """

    source: str
    id: str
    body: CreateVpnService
    digest: str
    correlation_id: str
    reply_to: str | None
    expires_at: datetime | None
    extensions: Mapping[str, str | bool | int]
    traceparent: str | None
    tracestate: str | None
    follow: str | None = None
    made_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """
    A message that is no valid request, and everything that is wrong with it.

    Args:
        source: None when it could not be read; so are `id`, `correlation_id` and `reply_to`.
        errors: at least one.
        digest: SHA-256, in hex, over the raw body and the identifying headers and properties: the same message gives
            the same again, so an event id made from it is stable. Use it in place of the id: a good request may have
            come under this id.
    """

    source: str | None
    id: str | None
    correlation_id: str | None
    reply_to: str | None
    errors: tuple[FieldError, ...]
    digest: str
    extensions: Mapping[str, str | bool | int] = field(default_factory=dict)
    traceparent: str | None = None
    tracestate: str | None = None


def decode_request(envelope: Envelope) -> Request | Rejection:
    """
    The request in a message, or all that is wrong with it. Never raises, whatever the bytes and headers are.

    Modes: structured by the content type; binary when one of the attributes id, source, type, specversion is among
    the headers; else plain, with `message_id` as the id and `app_id` as the source.
    """
    errors: list[FieldError] = []
    attributes = read_headers(envelope.headers, errors)
    payload = parse(envelope.body, errors)
    media = media_type(envelope.content_type)
    if media == STRUCTURED:
        attributes, payload = unwrapped(payload, errors)
        source, identity = structured_identity(attributes, errors)
    elif not _MARKS_OF_BINARY.isdisjoint(attributes):
        check_content(media or media_type(attributes.get("datacontenttype")), "content_type", errors)
        source, identity = cloudevents_identity(attributes, errors)
    else:
        if media.startswith("application/cloudevents"):
            check_content(media, "content_type", errors)
        source, identity = _plain_identity(envelope, errors)
    body = _validated(payload, errors)
    rest = _read_rest(envelope, attributes, errors)

    if body is None or source is None or identity is None or errors:
        return _rejection(envelope, source, identity, rest, errors)
    return Request(
        source,
        identity,
        body,
        digest(body),
        rest.correlation_id or identity,
        rest.reply_to,
        rest.expires_at,
        rest.extensions,
        rest.traceparent,
        rest.tracestate,
        rest.follow,
        time_of(attributes.get("time")),
    )


def _plain_identity(envelope: Envelope, errors: list[FieldError]) -> tuple[str | None, str | None]:
    source = checked_text(envelope.app_id, "app_id", errors) if envelope.app_id else UNNAMED_SOURCE

    return source, checked_id(envelope.message_id, "message_id", errors)


def _validated(payload: Any, errors: list[FieldError]) -> CreateVpnService | None:
    if payload is ABSENT:
        return None
    try:
        return CreateVpnService.model_validate(payload)
    except ValidationError as error:
        told = {known.path for known in errors}  # a duplicate key or huge integer: one error a path is enough
        errors.extend(found for found in field_errors(error) if found.path not in told)

    return None


@dataclass(frozen=True, slots=True)
class _Rest:
    """
    What is read alike in all modes and for good and bad requests.
    """

    correlation_id: str | None
    reply_to: str | None
    expires_at: datetime | None
    follow: str | None
    extensions: Mapping[str, str | bool | int]
    traceparent: str | None
    tracestate: str | None


def _read_rest(envelope: Envelope, attributes: dict[str, object], errors: list[FieldError]) -> _Rest:
    correlation_id, reply_to = envelope.correlation_id or None, envelope.reply_to or None
    if correlation_id is not None:
        correlation_id = checked_text(correlation_id, "correlation_id", errors)
    if reply_to is not None:
        reply_to = checked_text(reply_to, "reply_to", errors)
    traceparent, tracestate = trace_of(envelope.headers, attributes)
    expires_at, follow = None, None
    if attributes:
        expires_at, follow = _expiry(attributes, errors), _follow(attributes, errors)

    return _Rest(correlation_id, reply_to, expires_at, follow, extensions_of(attributes), traceparent, tracestate)


def _expiry(attributes: dict[str, object], errors: list[FieldError]) -> datetime | None:
    value = attributes.get("expirytime")
    if value is None:
        return None
    expires_at = time_of(value)
    if expires_at is None:
        message = f"must be a time like 2026-01-31T12:00:00Z (RFC 3339), got {shown(value)}"
        errors.append(FieldError("ce-expirytime", "not_a_time", message))

    return expires_at


def _follow(attributes: dict[str, object], errors: list[FieldError]) -> str | None:
    value = attributes.get("follow")
    if value is None:
        return None
    if isinstance(value, str) and value in FOLLOW_VALUES:
        return value
    message = f"must be one of {', '.join(FOLLOW_VALUES)}, got {shown(value)}"
    errors.append(FieldError("ce-follow", "unsupported_value", message))

    return None


def _rejection(
    envelope: Envelope, source: str | None, identity: str | None, rest: _Rest, errors: list[FieldError]
) -> Rejection:
    return Rejection(
        source=source,
        id=identity,
        correlation_id=rest.correlation_id or identity,
        reply_to=rest.reply_to,
        errors=capped(errors),
        digest=_raw_digest(envelope),
        extensions=rest.extensions,
        traceparent=rest.traceparent,
        tracestate=rest.tracestate,
    )


def _raw_digest(envelope: Envelope) -> str:
    attributes = read_headers(envelope.headers, [])
    named = [(name, attributes[name]) for name in sorted(attributes) if is_portable(attributes[name])]
    properties = (envelope.content_type, envelope.message_id, envelope.app_id, envelope.correlation_id)
    told = json.dumps([named, [value if isinstance(value, str) else None for value in properties]])

    return hashlib.sha256(told.encode() + b"\n" + envelope.body).hexdigest()


class RequestHeaders(TypedDict, total=False):
    """
    What a publisher says about a request beside its body.
    """

    id: Required[str]
    source: Required[str]
    mode: Literal["binary", "structured", "plain"]
    correlation_id: str | None
    reply_to: str | None
    expires_at: datetime | None
    made_at: datetime | None
    extensions: Mapping[str, str | bool | int] | None


def encode_request(body: CreateVpnService | Mapping[str, Any], **told: Unpack[RequestHeaders]) -> Envelope:
    """
    The message to publish for a request.

    Args:
        body: the request; a mapping is sent as it is, right or wrong.
        told: `id` and `source`, 1 to 255 bytes each: publish again under the same two and nothing happens twice.
            `mode`: binary (default), structured or plain. `expires_at`: aware; do not create after it.
            `made_at`: aware; when it was asked for.
            `extensions`: CloudEvents extension attributes, copied to the events; also `follow`.

    Raises:
        ValueError: an id, source or extension cannot be sent.
    """
    identity, source, mode = told["id"], told["source"], told.get("mode", "binary")
    attributes = _attributes_to_send(told)
    payload = to_api_body(body) if isinstance(body, CreateVpnService) else json.dumps(body).encode()
    content_type = JSON_CONTENT
    named: dict[str, str | bool | int] = {
        "specversion": SPECVERSION,
        "id": identity,
        "source": source,
        "type": REQUEST_TYPE,
    }
    if mode == "structured":
        event = {**named, "datacontenttype": JSON_CONTENT, **attributes, "data": json.loads(payload)}
        payload, content_type, headers = json.dumps(event).encode(), STRUCTURED, {}
    else:
        sent = attributes if mode == "plain" else {**named, **attributes}
        headers = {f"ce-{name}": value for name, value in sent.items()}

    return Envelope(
        body=payload,
        headers=headers,
        content_type=content_type,
        message_id=identity if mode == "plain" else None,
        app_id=source if mode == "plain" else None,
        correlation_id=told.get("correlation_id"),
        reply_to=told.get("reply_to"),
    )


def _attributes_to_send(told: RequestHeaders) -> dict[str, str | bool | int]:
    for name, text in (("id", told["id"]), ("source", told["source"])):
        problem = text_problem(text)
        if problem is not None:
            raise ValueError(f"the {name} {problem[1]}")
    attributes = dict(told.get("extensions") or {})
    for name, value in attributes.items():
        if not is_extension_name(name) or name in CORE_ATTRIBUTES or not is_portable(value):
            raise ValueError(f"the extension {quoted(name)} must be named with a-z 0-9 and be text, boolean or integer")
    for attribute, moment in (("expirytime", told.get("expires_at")), ("time", told.get("made_at"))):
        if moment is not None:
            attributes[attribute] = rfc3339(moment)

    return attributes
