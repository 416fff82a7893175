"""
What the worker tells: the six events, their ids, their routing keys and their messages.

Open to the future: a consumer keeps fields it does not know.
"""

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, NotRequired, TypedDict, Unpack

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import PydanticSerializationError

from messages.attributes import (
    CORE_ATTRIBUTES,
    JSON_CONTENT,
    RFC3339,
    SPECVERSION,
    STRUCTURED,
    is_extension_name,
    is_portable,
    media_type,
    read_headers,
    rfc3339,
    time_of,
)
from messages.envelope import Envelope
from messages.faults import FieldError, quoted

EVENT_NAMESPACE = uuid.UUID("60cf7f0c-272f-432a-90bf-466baed2b299")
"""The namespace of event ids (RFC 9562, 5.5). Never to be changed: ids would not repeat any more."""

MAX_ERROR_MESSAGE_BYTES = 1024  # error texts also travel in headers, and those close the connection when too large
MAX_STATUS_KEY = 64  # a routing key is a short string of 255 bytes


def _whole_characters(value: object) -> object:
    # The cloud's texts are not ours to trust: half a surrogate pair cannot be written as UTF-8, and an event that
    # cannot be written is an event lost.
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    return value


def _written_time(value: object) -> object:
    moment = time_of(value)
    if moment is None:
        raise ValueError("must be a time as RFC 3339 writes it, with an offset")

    return moment


def _in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


Text = Annotated[str, BeforeValidator(_whole_characters)]
Time = Annotated[
    AwareDatetime,
    BeforeValidator(_written_time),
    AfterValidator(_in_utc),
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": f"^{RFC3339}$"}),
]


class ErrorField(BaseModel):
    """
    One thing that is wrong with a request; a `FieldError` as it is written.
    """

    model_config = ConfigDict(frozen=True, extra="allow", from_attributes=True)

    path: Text = Field(description="Where: vpnservice.name, body, ce-id, message_id, headers, ...")
    code: Text = Field(description="A stable code, such as too_long.")
    message: Text = Field(description="What to do about it, for a person; the wording may change.")


class ErrorInfo(BaseModel):
    """
    Why there is no service, or why it is not known whether there is one.
    """

    model_config = ConfigDict(frozen=True, extra="allow", json_schema_serialization_defaults_required=True)

    code: Text = Field(description="A stable code of the worker, such as quota_exceeded.")
    message: Text = Field(description="What happened, for a person; at most 1024 bytes of UTF-8.")
    http_status: int | None = Field(default=None, description="The HTTP status of the cloud's answer, if any.")
    api_code: Text | None = Field(default=None, description="The cloud's own error code, such as VPN.0031.")
    api_request_id: Text | None = Field(default=None, description="The cloud's request ID, for its support.")
    existing_service_id: Text | None = Field(
        default=None, description="The VPN service that stands in the way, if one was found; not made for this request."
    )
    is_retryable: bool = Field(default=False, description="Whether a retry can help.")
    fields: list[ErrorField] = Field(
        default_factory=list, description="Every field error of a rejected request; else empty."
    )


class VpnServiceEvent(BaseModel):
    """
    What all events have.
    """

    model_config = ConfigDict(frozen=True, extra="allow", json_schema_serialization_defaults_required=True)

    type: ClassVar[str]
    key: ClassVar[str]

    request_id: Text | None = Field(default=None, description="The id of the request; null when it had none.")
    request_source: Text | None = Field(default=None, description="The source of the request; null when it had none.")
    service_id: Text | None = Field(default=None, description="The VPN service ID; null when none is known.")
    status: Text | None = Field(
        default=None, description="The VPN service's status as the cloud wrote it; null when none is known."
    )
    vpnservice: dict[str, JsonValue] | None = Field(
        default=None, description="The cloud's VPN service object, word for word; null when none is known."
    )
    created_at: Text | None = Field(
        default=None, description="The cloud's created_at as RFC 3339 in UTC; null when absent or unreadable."
    )
    error: ErrorInfo | None = Field(default=None, description="What went wrong; null when nothing did.")
    attempts: int = Field(default=0, ge=0, description="Number of tries made to create the service.")
    reconciled: bool = Field(
        default=False, description="Whether the service was found by a look-up after an answer was lost."
    )
    occurred_at: Time = Field(description="When it happened: RFC 3339 in UTC with microseconds.")


class VpnServiceCreated(VpnServiceEvent):
    """
    The cloud answered with an id. An outcome.
    """

    type = "vpn.vpnservice.created.v1"
    key = "vpnservice.created"


class VpnServiceStatusChanged(VpnServiceEvent):
    """
    A followed service changed its status, or following it ended.
    """

    type = "vpn.vpnservice.status-changed.v1"
    key = "vpnservice.status"

    previous_status: Text | None = Field(description="The status before; null when none was known.")
    is_final: bool = Field(description="Whether this is the last status event of this request.")
    deadline_reached: bool = Field(
        default=False, description="Whether following ended because its time was over; no failure."
    )


class VpnServiceCreateFailed(VpnServiceEvent):
    """
    The cloud refused, or the worker gave up. An outcome.
    """

    type = "vpn.vpnservice.create-failed.v1"
    key = "vpnservice.failed"


class VpnServiceCreateRejected(VpnServiceEvent):
    """
    The message itself is wrong; `error.fields` has every field error. An outcome.
    """

    type = "vpn.vpnservice.create-rejected.v1"
    key = "vpnservice.rejected"


class VpnServiceCreateInDoubt(VpnServiceEvent):
    """
    The service may exist and the worker cannot tell. An outcome; created or failed may follow.
    """

    type = "vpn.vpnservice.create-in-doubt.v1"
    key = "vpnservice.in_doubt"

    evidence: list[dict[str, JsonValue]] = Field(
        default_factory=list, description="The VPN services that were found and could be the one, word for word."
    )


class VpnServiceCreateDelayed(VpnServiceEvent):
    """
    The request waits longer than the configured time. Told once; an outcome follows.
    """

    type = "vpn.vpnservice.create-delayed.v1"
    key = "vpnservice.delayed"

    reason: Text = Field(description="Why it waits.")
    next_attempt_at: Time | None = Field(
        default=None, description="When it is tried next: RFC 3339 in UTC with microseconds; null when not known."
    )


EVENTS: tuple[type[VpnServiceEvent], ...] = (
    VpnServiceCreated,
    VpnServiceStatusChanged,
    VpnServiceCreateFailed,
    VpnServiceCreateRejected,
    VpnServiceCreateInDoubt,
    VpnServiceCreateDelayed,
)
EVENT_TYPES = MappingProxyType({event.type: event for event in EVENTS})
OUTCOMES = (VpnServiceCreated, VpnServiceCreateFailed, VpnServiceCreateRejected, VpnServiceCreateInDoubt)
"""Exactly one of these is told for a request; created or failed may follow in doubt."""


class EventNotReadableError(ValueError):
    """The message is none of the six events: its type is unknown or its body does not fit the type."""


def error_fields(errors: Iterable[FieldError]) -> list[ErrorField]:
    """
    The errors of a rejection as `ErrorInfo.fields` takes them.
    """
    return [ErrorField(path=error.path, code=error.code, message=error.message) for error in errors]


def event_id(source: str | None, request_id: str | None, type: str, sequence: int = 0) -> str:  # noqa: A002
    """
    The id of an event: the same for the same event, however often it is published.

    It is the UUID version 5 (RFC 9562, 5.5), in the namespace `EVENT_NAMESPACE`, of the UTF-8 bytes of the JSON array
    `[source,request_id,type,sequence]` without white space, as JavaScript's `JSON.stringify` writes it.

    Args:
        source: of the request; None when it had none.
        request_id: of the request; for a rejection better its digest.
        type: the event's full type, `vpn.vpnservice.created.v1`.
        sequence: tells apart events of one type for one request, such as changes of status; 0 or more.
    """
    name = json.dumps([source, request_id, type, sequence], ensure_ascii=False, separators=(",", ":"))

    return str(uuid.uuid5(EVENT_NAMESPACE, name))


def routing_key(event: VpnServiceEvent) -> str:
    """
    What the event is published with: `vpnservice.created`, `vpnservice.status.active`, ...

    In a status, what is not a-z 0-9 _ - becomes `_`, so that it stays one word for topic bindings; no status at all
    is `unknown`.
    """
    if not isinstance(event, VpnServiceStatusChanged):
        return event.key
    word = re.sub(r"[^a-z0-9_-]", "_", (event.status or "").lower())[:MAX_STATUS_KEY]

    return f"{event.key}.{word or 'unknown'}"


class EventHeaders(TypedDict):
    """
    What is said about an event beside its body.
    """

    id: str
    source: str
    subject: str | None
    correlation_id: str | None
    extensions: Mapping[str, str | bool | int]
    traceparent: NotRequired[str | None]
    tracestate: NotRequired[str | None]


API_REQUEST_ID = "apirequestid"
"""The extension attribute of an event with the cloud's request id of the answer that decided it, where there is one."""


def encode_event(event: VpnServiceEvent, **told: Unpack[EventHeaders]) -> Envelope:
    """
    The message to publish for an event: CloudEvents in binary mode, JSON body.

    Args:
        event: an error message over 1 KiB is cut.
        told: `id` from `event_id`; `source` of the worker; `subject`, the service id or router id;
            `correlation_id` of the request; `extensions` of the request, those with invalid names are left out.
    """
    headers: dict[str, object] = {
        f"ce-{name}": value
        for name, value in told["extensions"].items()
        if is_extension_name(name) and name not in CORE_ATTRIBUTES and is_portable(value)
    }
    headers |= {
        "ce-specversion": SPECVERSION,
        "ce-id": told["id"],
        "ce-source": told["source"],
        "ce-type": event.type,
        "ce-time": rfc3339(event.occurred_at),
    }
    for header, value in (
        ("ce-subject", _whole_characters(told["subject"])),
        ("traceparent", told.get("traceparent")),
        ("tracestate", told.get("tracestate")),
    ):
        if value is not None:
            headers[header] = value

    return Envelope(
        body=_body_of(event),
        headers=headers,
        content_type=JSON_CONTENT,
        # None: the publisher gives each publish its own, or confirms of a repeated event could be swapped.
        message_id=None,
        app_id=None,
        correlation_id=told["correlation_id"],
        reply_to=None,
    )


def decode_event(envelope: Envelope) -> VpnServiceEvent:
    """
    The event in a message, in binary or structured mode. Fields it does not know are kept as attributes.

    Raises:
        EventNotReadableError: none of the six, or not what its type says.
    """
    attributes = read_headers(envelope.headers, [])
    body: bytes | str = envelope.body
    try:
        if media_type(envelope.content_type) == STRUCTURED:
            attributes = json.loads(body)
            body = json.dumps(attributes["data"])
        model = EVENT_TYPES[str(attributes["type"])]
        return model.model_validate_json(body, strict=True)
    except KeyError as error:
        raise EventNotReadableError(f"the message is no event of this contract: {quoted(str(error))}") from error
    except (ValidationError, ValueError, TypeError, RecursionError) as error:
        raise EventNotReadableError("the body is not what the type of the event says") from error


def _body_of(event: VpnServiceEvent) -> bytes:
    error = event.error
    if error is not None and len(error.message) * 4 > MAX_ERROR_MESSAGE_BYTES:
        short = error.model_copy(update={"message": _cut(error.message)})
        event = event.model_copy(update={"error": short})
    try:
        return event.model_dump_json().encode()
    except PydanticSerializationError:
        return json.dumps(_whole(event.model_dump(mode="python"))).encode()


def _cut(text: str) -> str:
    return text.encode()[:MAX_ERROR_MESSAGE_BYTES].decode(errors="ignore")


def _whole(value: Any) -> Any:
    """
    The value ready for JSON, halves of surrogate pairs replaced.
    """
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, dict):
        return {_whole(key): _whole(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_whole(member) for member in value]

    return _whole_characters(value)
