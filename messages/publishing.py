"""
For publishers: a request as body, headers and properties that any AMQP library takes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal, Required, TypedDict, Unpack, get_args

from pydantic import ValidationError

from messages.attributes import (
    CORE_ATTRIBUTES,
    FOLLOW_VALUES,
    OWN_EXTENSIONS,
    checked_text,
    is_extension_name,
    is_portable,
    trace_of,
)
from messages.envelope import Envelope, Rejection, RequestHeaders, decode_request, encode_request
from messages.faults import FieldError, capped, kind, quoted, shown
from messages.identity import checked_id
from messages.requests import CreateVpnService, field_errors
from messages.routes import Routes

Mode = Literal["binary", "structured", "plain"]
Follow = Literal["none", "settled", "active"]

PERSISTENT = 2  # AMQP 0-9-1, 1.8.1: delivery mode of a message that survives a restart of the broker

_OWN_ARGUMENTS = MappingProxyType({name: name for name in OWN_EXTENSIONS} | {"expirytime": "expires_at"})
_TEXTS = ("correlation_id", "reply_to", "user_id")
_TIMES = ("expires_at", "made_at")


class RequestOptions(TypedDict, total=False):
    """
    What a publisher says about a request beside its body; `encode` explains each.
    """

    id: Required[str]
    source: Required[str]
    correlation_id: str | None
    reply_to: str | None
    user_id: str | None
    expires_at: datetime | None
    made_at: datetime | None
    follow: Follow | None
    extensions: Mapping[str, str | bool | int] | None
    traceparent: str | None
    tracestate: str | None
    mode: Mode
    routes: Routes
    unchecked: bool


@dataclass(frozen=True, slots=True)
class EncodedRequest:
    """
    A request, ready to publish: with confirms, and `mandatory`, so that RabbitMQ says where it has no queue for it.

    Args:
        body: JSON, UTF-8.
        headers: of the message; CloudEvents attributes are among them.
        properties: of the message, by the names that pika.BasicProperties and aio_pika.Message both take:
            content_type and delivery_mode, and of correlation_id, reply_to, message_id, app_id and user_id those
            that are set.
        exchange: where to publish it to; it is there when a worker or `vpn-worker topology apply` has run.
        routing_key: what to publish it with.
        mandatory: True.
    """

    body: bytes
    headers: dict[str, Any]
    properties: dict[str, Any]
    exchange: str
    routing_key: str
    mandatory: bool = True


class InvalidRequestError(ValueError):
    """
    The worker would reject this request. `errors` has every fault, each with its path, code and message.
    """

    def __init__(self, errors: Iterable[FieldError]) -> None:
        self.errors = tuple(errors)
        count = len(self.errors)
        faults = "".join(f"\n  {error.path}: {error.message}" for error in self.errors)
        super().__init__(f"the request has {count} {'error' if count == 1 else 'errors'}:{faults}")


def encode(body: CreateVpnService | Mapping[str, Any], **told: Unpack[RequestOptions]) -> EncodedRequest:
    """
    The message to publish for a request, checked as the worker checks it. The same arguments give the same message.

    Args:
        body: the API's own, `{"vpnservice": {"router_id": ..., "name": ...}}`; what is not given is not sent.
        told: `id` and `source` are mandatory, 1 to 255 bytes each, and the request's identity: published again under
            the same two, nothing happens twice. Take the id from what you already have, an order item's number, so
            that it is the same after a restart. `source` names your system: `/shop`.
            `correlation_id`: comes back with the events; the id, unless given.
            `reply_to`: a queue that gets a copy of the outcome, where the worker may write to it.
            `user_id`: the RabbitMQ user you publish as, for workers that look at it.
            `expires_at`: aware; not to be created after this moment. `made_at`: aware; when it was asked for, since
            when the worker then measures.
            `follow`: none, settled or active: how far to tell the service's status; else as the worker is set.
            `extensions`: further CloudEvents attributes (names of a-z 0-9), copied to the events.
            `traceparent`, `tracestate`: W3C Trace Context; events come back in the same trace.
            `mode`: binary (CloudEvents in headers; the default), structured (one JSON document) or plain (no
            CloudEvents but message_id and app_id).
            `routes`: the names on the broker, where the prefix is not `vpn`: `Routes("test")`.
            `unchecked`: True sends a request that the worker rejects.

    Raises:
        InvalidRequestError: the worker would reject it; with every fault.
        TypeError: there is no such argument; or, unchecked, the body cannot be written as JSON.
        ValueError: unchecked, and an id, source or extension cannot be sent at all.
    """
    unknown = sorted(told.keys() - RequestOptions.__annotations__.keys())
    if unknown:
        raise TypeError(f"encode() has no argument {quoted(unknown[0])}: known are {', '.join(_NAMES)}")
    if isinstance(body, Mapping):
        body = dict(body)  # JSON is made of dicts
    is_checked = not told.get("unchecked", False)
    if is_checked:
        _refuse(_faults(body, told))
    envelope = _envelope(body, told)
    if is_checked:  # the worker's own reading has the last word
        read = decode_request(envelope)
        _refuse(read.errors if isinstance(read, Rejection) else ())
    routes = told.get("routes") or Routes()

    return EncodedRequest(
        envelope.body,
        dict(envelope.headers),
        _properties(envelope, told.get("user_id")),
        routes.requests_exchange,
        routes.request_routing_key,
    )


_NAMES = tuple(RequestOptions.__annotations__)


def _refuse(errors: Iterable[FieldError]) -> None:
    found = capped(tuple(errors))
    if found:
        raise InvalidRequestError(found)


def _envelope(body: CreateVpnService | Mapping[str, Any], told: RequestOptions) -> Envelope:
    extensions = dict(told.get("extensions") or {})
    follow = told.get("follow")
    if follow is not None:
        extensions["follow"] = follow
    headers: RequestHeaders = {
        "id": told["id"],
        "source": told["source"],
        "mode": told.get("mode", "binary"),
        "correlation_id": told.get("correlation_id"),
        "reply_to": told.get("reply_to"),
        "expires_at": told.get("expires_at"),
        "made_at": told.get("made_at"),
        "extensions": extensions,
    }
    envelope = encode_request(body, **headers)
    # As headers of the transport, also beside a structured body: they are read first there.
    trace = {"traceparent": told.get("traceparent"), "tracestate": told.get("tracestate")}
    sent = {name: value for name, value in trace.items() if value is not None}

    return Envelope(
        body=envelope.body,
        headers={**envelope.headers, **sent},
        content_type=envelope.content_type,
        message_id=envelope.message_id,
        app_id=envelope.app_id,
        correlation_id=envelope.correlation_id,
        reply_to=envelope.reply_to,
    )


def _properties(envelope: Envelope, user_id: str | None) -> dict[str, Any]:
    told = {
        "content_type": envelope.content_type,
        "delivery_mode": PERSISTENT,
        "correlation_id": envelope.correlation_id,
        "reply_to": envelope.reply_to,
        "message_id": envelope.message_id,
        "app_id": envelope.app_id,
        "user_id": user_id,
    }

    return {name: value for name, value in told.items() if value is not None}


def _faults(body: object, told: RequestOptions) -> list[FieldError]:
    """
    All that is wrong with what the caller gave, by the names he gave it under.
    """
    given: Mapping[str, object] = {**told}
    errors: list[FieldError] = []
    checked_id(given.get("id"), "id", errors)
    checked_text(given.get("source"), "source", errors)
    for name in _TEXTS:
        if given.get(name) is not None:
            checked_text(given[name], name, errors)
    for name in _TIMES:
        moment = given.get(name)
        if moment is not None and not (isinstance(moment, datetime) and moment.tzinfo):
            message = f"must be a datetime with a time zone, like datetime.now(UTC), got {_what(moment)}"
            errors.append(FieldError(name, "not_a_time", message))
    _check_choice(given.get("mode", "binary"), "mode", get_args(Mode), errors)
    if given.get("follow") is not None:
        _check_choice(given["follow"], "follow", FOLLOW_VALUES, errors)
    _check_extensions(given.get("extensions"), errors)
    _check_trace(given, errors)
    errors.extend(_body_faults(body))

    return errors


def _what(value: object) -> str:
    return "one without" if isinstance(value, datetime) else shown(value)


def _check_choice(value: object, path: str, choices: tuple[str, ...], errors: list[FieldError]) -> None:
    if not isinstance(value, str) or value not in choices:
        message = f"must be one of {', '.join(choices)}, got {shown(value)}"
        errors.append(FieldError(path, "unsupported_value", message))


def _check_extensions(extensions: object, errors: list[FieldError]) -> None:
    if extensions is None:
        return
    if not isinstance(extensions, Mapping):
        errors.append(FieldError("extensions", "wrong_type", f"must be a mapping, got {kind(extensions)}"))
        return
    for name, value in extensions.items():
        path = f"extensions.{name if isinstance(name, str) and is_extension_name(name) else quoted(str(name))}"
        if name in _OWN_ARGUMENTS:
            message = f"is no extension here: give it as the argument {_OWN_ARGUMENTS[name]}"
            errors.append(FieldError(path, "unsupported_value", message))
        elif not isinstance(name, str) or not is_extension_name(name) or name in CORE_ATTRIBUTES:
            message = "must be named with 1 to 64 of a-z 0-9, and not as an attribute of CloudEvents itself"
            errors.append(FieldError(path, "unsupported_value", message))
        elif not is_portable(value):
            message = f"must be text, a boolean or an integer of at most 64 bits, got {kind(value)}"
            errors.append(FieldError(path, "wrong_type", message))


def _check_trace(given: Mapping[str, object], errors: list[FieldError]) -> None:
    parent, state = given.get("traceparent"), given.get("tracestate")
    known = {"traceparent": parent, "tracestate": state}
    read_parent, read_state = trace_of(known, {})
    if parent is not None and read_parent is None:
        message = f"must be written as W3C Trace Context says, 00-<32 hex>-<16 hex>-<2 hex>, got {shown(parent)}"
        errors.append(FieldError("traceparent", "unsupported_value", message))
    elif state is not None and read_state is None:
        message = "must be printable ASCII of at most 512 characters, beside a traceparent"
        errors.append(FieldError("tracestate", "unsupported_value", message))


def _body_faults(body: object) -> list[FieldError]:
    if isinstance(body, CreateVpnService):
        return []
    try:
        CreateVpnService.model_validate(body)
    except ValidationError as error:
        return field_errors(error)

    return []
