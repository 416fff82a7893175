"""
Copies of messages for the rungs and the dead letters: whatever came must be writable again.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from pamqp import commands, encode, header

from messages.envelope import Envelope
from worker.broker.decoding import read_anything
from worker.broker.messages import to_copy, to_envelope

FRAME_BYTES = 131_072


def envelope(headers: dict[str, object], **properties: Any) -> Envelope:
    """
    A message that arrived.
    """
    usual: dict[str, Any] = dict.fromkeys(("content_type", "message_id", "app_id", "correlation_id", "reply_to"))
    return Envelope(b"{}", headers, **usual | properties)


@pytest.mark.parametrize(
    "value",
    [
        1e300,
        b"\xff\xfe",
        Decimal(2**32 - 1),
        Decimal("NaN"),
        2**70,
        pytest.param(object(), id="object"),
        "\udcff",
        {"\udcff": 1},
        [b"\xff"],
    ],
    ids=str,
)
def test_a_header_of_any_kind_can_be_written_on_the_copy(value: object) -> None:
    copy = to_copy(envelope({"note": value, "kept": "yes"}), {"x-vpn-reason": "rejected"})

    assert "yes" == copy.headers["kept"]
    assert copy.properties.marshal()


def test_headers_that_would_burst_the_frame_are_left_out_and_counted() -> None:
    headers: dict[str, object] = {"big": "n" * (FRAME_BYTES - 200), "small": "s", "x-vpn-reason": "forged"}
    copy = to_copy(envelope(headers), {"x-vpn-reason": "rejected"})

    assert {"small": "s", "x-vpn-reason": "rejected", "x-vpn-headers-left-out": 1} == copy.headers
    assert len(copy.properties.marshal()) < FRAME_BYTES


def test_headers_that_route_are_not_copied() -> None:
    """
    RabbitMQ routes by CC as well: a retried request would double on every rung.
    """
    copy = to_copy(envelope({"CC": ["5s", "30s"], "BCC": ["5s"], "ce-id": "1"}), {})

    assert {"ce-id": "1"} == copy.headers


def test_properties_that_were_no_utf8_are_written_as_text() -> None:
    torn = "\udcff" * 255
    copy = to_copy(
        envelope({}, message_id=torn, app_id=torn, correlation_id=torn, reply_to=torn, content_type=torn), {}
    )

    assert copy.properties.marshal()
    assert str(copy.headers["x-vpn-message-id"]).startswith("\\udcff")


def read_header_frame(properties: bytes) -> commands.Basic.Properties:
    """
    Properties as they are read from the wire: flags and values.
    """
    read_anything()
    content = header.ContentHeader()
    content.unmarshal(b"\x00\x3c\x00\x00" + bytes(8) + properties)
    return content.properties


def test_a_message_id_of_any_bytes_is_read_as_one_that_no_other_bytes_give() -> None:
    flag = (1 << 7).to_bytes(2, "big")  # AMQP 0-9-1, 4.2.6.1: message-id is the ninth property

    assert "\udcff" == read_header_frame(flag + b"\x01\xff").message_id
    assert "\udcfe" == read_header_frame(flag + b"\x01\xfe").message_id
    assert "order é" == read_header_frame(flag + b"\x08order \xc3\xa9").message_id


def test_a_timestamp_beyond_the_calendar_is_none() -> None:
    flag = (1 << 6).to_bytes(2, "big")

    assert read_header_frame(flag + (2**62).to_bytes(8, "big")).timestamp is None
    assert read_header_frame(flag + (1_700_000_000).to_bytes(8, "big")).timestamp is not None


def test_tables_nested_without_end_are_read_to_a_depth() -> None:
    table = b"\x00\x00\x00\x00"
    for _ in range(5_000):
        inner = b"\x01aF" + table
        table = len(inner).to_bytes(4, "big") + inner
    flag = (1 << 13).to_bytes(2, "big")
    read: Any = read_header_frame(flag + table).headers
    depth = 0
    while isinstance(read, dict):
        read, depth = read["a"], depth + 1

    assert "(nested too deep)" == read
    assert depth < 30


def test_ordinary_headers_are_read_as_before() -> None:
    headers: dict[str, Any] = {"a": "text", "b": True, "c": 5, "d": [1, {"e": None}], "f": {"g": "h"}}
    flag = (1 << 13).to_bytes(2, "big")

    assert headers == read_header_frame(flag + encode.field_table(headers)).headers


class Arrived:
    """
    A message as the client library gives it, as far as its user is concerned.
    """

    body = b"{}"
    content_type = message_id = app_id = correlation_id = reply_to = None

    def __init__(self, user_id: str | None, headers: Mapping[str, object]) -> None:
        self.user_id = user_id
        self.headers = dict(headers)


def user_of(user_id: str | None, headers: Mapping[str, object], own_user: str | None = "worker") -> str | None:
    return to_envelope(Arrived(user_id, headers), own_user).user_id  # type: ignore[arg-type]


@pytest.mark.parametrize("user_id", ["shop-a", None])
@pytest.mark.parametrize("own", [{"x-vpn-first-seen": "2026-01-01"}, {"x-vpn-replays": 1}], ids=["rung", "replay"])
def test_the_user_who_published_is_known_over_any_number_of_copies(user_id: str | None, own: dict[str, str]) -> None:
    arrived = envelope({}, user_id=user_id)
    for _ in range(3):
        copy = to_copy(arrived, own, "worker")
        arrived = to_envelope(Arrived(copy.user_id, copy.headers), "worker")  # type: ignore[arg-type]

        assert "worker" == copy.user_id
        assert user_id == arrived.user_id
        assert "x-vpn-user-id" not in arrived.headers


@pytest.mark.parametrize("user_id", ["shop-a", None])
def test_what_a_publisher_writes_about_its_user_counts_for_nothing(user_id: str | None) -> None:
    """
    The broker validates the property, and nobody the header.
    """
    forged = {"x-vpn-user-id": "victim", "x-vpn-first-seen": "2026-01-01T00:00:00+00:00", "x-vpn-replays": 1}
    arrived = to_envelope(Arrived(user_id, forged), "worker")  # type: ignore[arg-type]

    assert user_id == arrived.user_id
    assert "x-vpn-user-id" not in to_copy(arrived, {}, "worker").headers or user_id is not None
    assert "victim" not in to_copy(arrived, {}, "worker").headers.values()
    assert user_id == user_of(user_id, forged, own_user=None)


def test_the_worker_s_own_user_may_publish_too() -> None:
    assert "worker" == user_of("worker", {})
