"""
The requests of a plan as messages, and events as they are told; a client nobody wrote the worker for.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pika

from tests.chaos.evidence import CHANGED, OUTCOMES, Changed, Told
from tests.chaos.plan import Fate, Order

TYPE = "vpn.vpnservice.create.v1"
SOURCE = "/chaos/shop"
#: Names that the simulated cloud refuses, set up once at the start (see RULES).
_NAMES = {Fate.REFUSED: "over-quota", Fate.FORBIDDEN: "forbidden"}

#: What the cloud refuses whenever it is asked; body and status as a real one answers (cloud-api: Errors).
RULES: tuple[Mapping[str, object], ...] = (
    {
        "fault": "answer",
        "times": None,
        "match": {"name": _NAMES[Fate.REFUSED]},
        "status": 409,
        "body": {"NeutronError": {"type": "OverQuota", "message": "Quota exceeded for vpnservice.", "detail": ""}},
    },
    {
        "fault": "answer",
        "times": None,
        "match": {"name": _NAMES[Fate.FORBIDDEN]},
        "status": 403,
        "body": {"NeutronError": {"type": "PolicyNotAuthorized", "message": "Not allowed by policy.", "detail": ""}},
    },
)


def message(order: Order) -> tuple[bytes, pika.BasicProperties]:
    """
    Body and properties of a request; the same at each call, as a publisher repeats it.
    """
    headers: dict[str, Any] = {"ce-specversion": "1.0", "ce-id": order.ref, "ce-source": SOURCE, "ce-type": TYPE}
    if order.fate is Fate.NAMELESS:
        del headers["ce-id"]
    if order.fate is Fate.EXPIRED:
        headers["ce-expirytime"] = "2020-01-01T00:00:00Z"
    properties = pika.BasicProperties(
        content_type="application/json", delivery_mode=2, correlation_id=order.ref, headers=headers
    )
    return _body(order), properties


def _body(order: Order) -> bytes:
    spec: dict[str, object] = {"router_id": order.router_id, "name": _NAMES.get(order.fate, order.ref)}
    if order.tenant_id is not None:
        spec["tenant_id"] = order.tenant_id
    if order.fate is Fate.INVALID:
        match zlib.crc32(order.ref.encode()) % 4:
            case 0:
                return b'{"vpnservice": {"router_id": "' + order.ref.encode()
            case 1:
                spec["name"] = "n" * 65
            case 2:
                spec["admin_state_up"] = False
            case _:
                spec["colour"] = "blue"
    return json.dumps({"vpnservice": spec}).encode()


def event(body: bytes, properties: pika.BasicProperties, place: int) -> Told | Changed | None:
    """
    The event in a message as far as the audit needs it; None for one that tells neither an outcome nor a status.

    Args:
        body, properties: of the message.
        place: in the queue of all events.
    """
    event_type = str((properties.headers or {}).get("ce-type"))
    if event_type == CHANGED:
        return _changed(body, properties, place)
    if event_type in OUTCOMES:
        return _told(OUTCOMES[event_type], body, properties, place)
    return None


def _changed(body: bytes, properties: pika.BasicProperties, place: int) -> Changed:
    data = json.loads(body)
    return Changed(
        copy=str(properties.message_id),
        event_id=_event_id(properties),
        ref=str(properties.correlation_id),
        service_id=data["service_id"],
        status=data["status"],
        previous_status=data["previous_status"],
        is_final=data["is_final"],
        place=place,
    )


def _told(outcome: str, body: bytes, properties: pika.BasicProperties, place: int) -> Told:
    data = json.loads(body)
    occurred_at = datetime.fromisoformat(data["occurred_at"])
    # The broker's own timestamp has whole seconds; an event told late counts from then.
    sent_at = datetime.fromtimestamp(int(properties.timestamp or 0), UTC)
    return Told(
        copy=str(properties.message_id),
        event_id=_event_id(properties),
        ref=str(properties.correlation_id),
        outcome=outcome,
        service_id=data.get("service_id"),
        reconciled=bool(data.get("reconciled")),
        attempts=int(data.get("attempts", 0)),
        at_s=max(occurred_at, sent_at).timestamp(),
        status=data.get("status"),
        place=place,
    )


def _event_id(properties: pika.BasicProperties) -> str:
    return str((properties.headers or {}).get("ce-id"))
