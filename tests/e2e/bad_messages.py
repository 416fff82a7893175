"""
Messages that are no valid request, each with the errors a publisher must hear of.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pika

from tests.e2e.shop import TYPE, binary, order

if TYPE_CHECKING:
    from collections.abc import Mapping

ROUTER = "66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa"
KIB = 1024


@dataclass(frozen=True)
class Bad:
    """
    A bad message.

    Attributes:
        case: what is wrong with it; travels as its correlation id.
        body: of the message.
        errors: path and code of every error, in any order.
        properties: of the message; binary mode with good attributes unless given.
    """

    case: str
    body: bytes
    errors: set[tuple[str, str]]
    properties: pika.BasicProperties | None = None

    def message(self) -> tuple[bytes, pika.BasicProperties]:
        """
        What to publish.
        """
        properties = self.properties or binary(f"id of {self.case}")
        properties.correlation_id = self.case
        return self.body, properties


def plain(**properties: Any) -> pika.BasicProperties:
    """
    Properties of a plain AMQP message.
    """
    return pika.BasicProperties(delivery_mode=2, **properties)


def structured(**changes: object) -> bytes:
    """
    A request in structured mode.
    """
    event = {
        "specversion": "1.0",
        "id": "s-1",
        "source": "/shop",
        "type": TYPE,
        "data": {"vpnservice": {"router_id": ROUTER}},
    }
    return json.dumps(event | changes).encode()


def spec(**fields: object) -> bytes:
    """
    A body around these fields of the service, and no others.
    """
    return json.dumps({"vpnservice": fields}).encode()


def headers(**more: Any) -> pika.BasicProperties:
    """
    Binary mode with these attributes changed.
    """
    return binary("header-case", **more)


STRUCTURED = "application/cloudevents+json"
FIELDS: Mapping[str, object] = {"router_id": ROUTER}

BAD_BODIES = [
    Bad("not JSON", b"{'router_id': oops}", {("body", "not_json")}),
    Bad("empty body", b"", {("body", "not_json")}),
    Bad("NaN", b'{"vpnservice": {"router_id": "r", "prepay_connection_num": NaN}}', {("body", "not_json")}),
    Bad("not UTF-8", b'{"vpnservice": {"router_id": "\xff"}}', {("body", "not_utf8")}),
    Bad("a list", b"[1, 2]", {("body", "wrong_type")}),
    Bad("a number", b"17", {("body", "wrong_type")}),
    Bad("null", b"null", {("body", "wrong_type")}),
    Bad("64 KiB and a byte", order(ROUTER).ljust(64 * KIB + 1), {("body", "body_too_large")}),
    Bad("nested 10,000 deep", b"[" * 10_000 + b"]" * 10_000, {("body", "too_deep")}),
    Bad("nested and never closed", b'{"a":' * 12_000, {("body", "too_deep")}),
    Bad(
        "duplicate key",
        b'{"vpnservice": {"router_id": "a", "router_id": "b"}}',
        {("vpnservice.router_id", "duplicate_key")},
    ),
    Bad("no vpnservice", b"{}", {("vpnservice", "missing")}),
    Bad("vpnservice is a list", b'{"vpnservice": []}', {("vpnservice", "wrong_type")}),
    Bad("no router", spec(name="x"), {("vpnservice.router_id", "missing")}),
    Bad("router is null", spec(router_id=None), {("vpnservice.router_id", "wrong_type")}),
    Bad("name of 0", spec(**FIELDS, name=""), {("vpnservice.name", "too_short")}),
    Bad("name of 65", spec(**FIELDS, name="x" * 65), {("vpnservice.name", "too_long")}),
    Bad("description of 256", spec(**FIELDS, description="é" * 256), {("vpnservice.description", "too_long")}),
    Bad("state down", spec(**FIELDS, admin_state_up=False), {("vpnservice.admin_state_up", "not_true")}),
    Bad("state as text", spec(**FIELDS, admin_state_up="true"), {("vpnservice.admin_state_up", "not_true")}),
    Bad("project_id", spec(**FIELDS, project_id="p"), {("vpnservice.project_id", "project_id_unsupported")}),
    Bad("unknown field", spec(**FIELDS, routerid="p"), {("vpnservice.routerid", "unknown_field")}),
    Bad("NUL", spec(**FIELDS, name="a\x00b"), {("vpnservice.name", "control_character")}),
    Bad("escape", spec(**FIELDS, description="\x1b[31m"), {("vpnservice.description", "control_character")}),
    Bad("half a pair", spec(**FIELDS, name="\ud800"), {("vpnservice.name", "invalid_unicode")}),
    Bad("beyond 64 bits", spec(**FIELDS, prepay_connection_num=2**63), {("vpnservice.prepay_connection_num", "out_of_range")}),
    Bad("a million digits", b'{"vpnservice": {"router_id": "r", "prepay_connection_num": 1' + b"0" * 60_000 + b"}}", {("vpnservice.prepay_connection_num", "out_of_range")}),
    Bad("number as text", spec(**FIELDS, prepay_connection_num="1"), {("vpnservice.prepay_connection_num", "wrong_type")}),
    Bad("many errors", spec(name="", admin_state_up=False, project_id="p", tenant_id=7, x=1), {
        ("vpnservice.router_id", "missing"),
        ("vpnservice.name", "too_short"),
        ("vpnservice.admin_state_up", "not_true"),
        ("vpnservice.project_id", "project_id_unsupported"),
        ("vpnservice.tenant_id", "wrong_type"),
        ("vpnservice.x", "unknown_field"),
    }),
]  # fmt: skip

BAD_ENVELOPES = [
    Bad("no id", order(ROUTER), {("ce-id", "id_missing")}, headers(id=None)),
    Bad("no id, plain", order(ROUTER), {("message_id", "id_missing")}, plain(content_type="application/json")),
    Bad("no id, structured", structured(id=None), {("ce-id", "id_missing")}, plain(content_type=STRUCTURED)),
    Bad("no source", order(ROUTER), {("ce-source", "missing")}, headers(source=None)),
    Bad("wrong type", order(ROUTER), {("ce-type", "type_unsupported")}, headers(type="vpn.vpnservice.delete.v1")),
    Bad("wrong version", order(ROUTER), {("ce-specversion", "specversion_unsupported")}, headers(specversion="0.3")),
    Bad("bad expiry", order(ROUTER), {("ce-expirytime", "not_a_time")}, headers(expirytime="tomorrow")),
    Bad("bad follow", order(ROUTER), {("ce-follow", "unsupported_value")}, headers(follow="always")),
    Bad("id of 256 bytes", order(ROUTER), {("ce-id", "too_long")}, headers(id="x" * 256)),
    Bad("id with a line", order(ROUTER), {("ce-id", "control_character")}, headers(id="a\nb")),
    Bad("id as a number", order(ROUTER), {("ce-id", "wrong_type")}, headers(id=17)),
    Bad("big headers", order(ROUTER), {("headers", "headers_too_large")}, headers(note="n" * (17 * KIB))),
    Bad("wrong content type", order(ROUTER), {("content_type", "content_type_unsupported")}, plain(content_type="text/xml", headers={"ce-id": "1", "ce-source": "/s", "ce-type": TYPE, "ce-specversion": "1.0"})),
    Bad("structured, bad data", structured(data={"vpnservice": {"router_id": 5}}), {("vpnservice.router_id", "wrong_type")}, plain(content_type=STRUCTURED)),
    Bad("structured, no JSON", b"nope", {("body", "not_json")}, plain(content_type=STRUCTURED)),
]  # fmt: skip
