"""
Attributes and headers, as they are read in every mode.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from messages.envelope import Envelope, Rejection, Request, decode_request
from messages.examples import example_request

BODY = json.dumps(example_request()).encode()
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


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


def faults(envelope: Envelope) -> dict[str, str]:
    decoded = decode_request(envelope)
    assert isinstance(decoded, Rejection), decoded

    return {error.path: error.code for error in decoded.errors}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31t13:00:00.25+01:00", datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)),
        (b"2026-01-31T12:00:00z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        (datetime(2026, 1, 31, 12), datetime(2026, 1, 31, 12, tzinfo=UTC)),  # noqa: DTZ001  # as pamqp may give it
        (datetime(2026, 1, 31, 13, tzinfo=timezone(timedelta(hours=1))), datetime(2026, 1, 31, 12, tzinfo=UTC)),
    ],
)
def test_expirytime_is_read_as_utc(written: object, expected: datetime) -> None:
    request = good(message(headers={"ce-expirytime": written}))

    assert expected == request.expires_at
    assert request.expires_at is not None
    assert request.expires_at.tzinfo is UTC


@pytest.mark.parametrize(
    "written",
    ["", "tomorrow", "2026-01-31", "2026-01-31T12:00:00", "2026-02-30T12:00:00Z", "2026-01-31T12:00:60Z",
     "2026-01-31T24:00:01Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-31T12:00:00+99:99",
     5, True, [], b"\xff"],
)  # fmt: skip
def test_a_malformed_expirytime_is_refused(written: object) -> None:
    assert faults(message(headers={"ce-expirytime": written})) == {"ce-expirytime": "not_a_time"}


def test_extensions_are_copied_only_when_every_client_can_carry_them() -> None:
    headers = {
        "ce-item": 2**63 - 1,
        "ce-text": b"\xc3\xbc",
        "ce-flag": False,
        "ce-a1": "",
        "ce-" + "n" * 64: "longest",
        "ce-" + "n" * 65: "too long",
        "ce-with-dash": "x",
        "ce-huge": 2**63,
        "ce-half": "\ud800",
        "ce-ratio": 0.5,
        "ce-void": None,
        "ce-table": {},
        "ce-raw": b"\xff",
        "ce-subject": "known",
        "ce-dataschema": "known",
        "ce-expirytime": "2026-01-31T12:00:00Z",
    }

    assert good(message(headers=headers)).extensions == {
        "item": 2**63 - 1,
        "text": "ü",
        "flag": False,
        "a1": "",
        "n" * 64: "longest",
    }


@pytest.mark.parametrize("where", ["traceparent", "ce-traceparent"])
def test_traceparent_is_read_from_either_header(where: str) -> None:
    request = good(message(headers={where: TRACEPARENT, where.replace("parent", "state"): "a=1"}))

    assert (request.traceparent, request.tracestate, request.extensions) == (TRACEPARENT, "a=1", {})


def test_the_transports_traceparent_wins() -> None:
    other = TRACEPARENT.replace("0af7", "1af7")

    assert good(message(headers={"ce-traceparent": other, "traceparent": TRACEPARENT})).traceparent == TRACEPARENT


@pytest.mark.parametrize(
    "value",
    ["", "x", TRACEPARENT.upper(), "ff" + TRACEPARENT[2:], TRACEPARENT + "-00", TRACEPARENT[:-1], TRACEPARENT + "\n",
     "00-" + "0" * 32 + TRACEPARENT[35:], 5, None, b"\xff", [], "01" + TRACEPARENT[2:] + "-" + "x" * 300],
)  # fmt: skip
def test_a_malformed_traceparent_is_ignored(value: object) -> None:
    request = good(message(headers={"traceparent": value, "tracestate": "a=1"}))

    assert (request.traceparent, request.tracestate) == (None, None)


def test_a_later_version_of_traceparent_is_taken() -> None:
    later = "01" + TRACEPARENT[2:] + "-more"

    assert good(message(headers={"traceparent": later})).traceparent == later


def test_headers_of_16_kib_are_taken_and_one_byte_more_refused() -> None:
    headers = {"ce-a": "x" * (16_384 - 4)}

    good(message(headers=headers))
    good(message(headers={**headers, "x-death": [{"reason": "y" * 20_000}], "X-Own": "z" * 20_000}))

    assert faults(message(headers={**headers, "b": ""})) == {"headers": "headers_too_large"}
    assert faults(message(headers={"table": {"a": [{"b": b"x" * 16_384}]}})) == {"headers": "headers_too_large"}


def test_headers_nested_without_end_are_refused() -> None:
    endless: list[object] = []
    endless.append(endless)

    assert faults(message(headers={"a": endless})) == {"headers": "headers_too_large"}
