"""
The CloudEvents SDK reads what we write, and we read what it writes: the envelope is not only ours.
"""

import json
from typing import Any

import pytest
from cloudevents.core.bindings import rabbitmq
from cloudevents.core.v1.event import CloudEvent

from messages.envelope import REQUEST_TYPE, Envelope, Request, decode_request, encode_request
from messages.events import VpnServiceEvent, decode_event, encode_event, event_id
from messages.examples import example_events, example_request


def to_sdk(envelope: Envelope) -> CloudEvent:
    headers: dict[str, Any] = dict(envelope.headers)

    return rabbitmq.from_rabbitmq_event(
        rabbitmq.RabbitMQMessage(headers=headers, content_type=envelope.content_type, body=envelope.body)
    )


def from_sdk(message: rabbitmq.RabbitMQMessage) -> Envelope:
    return Envelope(message.body, message.headers, message.content_type, None, None, None, None)


@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_the_sdk_reads_our_requests(mode: Any) -> None:
    event = to_sdk(encode_request(example_request(), id="i", source="s", mode=mode, extensions={"orderitem": "1"}))

    assert (event.get_id(), event.get_source(), event.get_type()) == ("i", "s", REQUEST_TYPE)
    assert event.get_extension("orderitem") == "1"
    assert event.get_datacontenttype() == "application/json"
    assert event.get_data() == example_request()


@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_we_read_the_sdks_requests(mode: str) -> None:
    event = CloudEvent(
        attributes={
            "id": "i",
            "source": "s",
            "type": REQUEST_TYPE,
            "orderitem": "1",
            "datacontenttype": "application/json",
        },
        data=example_request(),
    )
    write = rabbitmq.to_binary_event if mode == "binary" else rabbitmq.to_structured_event

    request = decode_request(from_sdk(write(event)))

    assert isinstance(request, Request)
    assert (request.id, request.source, request.extensions) == ("i", "s", {"orderitem": "1"})


@pytest.mark.parametrize("event", example_events(), ids=lambda event: type(event).__name__)
def test_the_sdk_reads_our_events_and_we_read_them_again(event: VpnServiceEvent) -> None:
    identity = event_id("s", "i", event.type)
    ours = encode_event(event, id=identity, source="w", subject="5c", correlation_id="c", extensions={"orderitem": "1"})

    theirs = to_sdk(ours)

    assert (theirs.get_id(), theirs.get_type(), theirs.get_subject()) == (identity, event.type, "5c")
    assert theirs.get_time() == event.occurred_at
    assert theirs.get_data() == json.loads(ours.body)
    assert decode_event(from_sdk(rabbitmq.to_structured_event(theirs))) == event
    assert decode_event(from_sdk(rabbitmq.to_binary_event(theirs))) == event
