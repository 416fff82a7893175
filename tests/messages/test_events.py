import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from messages.envelope import Envelope
from messages.events import (
    EVENT_TYPES,
    OUTCOMES,
    ErrorInfo,
    EventNotReadableError,
    VpnServiceCreated,
    VpnServiceCreateDelayed,
    VpnServiceCreateFailed,
    VpnServiceCreateInDoubt,
    VpnServiceCreateRejected,
    VpnServiceEvent,
    VpnServiceStatusChanged,
    decode_event,
    encode_event,
    error_fields,
    event_id,
    routing_key,
)
from messages.examples import EVENT_SOURCE, REQUEST_ID, REQUEST_SOURCE, TRACEPARENT, example_events, example_request
from messages.faults import FieldError

WIRE = Path(__file__).parent.parent / "wire" / "events"
NOW = datetime(2020, 8, 5, 12, 36, 36, tzinfo=UTC)
EXAMPLES = {event.type.removeprefix("vpn.vpnservice."): event for event in example_events()}


def encoded(event: VpnServiceEvent, **told: Any) -> Envelope:
    return encode_event(
        event, **{"id": "e", "source": "w", "subject": None, "correlation_id": None, "extensions": {}, **told}
    )


def wire_of(name: str) -> dict[str, Any]:
    return dict(json.loads((WIRE / f"{name}.json").read_text()))


def test_there_are_six_events_of_which_four_are_outcomes() -> None:
    assert EVENT_TYPES == {
        "vpn.vpnservice.created.v1": VpnServiceCreated,
        "vpn.vpnservice.status-changed.v1": VpnServiceStatusChanged,
        "vpn.vpnservice.create-failed.v1": VpnServiceCreateFailed,
        "vpn.vpnservice.create-rejected.v1": VpnServiceCreateRejected,
        "vpn.vpnservice.create-in-doubt.v1": VpnServiceCreateInDoubt,
        "vpn.vpnservice.create-delayed.v1": VpnServiceCreateDelayed,
    }
    assert len(OUTCOMES) == 4


@pytest.mark.parametrize("name", EXAMPLES)
def test_events_are_written_as_ever(name: str) -> None:
    """
    A published message never changes meaning.
    """
    event, wire = EXAMPLES[name], wire_of(name)

    written = encode_event(
        event,
        id=event_id(REQUEST_SOURCE, REQUEST_ID, event.type),
        source=EVENT_SOURCE,
        subject=event.service_id or example_request()["vpnservice"]["router_id"],
        correlation_id="conversation-9",
        extensions={"orderitem": 1},
        traceparent=TRACEPARENT,
    )

    assert wire == {
        "routing_key": routing_key(event),
        "properties": {name: getattr(written, name) for name in wire["properties"]},
        "headers": dict(written.headers),
        "body": json.loads(written.body),
    }


@pytest.mark.parametrize("name", EXAMPLES)
def test_events_are_read_as_ever(name: str) -> None:
    wire = wire_of(name)

    event = decode_event(
        Envelope(body=json.dumps(wire["body"]).encode(), headers=wire["headers"], **wire["properties"])
    )

    assert event == EXAMPLES[name]
    assert type(event) is type(EXAMPLES[name])


def test_every_fixture_has_its_event() -> None:
    assert {path.stem for path in WIRE.glob("*.json")} == set(EXAMPLES)


def test_event_ids_are_what_another_language_computes() -> None:
    """
    The expected ids were made with SHA-1 by hand, as the docstring says, not with our function.
    """
    assert (
        event_id("shop.example", "order-4711-1", "vpn.vpnservice.created.v1") == "0465b28e-004e-5cd7-933f-0acebc73d8e2"
    )
    assert event_id('sh"op', "ü", "vpn.vpnservice.status-changed.v1", 3) == "af6e290f-9496-502a-b047-5775c755337f"
    assert event_id(None, None, "vpn.vpnservice.create-rejected.v1") == "bde81ce0-460b-5831-8b10-eefc57395086"


@given(st.lists(st.tuples(st.text(), st.text(), st.text(), st.integers(0, 5)), min_size=2, max_size=2, unique=True))
def test_event_ids_differ_when_anything_differs(names: list[tuple[str, str, str, int]]) -> None:
    assert event_id(*names[0]) != event_id(*names[1])
    assert event_id(*names[0]) == event_id(*names[0])


def test_routing_keys_are_those_of_the_design() -> None:
    assert {name: routing_key(event) for name, event in EXAMPLES.items()} == {
        "created.v1": "vpnservice.created",
        "status-changed.v1": "vpnservice.status.active",
        "create-failed.v1": "vpnservice.failed",
        "create-rejected.v1": "vpnservice.rejected",
        "create-in-doubt.v1": "vpnservice.in_doubt",
        "create-delayed.v1": "vpnservice.delayed",
    }


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("PENDING_CREATE", "pending_create"),
        ("FROZEN", "frozen"),
        ("a.b #*c", "a_b___c"),
        ("", "unknown"),
        (None, "unknown"),
        ("x" * 500, "x" * 64),
        ("ÄCTIVE", "_ctive"),
    ],
)
def test_a_strange_status_makes_one_safe_word(status: str | None, word: str) -> None:
    event = VpnServiceStatusChanged(status=status, previous_status=None, is_final=False, occurred_at=NOW)

    assert routing_key(event) == f"vpnservice.status.{word}"


def test_times_are_written_in_utc_with_microseconds() -> None:
    event = VpnServiceCreateDelayed(
        reason="r",
        occurred_at=datetime(2020, 8, 5, 14, 36, 36, tzinfo=timezone(timedelta(hours=2))),
        next_attempt_at=NOW,
    )
    written = encoded(event)

    assert json.loads(written.body)["occurred_at"] == "2020-08-05T12:36:36.000000Z"
    assert json.loads(written.body)["next_attempt_at"] == "2020-08-05T12:36:36.000000Z"
    assert written.headers["ce-time"] == "2020-08-05T12:36:36.000000Z"
    assert event.occurred_at.tzinfo is UTC


def test_a_delayed_event_may_not_know_the_next_attempt() -> None:
    assert json.loads(encoded(VpnServiceCreateDelayed(reason="r", occurred_at=NOW)).body)["next_attempt_at"] is None


def test_headers_are_cloudevents_in_binary_mode() -> None:
    written = encoded(
        VpnServiceCreated(occurred_at=NOW),
        subject="5c",
        correlation_id="c",
        extensions={"item": 5, "flag": True, "Bad-Name": "x", "id": "mine", "time": "mine", "half": "\ud800"},
        traceparent=TRACEPARENT,
        tracestate="a=1",
    )

    assert written.headers == {
        "ce-specversion": "1.0",
        "ce-id": "e",
        "ce-source": "w",
        "ce-type": "vpn.vpnservice.created.v1",
        "ce-subject": "5c",
        "ce-time": "2020-08-05T12:36:36.000000Z",
        "ce-item": 5,
        "ce-flag": True,
        "traceparent": TRACEPARENT,
        "tracestate": "a=1",
    }
    assert (written.content_type, written.correlation_id, written.message_id) == ("application/json", "c", None)


def test_every_field_is_in_the_body_null_when_not_known() -> None:
    assert json.loads(encoded(VpnServiceCreated(occurred_at=NOW)).body) == {
        "request_id": None,
        "request_source": None,
        "service_id": None,
        "status": None,
        "vpnservice": None,
        "created_at": None,
        "error": None,
        "attempts": 0,
        "reconciled": False,
        "occurred_at": "2020-08-05T12:36:36.000000Z",
    }


@pytest.mark.parametrize(
    ("message", "kept"), [("x" * 1024, 1024), ("x" * 1025, 1024), ("ü" * 600, 1024), ("x" + "ü" * 600, 1023)]
)
def test_error_messages_are_cut_at_1_kib_on_a_character(message: str, kept: int) -> None:
    event = VpnServiceCreateFailed(error=ErrorInfo(code="c", message=message), occurred_at=NOW)

    text = json.loads(encoded(event).body)["error"]["message"]

    assert len(text.encode()) == kept
    assert message.startswith(text)


def test_the_clouds_object_is_told_word_for_word() -> None:
    service = {"id": "5c", "new": {"a": [1, 2.5, None, True, "ü"]}, "big": 10**30, "": ""}

    assert json.loads(encoded(VpnServiceCreated(vpnservice=service, occurred_at=NOW)).body)["vpnservice"] == service


def test_half_surrogate_pairs_of_the_cloud_do_not_lose_the_event() -> None:
    half = "a\ud800b"
    event = VpnServiceCreateInDoubt(
        service_id=half,
        vpnservice={"name": half, half: [half], "pair": "\ud83d\ude00"},
        error=ErrorInfo(code="c", message=half),
        evidence=[{"name": half}],
        occurred_at=NOW,
    )

    written = encoded(event, subject=half)

    assert json.loads(written.body)["vpnservice"] == {"name": "a�b", "a�b": ["a�b"], "pair": "😀"}
    assert json.loads(written.body)["error"]["message"] == "a�b"
    assert json.loads(written.body)["occurred_at"] == "2020-08-05T12:36:36.000000Z"
    assert written.headers["ce-subject"] == "a�b"


def test_field_errors_are_told_with_path_code_and_message() -> None:
    fields = error_fields([FieldError("vpnservice.name", "too_long", "must be shorter")])
    event = VpnServiceCreateRejected(error=ErrorInfo(code="c", message="m", fields=fields), occurred_at=NOW)

    assert json.loads(encoded(event).body)["error"]["fields"] == [
        {"path": "vpnservice.name", "code": "too_long", "message": "must be shorter"}
    ]


def test_a_new_field_is_kept() -> None:
    wire = wire_of("create-failed.v1")
    wire["body"]["region"] = "eu-de"
    wire["body"]["error"]["hint"] = "x"

    event = decode_event(
        Envelope(body=json.dumps(wire["body"]).encode(), headers=wire["headers"], **wire["properties"])
    )

    assert event.model_extra == {"region": "eu-de"}
    assert event.error is not None
    assert event.error.model_extra == {"hint": "x"}


def test_a_field_that_is_not_there_is_not_known() -> None:
    body = b'{"occurred_at":"2020-08-05T12:36:36Z"}'

    event = decode_event(Envelope(body, {"ce-type": "vpn.vpnservice.created.v1"}, None, None, None, None, None))

    assert event == VpnServiceCreated(occurred_at=NOW)


def test_structured_events_are_read_too() -> None:
    wire = wire_of("created.v1")
    body = json.dumps({"specversion": "1.0", "type": "vpn.vpnservice.created.v1", "data": wire["body"]}).encode()

    event = decode_event(Envelope(body, {}, "application/cloudevents+json", None, None, None, None))

    assert event == EXAMPLES["created.v1"]


@pytest.mark.parametrize(
    ("body", "headers", "content_type"),
    [
        (b"{}", {}, None),
        (b"{}", {"ce-type": "vpn.vpnservice.deleted.v1"}, None),
        (b"nope", {"ce-type": "vpn.vpnservice.created.v1"}, None),
        (b"{}", {"ce-type": "vpn.vpnservice.created.v1"}, None),
        (b'{"occurred_at":1}', {"ce-type": "vpn.vpnservice.created.v1"}, None),
        (b'{"occurred_at":"2020-08-05"}', {"ce-type": "vpn.vpnservice.created.v1"}, None),
        (b'{"occurred_at":"2020-08-05T12:36:36Z","attempts":"1"}', {"ce-type": "vpn.vpnservice.created.v1"}, None),
        (b"nope", {}, "application/cloudevents+json"),
        (b"[]", {}, "application/cloudevents+json"),
        (b"{}", {}, "application/cloudevents+json"),
        (b"[" * 10_000, {}, "application/cloudevents+json"),
    ],
)
def test_what_is_no_event_is_refused_in_one_way(
    body: bytes, headers: dict[str, object], content_type: str | None
) -> None:
    with pytest.raises(EventNotReadableError):
        decode_event(Envelope(body, headers, content_type, None, None, None, None))


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValidationError):
        VpnServiceCreated(occurred_at="2020-08-05T12:36:36")


def test_attempts_are_not_negative() -> None:
    with pytest.raises(ValidationError):
        VpnServiceCreated(attempts=-1, occurred_at=NOW)
