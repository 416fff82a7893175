import json
from typing import Any

import pytest

from messages import EventNotReadableError, VpnServiceCreated, VpnServiceStatusChanged, decode
from messages.events import OUTCOMES, encode_event, event_id
from messages.examples import EVENT_SOURCE, REQUEST_ID, REQUEST_SOURCE, example_events

EXAMPLES = {event.type: event for event in example_events()}
CREATED = example_events()[0]
STRUCTURED = "application/cloudevents+json"


def as_sent(event: Any = CREATED, **extensions: str) -> tuple[bytes, dict[str, object]]:
    """
    Body and headers as the worker sends them.
    """
    identity = event_id(REQUEST_SOURCE, REQUEST_ID, event.type)
    envelope = encode_event(
        event,
        id=identity,
        source=EVENT_SOURCE,
        subject=event.service_id,
        correlation_id=REQUEST_ID,
        extensions=extensions,
    )
    return envelope.body, dict(envelope.headers)


def structured(**changed: object) -> bytes:
    body, headers = as_sent()
    attributes = {name.removeprefix("ce-"): value for name, value in headers.items()}
    return json.dumps({**attributes, "data": json.loads(body), **changed}).encode()


@pytest.mark.parametrize("type_", EXAMPLES)
def test_each_event_comes_back_with_its_id(type_: str) -> None:
    event = EXAMPLES[type_]
    read = decode(*as_sent(event, orderitem="item-7"))

    assert event == read.event
    assert (event_id(REQUEST_SOURCE, REQUEST_ID, type_), EVENT_SOURCE) == (read.id, read.source)
    assert event.service_id == read.subject
    assert {"orderitem": "item-7"} == read.extensions
    assert isinstance(event, OUTCOMES) == read.is_outcome


def test_a_change_of_status_is_no_outcome() -> None:
    read = decode(*as_sent(EXAMPLES[VpnServiceStatusChanged.type]))

    assert not read.is_outcome


@pytest.mark.parametrize("form", [bytes, bytearray, memoryview, bytes.decode, json.loads])
def test_the_body_is_taken_as_libraries_give_it(form: Any) -> None:
    body, headers = as_sent()
    read = decode(form(body), headers)

    assert CREATED == read.event


def test_a_structured_event_is_read_without_headers() -> None:
    read = decode(structured(), None, STRUCTURED)

    assert decode(*as_sent()) == read


def test_headers_may_be_bytes_and_written_as_other_bindings_do() -> None:
    body, headers = as_sent()
    others = {name.replace("ce-", "cloudEvents:"): str(value).encode() for name, value in headers.items()}

    assert decode(body, headers) == decode(body, others)


def test_fields_of_the_future_are_kept() -> None:
    body, headers = as_sent()
    read = decode(json.dumps({**json.loads(body), "colour": "blue"}), headers)

    assert isinstance(read.event, VpnServiceCreated)
    assert {"colour": "blue"} == read.event.model_extra


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"ce-id": None}, "ce-id must be a string, got null"),
        ({"ce-id": ""}, "ce-id must be 1 to 255"),
        ({"ce-source": 7}, "ce-source must be a string"),
        ({"ce-type": "vpn.vpnservice.created.v9"}, "no event of this contract"),
        ({"ce-type": None}, "no event of this contract"),
    ],
)
def test_what_is_no_event_says_why(changed: dict[str, object], words: str) -> None:
    body, headers = as_sent()
    with pytest.raises(EventNotReadableError, match=words):
        decode(body, {**headers, **changed})


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"\xff", b"{", b'{"attempts": "many"}'])
@pytest.mark.parametrize("content_type", [None, "application/json", STRUCTURED])
def test_no_body_raises_anything_else(body: bytes, content_type: str | None) -> None:
    with pytest.raises(EventNotReadableError):
        decode(body, as_sent()[1], content_type)


def test_a_structured_event_needs_an_id_as_well() -> None:
    with pytest.raises(EventNotReadableError, match="ce-id must be a string, got null"):
        decode(structured(id=None), None, STRUCTURED)
