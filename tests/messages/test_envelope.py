import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.envelope import (
    REQUEST_TYPE,
    UNNAMED_SOURCE,
    Envelope,
    Rejection,
    Request,
    decode_request,
    encode_request,
)
from messages.examples import REQUEST_ID, REQUEST_SOURCE, example_request
from messages.faults import CODES
from messages.requests import CreateVpnService, digest, to_api_body

WIRE = Path(__file__).parent.parent / "wire"
STRUCTURED = "application/cloudevents+json"
BODY = json.dumps(example_request()).encode()
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CE = {"ce-id": "i", "ce-source": "s", "ce-type": REQUEST_TYPE}

Mode = Literal["binary", "structured", "plain"]
MODES: tuple[Mode, ...] = ("binary", "structured", "plain")


def message(body: bytes = BODY, headers: Mapping[str, object] | None = None, **properties: Any) -> Envelope:
    """
    A plain message with an id, unless told otherwise.
    """
    told = dict.fromkeys(("content_type", "message_id", "app_id", "correlation_id", "reply_to"))

    return Envelope(body=body, headers=headers or {}, **{**told, "message_id": "i", **properties})


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


@pytest.mark.parametrize("mode", MODES)
def test_wire_fixtures_are_read_as_ever(mode: Mode) -> None:
    """
    A published message never changes meaning.
    """
    wire = json.loads((WIRE / "requests" / f"create-{mode}.v1.json").read_text())

    request = good(Envelope(body=json.dumps(wire["body"]).encode(), headers=wire["headers"], **wire["properties"]))

    assert (request.source, request.id) == (REQUEST_SOURCE, REQUEST_ID)
    assert json.loads(to_api_body(request.body)) == example_request()
    assert request.digest == "8e9795d3e081947a483250a6a55177042aa0a5a2c060aed7d5a05fb655fafce8"
    assert (request.correlation_id, request.reply_to) == ("conversation-9", "shop.replies")
    assert (request.extensions, request.follow) == ({"orderitem": 1}, "active")


@pytest.mark.parametrize("mode", MODES)
def test_wire_fixtures_are_written_as_ever(mode: Mode) -> None:
    wire = json.loads((WIRE / "requests" / f"create-{mode}.v1.json").read_text())

    written = encode_request(
        CreateVpnService.model_validate(example_request()),
        id=REQUEST_ID,
        source=REQUEST_SOURCE,
        mode=mode,
        correlation_id="conversation-9",
        reply_to="shop.replies",
        extensions={"orderitem": 1, "follow": "active"},
    )

    assert json.loads(written.body) == wire["body"]
    assert dict(written.headers) == wire["headers"]
    assert wire["properties"] == {name: getattr(written, name) for name in wire["properties"]}


@pytest.mark.parametrize("mode", MODES)
def test_what_is_written_is_read_back(mode: Mode) -> None:
    expires_at = datetime(2026, 1, 31, 13, 0, 0, 5, tzinfo=timezone(timedelta(hours=1)))

    request = good(
        encode_request(
            example_request(),
            id="ü" * 127,
            source="s",
            mode=mode,
            expires_at=expires_at,
            extensions={"a": "x", "b": True, "c": 5},
        )
    )

    assert (request.source, request.id, request.correlation_id) == ("s", "ü" * 127, "ü" * 127)
    assert request.expires_at == expires_at
    assert request.expires_at.tzinfo is UTC
    assert request.extensions == {"a": "x", "b": True, "c": 5}
    assert request.digest == digest(CreateVpnService.model_validate(example_request()))


def test_a_mapping_is_published_as_it_is() -> None:
    assert faults(encode_request({"x": 1}, id="i", source="s"))["x"] == "unknown_field"


@pytest.mark.parametrize("told", [{"id": ""}, {"source": "a\n"}, {"extensions": {"A": 1}}, {"extensions": {"id": "x"}}])
def test_what_could_not_be_read_is_not_written(told: Any) -> None:
    with pytest.raises(ValueError, match="must"):
        encode_request(example_request(), **{"id": "i", "source": "s", **told})


def test_plain_takes_message_id_and_app_id() -> None:
    request = good(message(app_id="shop"))

    assert (request.source, request.id, request.correlation_id, request.reply_to) == ("shop", "i", "i", None)
    assert (request.expires_at, request.follow, request.extensions) == (None, None, {})


@pytest.mark.parametrize("app_id", [None, ""])
def test_plain_without_app_id_has_the_unnamed_source(app_id: str | None) -> None:
    assert good(message(app_id=app_id)).source == UNNAMED_SOURCE == "unnamed"


def test_plain_reads_extension_headers_and_any_content_type() -> None:
    headers = {"ce-orderitem": "3", "ce-expirytime": "2026-01-01T00:00:00Z", "ce-follow": "none", "other": 1}

    request = good(message(headers=headers, content_type="text/plain"))

    assert request.extensions == {"orderitem": "3"}
    assert (request.expires_at, request.follow) == (datetime(2026, 1, 1, tzinfo=UTC), "none")


@pytest.mark.parametrize("message_id", [None, ""])
def test_plain_without_id_is_refused(message_id: str | None) -> None:
    assert faults(message(message_id=message_id)) == {"message_id": "id_missing"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"nope", {"body": "not_json"}),
        (b"", {"body": "not_json"}),
        (b"\xff\xfe", {"body": "not_utf8"}),
        (b"[]", {"body": "wrong_type"}),
        (b"null", {"body": "wrong_type"}),
        (b"{}", {"vpnservice": "missing"}),
        (b'{"vpnservice":{}}', {"vpnservice.router_id": "missing"}),
        (b'{"vpnservice":{"router_id":5}}', {"vpnservice.router_id": "wrong_type"}),
        (b'{"vpnservice":{"router_id":"r","name":""}}', {"vpnservice.name": "too_short"}),
        (b'{"vpnservice":{"router_id":"r","name":"%s"}}' % (b"n" * 65), {"vpnservice.name": "too_long"}),
        (b'{"vpnservice":{"router_id":"r","admin_state_up":false}}', {"vpnservice.admin_state_up": "not_true"}),
        (b'{"vpnservice":{"router_id":"r","project_id":"p"}}', {"vpnservice.project_id": "project_id_unsupported"}),
        (b'{"vpnservice":{"router_id":"r","nam":"p"}}', {"vpnservice.nam": "unknown_field"}),
        (b'{"vpnservice":{"router_id":"r","router_id":"r"}}', {"vpnservice.router_id": "duplicate_key"}),
        (b'{"vpnservice":{"router_id":"r\\u0000"}}', {"vpnservice.router_id": "control_character"}),
        (b'{"vpnservice":{"router_id":"\\ud800"}}', {"vpnservice.router_id": "invalid_unicode"}),
        (b'{"vpnservice":{"router_id":"r","prepay_connection_num":9223372036854775808}}', {"vpnservice.prepay_connection_num": "out_of_range"}),
        (b'{"vpnservice":{"router_id":"r","name":99999999999999999999}}', {"vpnservice.name": "out_of_range"}),
        (b'{"vpnservice":{"router_id":"r","prepay_connection_num":NaN}}', {"body": "not_json"}),
        (b'{"vpnservice":{"router_id":"r","prepay_connection_num":1e400}}', {"vpnservice.prepay_connection_num": "wrong_type"}),
        (b'{"a":' * 10_000, {"body": "too_deep"}),
        (b'"' + b"a" * 65_536 + b'"', {"body": "body_too_large"}),
    ],
)  # fmt: skip
def test_every_bad_body_is_rejected_with_its_reason_and_its_identity(body: bytes, expected: dict[str, str]) -> None:
    rejection = bad(message(body, app_id="shop"))

    assert {error.path: error.code for error in rejection.errors} == expected
    assert (rejection.source, rejection.id, rejection.correlation_id) == ("shop", "i", "i")


def test_65536_bytes_are_taken() -> None:
    good(message(BODY.ljust(65_536)))

    assert faults(message(BODY.ljust(65_537))) == {"body": "body_too_large"}


def test_errors_of_body_and_headers_are_told_at_once() -> None:
    rejection = bad(
        message(
            b'{"vpnservice":{"name":"","name":"","project_id":"p"}}',
            {"ce-id": "i", "ce-type": "x", "ce-expirytime": "tomorrow", "ce-follow": "ever"},
            correlation_id="a\n",
            reply_to="q" * 256,
        )
    )

    assert {error.path: error.code for error in rejection.errors} == {
        "vpnservice.name": "duplicate_key",
        "vpnservice.router_id": "missing",
        "vpnservice.project_id": "project_id_unsupported",
        "ce-type": "type_unsupported",
        "ce-source": "missing",
        "ce-expirytime": "not_a_time",
        "ce-follow": "unsupported_value",
        "correlation_id": "control_character",
        "reply_to": "too_long",
    }
    assert (rejection.source, rejection.id) == (None, "i")
    assert (rejection.correlation_id, rejection.reply_to) == ("i", None)


@pytest.mark.parametrize("name", ["correlation_id", "reply_to"])
def test_addresses_take_1_to_255_bytes(name: str) -> None:
    def addressed(value: str) -> Envelope:
        told: dict[str, Any] = {name: value}
        return message(**told)

    assert getattr(good(addressed("ü" * 127)), name) == "ü" * 127
    assert getattr(good(addressed("")), name) == (None if name == "reply_to" else "i")
    assert faults(addressed("ü" * 128)) == {name: "too_long"}


def test_a_redelivered_rejection_has_the_same_digest_and_another_message_another() -> None:
    first = message(b"nope", {"ce-id": "i", "x-delivery-count": 1})
    again = message(b"nope", {"x-delivery-count": 2, "x-death": [{}], "ce-id": b"i"})

    assert bad(first).digest == bad(again).digest
    assert bad(first).digest != bad(message(b"nope!", {"ce-id": "i"})).digest
    assert bad(first).digest != bad(message(b"nope", {"ce-id": "j"})).digest
    assert bad(message(b"nope", message_id="i")).digest != bad(message(b"nope", app_id="i", message_id=None)).digest


def test_a_rejection_keeps_extensions_and_trace() -> None:
    rejection = bad(message(b"nope", {**CE, "ce-item": 5, "traceparent": TRACEPARENT, "tracestate": "a=1"}))

    assert (rejection.extensions, rejection.traceparent, rejection.tracestate) == ({"item": 5}, TRACEPARENT, "a=1")


def test_ten_thousand_unknown_fields_give_a_short_list_quickly() -> None:
    fields = ",".join(f'"{number:x}":0' for number in range(7000))
    started = time.perf_counter()

    errors = bad(message(f'{{"vpnservice":{{{fields}}}}}'.encode())).errors

    assert time.perf_counter() - started < 1
    assert len(errors) == 100
    assert errors[-1].code == "too_many_errors"


TEXTS = st.text(alphabet=st.characters(), max_size=40)  # lone surrogates as well
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.binary(max_size=40) | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
ATTRIBUTES = (
    "id",
    "source",
    "type",
    "specversion",
    "expirytime",
    "follow",
    "traceparent",
    "tracestate",
    "subject",
    "item",
)
NAMES = TEXTS | st.sampled_from([f"{p}{n}" for p in ("ce-", "cloudEvents:", "cloudEvents_", "") for n in ATTRIBUTES])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            TEXTS | st.sampled_from(["vpnservice", "router_id", "name", "data", *ATTRIBUTES]), inner, max_size=5
        )
    ),
    max_leaves=12,
)
BODIES = st.binary(max_size=200) | JSON_VALUES.map(lambda value: json.dumps(value).encode()) | st.just(BODY)
CONTENT_TYPES = st.none() | TEXTS | st.sampled_from([STRUCTURED, "application/json"])


@given(
    st.builds(
        Envelope,
        body=BODIES,
        headers=st.dictionaries(NAMES, VALUES, max_size=6),
        content_type=CONTENT_TYPES,
        message_id=st.none() | TEXTS,
        app_id=st.none() | TEXTS,
        correlation_id=st.none() | TEXTS,
        reply_to=st.none() | TEXTS,
    )
)
def test_no_message_makes_it_raise(envelope: Envelope) -> None:
    """
    Whatever comes: a request that can be acted on, or a rejection that can be told.
    """
    decoded = decode_request(envelope)

    if isinstance(decoded, Request):
        assert CreateVpnService.model_validate_json(to_api_body(decoded.body)) == decoded.body
    else:
        assert decoded.errors
        assert all(error.code in CODES and (error.path + error.message).isprintable() for error in decoded.errors)
        assert decoded.digest == bad(envelope).digest
    told = (decoded.source, decoded.id, decoded.correlation_id, decoded.reply_to)
    assert all(text is None or 0 < len(text.encode()) <= 255 for text in told)


def test_a_good_message_is_read_in_well_under_a_millisecond() -> None:
    """
    Measured at about 15 us; the limit here is for slow machines and catches only a change of order.
    """
    envelope = message(BODY)
    started = time.perf_counter()
    for _ in range(100):
        good(envelope)

    assert (time.perf_counter() - started) / 100 < 0.001
