"""
Who asks, in both CloudEvents modes.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from messages.envelope import REQUEST_TYPE, Envelope, Rejection, Request, decode_request
from messages.examples import example_request

STRUCTURED = "application/cloudevents+json"
BODY = json.dumps(example_request()).encode()
CE = {"ce-id": "i", "ce-source": "s", "ce-type": REQUEST_TYPE}
EVENT = {"specversion": "1.0", "id": "i", "source": "s", "type": REQUEST_TYPE, "data": example_request()}


def message(body: bytes = BODY, headers: Mapping[str, object] | None = None, **properties: Any) -> Envelope:
    """
    A plain message with an id, unless told otherwise.
    """
    told = dict.fromkeys(("content_type", "message_id", "app_id", "correlation_id", "reply_to"))

    return Envelope(body=body, headers=headers or {}, **{**told, "message_id": "i", **properties})


def structured(event: object, **properties: Any) -> Envelope:
    return message(json.dumps(event).encode(), content_type=STRUCTURED, **properties)


def good(envelope: Envelope) -> Request:
    request = decode_request(envelope)
    assert isinstance(request, Request), request

    return request


def bad(envelope: Envelope) -> Rejection:
    rejection = decode_request(envelope)
    assert isinstance(rejection, Rejection), rejection

    return rejection


def faults(envelope: Envelope) -> dict[str, str]:
    return {error.path: error.code for error in bad(envelope).errors}


@pytest.mark.parametrize("prefix", ["ce-", "cloudEvents:", "cloudEvents_", "CE-"])
@pytest.mark.parametrize("as_bytes", [True, False])
def test_binary_reads_every_way_to_write_headers(prefix: str, as_bytes: bool) -> None:
    attributes = {"id": "ü", "source": "s", "type": REQUEST_TYPE, "specversion": "1.0", "item": "x"}
    headers = {f"{prefix}{name}": value.encode() if as_bytes else value for name, value in attributes.items()}

    request = good(message(headers=headers, message_id="other", app_id="other"))

    assert (request.source, request.id, request.extensions) == ("s", "ü", {"item": "x"})


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("ce-id", {"ce-id": "id_missing"}),
        ("ce-source", {"ce-source": "missing"}),
        ("ce-type", {"ce-type": "missing"}),
    ],
)
def test_binary_needs_id_source_and_type(missing: str, expected: dict[str, str]) -> None:
    assert faults(message(headers={name: value for name, value in CE.items() if name != missing})) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"ce-type": "vpn.vpnservice.create.v2"}, {"ce-type": "type_unsupported"}),
        ({"ce-type": 5}, {"ce-type": "type_unsupported"}),
        ({"ce-specversion": "0.3"}, {"ce-specversion": "specversion_unsupported"}),
        ({"ce-specversion": 1.0}, {"ce-specversion": "specversion_unsupported"}),
        ({"ce-id": ""}, {"ce-id": "id_missing"}),
        ({"ce-id": 7}, {"ce-id": "wrong_type"}),
        ({"ce-id": b"\xff"}, {"ce-id": "not_utf8"}),
        ({"ce-id": "a\0"}, {"ce-id": "control_character"}),
        ({"ce-id": "\ud800"}, {"ce-id": "invalid_unicode"}),
        ({"ce-source": ""}, {"ce-source": "too_short"}),
        ({"ce-source": "\x85"}, {"ce-source": "control_character"}),
        ({"cloudEvents:id": "other"}, {"ce-id": "duplicate_attribute"}),
        ({"cloudEvents:id": "i"}, None),
        ({"ce-follow": "ever"}, {"ce-follow": "unsupported_value"}),
        ({"ce-follow": ["none"]}, {"ce-follow": "unsupported_value"}),
    ],
)
def test_binary_attributes_are_checked(headers: dict[str, object], expected: dict[str, str] | None) -> None:
    envelope = message(headers={**CE, **headers})

    if expected is None:
        good(envelope)
    else:
        assert faults(envelope) == expected


@pytest.mark.parametrize("name", ["ce-id", "ce-source"])
def test_id_and_source_take_1_to_255_bytes(name: str) -> None:
    good(message(headers={**CE, name: "x" * 255}))

    assert faults(message(headers={**CE, name: "x" * 256})) == {name: "too_long"}
    assert faults(message(headers={**CE, name: "ü" * 128})) == {name: "too_long"}


@pytest.mark.parametrize(
    "content_type", [None, "", "application/json", "Application/JSON; charset=utf-8", "application/vnd.x+json"]
)
def test_json_content_types_are_taken(content_type: str | None) -> None:
    good(message(headers=CE, content_type=content_type))


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "application/cloudevents-batch+json"])
def test_other_content_types_are_refused(content_type: str) -> None:
    assert faults(message(headers=CE, content_type=content_type)) == {"content_type": "content_type_unsupported"}


def test_a_batch_of_events_is_refused_without_headers_too() -> None:
    envelope = message(json.dumps([EVENT]).encode(), content_type="application/cloudevents-batch+json")

    assert faults(envelope) == {"content_type": "content_type_unsupported", "body": "wrong_type"}


@pytest.mark.parametrize("content_type", [STRUCTURED, "Application/CloudEvents+JSON ; charset=UTF-8"])
def test_structured_is_told_by_the_content_type(content_type: str) -> None:
    event = {
        **EVENT,
        "item": 3,
        "flag": True,
        "nothing": None,
        "list": [1],
        "ratio": 0.5,
        "Upper": "x",
        "follow": "settled",
    }

    request = good(message(json.dumps(event).encode(), content_type=content_type, message_id=None))

    assert (request.source, request.id, request.follow) == ("s", "i", "settled")
    assert request.extensions == {"item": 3, "flag": True}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"specversion": None}, {"ce-specversion": "missing"}),
        ({"specversion": "2.0"}, {"ce-specversion": "specversion_unsupported"}),
        ({"id": None}, {"ce-id": "id_missing"}),
        ({"source": None}, {"ce-source": "missing"}),
        ({"type": "x"}, {"ce-type": "type_unsupported"}),
        ({"datacontenttype": "text/xml"}, {"ce-datacontenttype": "content_type_unsupported"}),
        ({"data_base64": "e30="}, {"data_base64": "data_base64_unsupported"}),
        ({"data": None}, {"body": "wrong_type"}),
        ({"data": []}, {"body": "wrong_type"}),
        ({"data": {"vpnservice": {"router_id": 5}}}, {"vpnservice.router_id": "wrong_type"}),
        ({"expirytime": 5}, {"ce-expirytime": "not_a_time"}),
        ({"big": "x" * 16_384}, {"headers": "headers_too_large"}),
    ],
)
def test_structured_attributes_are_checked(changes: dict[str, object], expected: dict[str, str]) -> None:
    assert faults(structured({**EVENT, **changes})) == expected


def test_structured_without_data_is_refused() -> None:
    assert faults(structured({name: value for name, value in EVENT.items() if name != "data"})) == {"data": "missing"}


@pytest.mark.parametrize("body", [b"[]", b"5", b"null"])
def test_structured_that_is_no_object_is_refused_once(body: bytes) -> None:
    assert faults(message(body, content_type=STRUCTURED)) == {"body": "wrong_type"}


def test_structured_that_is_no_json_is_refused_once() -> None:
    assert faults(message(b"{", content_type=STRUCTURED)) == {"body": "not_json"}


def test_paths_in_structured_are_those_of_the_other_modes() -> None:
    text = json.dumps(EVENT).replace('"name"', '"name": "a", "name"').replace('"id": "i"', '"id": "j", "id": "i"')

    assert faults(message(text.encode(), content_type=STRUCTURED)) == {
        "vpnservice.name": "duplicate_key",
        "ce-id": "duplicate_key",
    }
