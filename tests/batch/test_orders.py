"""
From a row to a request that the worker takes, or to every fault of it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.envelope import Request, decode_request
from worker.batch.columns import Columns
from worker.batch.orders import Manner, Order, order_of
from worker.batch.rows import Row

MANNER = Manner("/shop")


def order(values: dict[str, Any], manner: Manner = MANNER, *, is_text: bool = False) -> Order:
    """
    The order of a row; faults are an error.
    """
    found = order_of(Row("f", 7, values, is_text), manner)
    assert isinstance(found, Order), found
    return found


def faults(values: dict[str, Any], manner: Manner = MANNER, *, is_text: bool = False) -> dict[str, str]:
    """
    Codes by path; no faults are an error.
    """
    found = order_of(Row("f", 7, values, is_text), manner)
    assert isinstance(found, list)
    assert {("f", 7)} == {(fault.file, fault.line) for fault in found}
    return {fault.path: fault.code for fault in found}


def request(found: Order, manner: Manner = MANNER) -> Request:
    """
    What the worker makes of its message.
    """
    read = decode_request(found.envelope(manner))
    assert isinstance(read, Request)
    return read


@pytest.mark.parametrize("mode", ["binary", "structured", "plain"])
def test_a_flat_row_becomes_body_and_envelope(mode: Any) -> None:
    manner = Manner("/shop", mode)
    values = {
        "id": "a",
        "order": 1001,
        "correlation_id": "c",
        "expires_at": "2030-01-31T12:00:00+01:00",
        "follow": "active",
        "router_id": "r",
        "name": None,
        "prepay_connection_num": 3,
    }
    found = request(order(values, manner), manner)

    assert ("a", "/shop", "c", "active") == (found.id, found.source, found.correlation_id, found.follow)
    assert datetime(2030, 1, 31, 11, tzinfo=UTC) == found.expires_at
    assert {"order": "1001"} == dict(found.extensions)
    assert {"router_id": "r", "name": None, "prepay_connection_num": 3} == found.body.vpnservice.model_dump(
        exclude_unset=True
    )


def test_a_row_may_have_the_apis_body() -> None:
    found = order({"order": "1", "vpnservice": {"router_id": "r", "admin_state_up": True}})

    assert {"vpnservice": {"router_id": "r", "admin_state_up": True}} == found.body


def test_the_batch_says_what_a_row_does_not() -> None:
    moment = datetime(2030, 1, 31, tzinfo=UTC)
    manner = Manner("/shop", correlation_id="all", expires_at=moment, follow="none", user_id="me")
    silent = request(order({"id": "a", "router_id": "r"}, manner), manner)
    own = {"id": "a", "router_id": "r", "correlation_id": "c", "expires_at": "2031-01-01T00:00:00Z", "follow": "active"}
    outspoken = request(order(own, manner), manner)

    assert ("all", moment, "none") == (silent.correlation_id, silent.expires_at, silent.follow)
    assert ("c", 2031, "active") == (
        outspoken.correlation_id,
        outspoken.expires_at and outspoken.expires_at.year,
        outspoken.follow,
    )
    assert "me" == order({"id": "a", "router_id": "r"}, manner).envelope(manner).user_id


@pytest.mark.parametrize(
    ("values", "id_from", "identity"),
    [
        ({"id": "a", "order": "b", "router_id": "r"}, None, "a"),
        ({"order": "b", "router_id": "r"}, None, "b"),
        ({"id": "", "order": 7, "router_id": "r"}, None, "7"),
        ({"order": "b", "order_id": "c", "router_id": "r"}, "order_id", "c"),
        ({"invoice": "d", "router_id": "r"}, "invoice", "d"),
        ({"vpnservice": {"router_id": "r", "order_id": "e"}}, "order_id", "e"),
    ],
)
def test_the_identity_comes_from_its_column(values: dict[str, Any], id_from: str | None, identity: str) -> None:
    assert identity == order(values, Manner("/shop", columns=Columns(id_from))).id


def test_a_row_without_identity_is_told_why_it_needs_one() -> None:
    found = order_of(Row("f", 1, {"router_id": "r"}), MANNER)

    assert isinstance(found, list)
    assert "--id-from" in found[0].message
    assert "created twice" in found[0].message


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"id": "a"}, {"router_id": "missing"}),
        ({"router_id": "r"}, {"id": "id_missing"}),
        ({"id": "a" * 300, "router_id": "r"}, {"id": "too_long"}),
        ({"order": "a\nb", "router_id": "r"}, {"order": "control_character"}),
        ({"id": 1.5, "router_id": "r"}, {"id": "wrong_type"}),
        ({"id": True, "router_id": "r"}, {"id": "wrong_type"}),
        ({"id": ["a"], "router_id": "r"}, {"id": "wrong_type"}),
        ({"id": "a", "router_id": "r", "correlation_id": "x" * 256}, {"correlation_id": "too_long"}),
        ({"id": "a", "router_id": "r", "expires_at": "tomorrow"}, {"expires_at": "not_a_time"}),
        ({"id": "a", "router_id": "r", "follow": "often"}, {"follow": "unsupported_value"}),
        ({"id": "a", "router_id": "r", "nme": 1}, {"nme": "unknown_field"}),
        ({"id": "a", "router_id": "r", "project_id": "p"}, {"project_id": "unknown_field"}),
        ({"id": "a", "vpnservice": {"router_id": "r"}, "name": "n"}, {"name": "unknown_field"}),
        ({"id": "a", "vpnservice": {"name": ""}}, {"vpnservice.router_id": "missing", "vpnservice.name": "too_short"}),
        ({"id": "a", "vpnservice": 7}, {"vpnservice": "wrong_type"}),
        ({"name": "", "router_id": 3, "nme": 1, "follow": "x"}, None),
    ],
    ids=str,
)
def test_every_fault_of_a_row_is_told_at_its_column(values: dict[str, Any], found: dict[str, str] | None) -> None:
    expected = found or {
        "id": "id_missing",
        "name": "too_short",
        "router_id": "wrong_type",
        "nme": "unknown_field",
        "follow": "unsupported_value",
    }

    assert expected == faults(values)


@pytest.mark.parametrize(
    ("cells", "spec"),
    [
        ({"admin_state_up": "TRUE"}, {"admin_state_up": True}),
        ({"prepay_connection_num": " 3"}, {"prepay_connection_num": 3}),
        ({"name": "007"}, {"name": "007"}),
        ({"name": "true"}, {"name": "true"}),
    ],
    ids=str,
)
def test_text_gets_the_type_of_its_field(cells: dict[str, str], spec: dict[str, Any]) -> None:
    found = order({"id": "a", "router_id": "r", **cells}, is_text=True)

    assert {"vpnservice": {"router_id": "r", **spec}} == found.body


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ({"admin_state_up": "false"}, {"admin_state_up": "not_true"}),
        ({"admin_state_up": "ja"}, {"admin_state_up": "not_true"}),
        ({"prepay_connection_num": "3.0"}, {"prepay_connection_num": "wrong_type"}),
        ({"prepay_connection_num": "1_000"}, {"prepay_connection_num": "wrong_type"}),
        ({"prepay_connection_num": "9" * 5000}, {"prepay_connection_num": "wrong_type"}),
        ({"prepay_connection_num": "-1"}, {"prepay_connection_num": "out_of_range"}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_text_of_another_type_is_a_fault(cells: dict[str, str], found: dict[str, str]) -> None:
    assert found == faults({"id": "a", "router_id": "r", **cells}, is_text=True)


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60)


@given(
    identity=TEXTS,
    name=st.none() | TEXTS,
    number=st.none() | st.integers(0, 2**63 - 1),
    correlation_id=st.none() | TEXTS,
    line=st.integers(1, 2**40),
)
def test_an_order_comes_back_from_the_spool(
    identity: str, name: str | None, number: int | None, correlation_id: str | None, line: int
) -> None:
    values = {"id": identity, "router_id": "r", "name": name, "prepay_connection_num": number}
    found = order_of(Row("f", line, values | {"correlation_id": correlation_id}), MANNER)
    assert isinstance(found, Order)
    again = Order.read(found.written())

    assert found == again
    assert found.envelope(MANNER) == again.envelope(MANNER)
    assert identity == request(again).id
