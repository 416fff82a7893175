"""
Messages that break client libraries rather than rules: the worker must survive reading them, and copying them.
"""

from __future__ import annotations

import decimal
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pika
import pytest

from tests.e2e.shop import Shop, binary, order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import StartWorker
    from worker.simulator import Simulator

TEXT_BYTES = cast("str", b"\xff\xfe")  # pika writes bytes as they are
FRAME_BYTES = 131_072


def deep_table(depth: int) -> dict[str, Any]:
    """
    Tables in tables.
    """
    table: dict[str, Any] = {}
    for _ in range(depth):
        table = {"a": table}
    return table


def with_headers(**headers: Any) -> pika.BasicProperties:
    """
    Binary mode without an id, so that it is rejected, and these headers as they are.
    """
    properties = binary()
    properties.headers = {
        name: value for name, value in (properties.headers or {}).items() if name != "ce-id"
    } | headers
    return properties


HOSTILE: dict[str, pika.BasicProperties] = {
    "message id not UTF-8": pika.BasicProperties(message_id=TEXT_BYTES),
    "correlation id not UTF-8": pika.BasicProperties(message_id="m-1", correlation_id=TEXT_BYTES),
    "content type not UTF-8": pika.BasicProperties(message_id="m-2", content_type=TEXT_BYTES),
    "reply to not UTF-8": pika.BasicProperties(message_id="m-3", reply_to=TEXT_BYTES),
    "type not UTF-8": pika.BasicProperties(type=TEXT_BYTES),
    "timestamp beyond the calendar": pika.BasicProperties(timestamp=2**62),
    "header name not UTF-8": pika.BasicProperties(headers={TEXT_BYTES: 1}),
    "header of bytes": with_headers(**{"ce-note": b"\xff\xfe", "note": b"\xff"}),
    "header of a decimal": with_headers(note=decimal.Decimal("-3.5")),
    "header of a far time": with_headers(note=datetime(9999, 12, 31, tzinfo=UTC)),
    "header of lists and tables": with_headers(note=[1, [2, {"a": [None, True, -(2**63)]}]], more={"a": {"b": "c"}}),
    "headers near the frame's limit": with_headers(note="n" * (FRAME_BYTES - 250)),
    "extensions near the frame's limit": with_headers(**{"ce-note": "n" * (FRAME_BYTES - 250)}),
    "headers nested deep": with_headers(note=deep_table(600)),
    "headers of the ladder, forged": with_headers(
        **{"x-vpn-first-seen": "9999-12-31T23:59:59+00:00", "x-vpn-attempts": -5, "x-vpn-message-id": "\x00"}
    ),
}


@pytest.fixture
def deep_stack() -> Iterator[None]:
    """
    Lets pika write tables nested deeper than Python's usual stack.
    """
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    yield
    sys.setrecursionlimit(usual)


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.usefixtures("deep_stack")
async def test_a_hostile_message_is_rejected_once_and_the_next_request_is_served(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, case: str
) -> None:
    worker = await start_worker(cloud.url)
    await shop.publish((b"{}", HOSTILE[case]), (order(), binary("good")))
    told = await shop.outcomes(2, 8)
    letters = await shop.dead(1)

    assert {"vpn.vpnservice.created.v1", "vpn.vpnservice.create-rejected.v1"} == {event.type for event in told}
    assert b"{}" == letters[0].body
    assert [] == worker.logged("broker.lost")
    assert [] == worker.mistakes()
