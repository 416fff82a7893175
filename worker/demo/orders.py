"""
The demonstration's orders: one of each fate.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from messages.envelope import Envelope, encode_request

_SOURCE = "/shop/orders"


@dataclass(frozen=True, slots=True)
class DemoOrder:
    """
    An order of the demonstration.

    Attributes:
        title: what a person calls it.
        story: what is special about it.
        envelope: the message.
        expected: the outcome that shows that all is well: created, failed or rejected.
        fault: what the simulated cloud does to it, as `POST /_simulator/faults` takes it; None for nothing.
        waits: publish it only once everything before has its outcome.
    """

    title: str
    story: str
    envelope: Envelope
    expected: str
    fault: dict[str, object] | None = None
    waits: bool = False


def demo_orders(now: datetime) -> list[DemoOrder]:
    """
    The batch: good ones, invalid ones, a duplicate, a second service on a VPC, faults of the cloud.
    """
    berlin, paris, rome, oslo, lima = (str(uuid.uuid4()) for _ in range(5))
    first = _order("order-1001", {"router_id": berlin, "name": "berlin", "admin_state_up": True})
    return [
        DemoOrder("order-1001 berlin", "a good order", first, "created"),
        DemoOrder(
            "order-1002 paris", "a good order, all yearly/monthly fields", _order("order-1002", _full(paris)), "created"
        ),
        DemoOrder(
            "order-1003",
            "name of 65 characters, admin_state_up false",
            _order("order-1003", {"router_id": rome, "name": "x" * 65, "admin_state_up": False}),
            "rejected",
        ),
        DemoOrder("order-1004", "not JSON at all", _raw("order-1004", b"{'router_id': oops}"), "rejected"),
        DemoOrder(
            "order-1005 rome",
            "the cloud answers 503 once",
            _order("order-1005", {"router_id": rome, "name": "rome"}),
            "created",
            {"fault": "error_503", "on": "create", "match": {"router_id": rome}},
        ),
        DemoOrder(
            "order-1006 oslo",
            "created, but the answer is lost",
            _order("order-1006", {"router_id": oslo, "name": "oslo"}),
            "created",
            {"fault": "commit_then_close", "on": "create", "match": {"router_id": oslo}},
        ),
        DemoOrder(
            "order-1007 lima",
            "its expiry time has passed",
            _order("order-1007", {"router_id": lima, "name": "lima"}, expires_at=now - timedelta(minutes=1)),
            "failed",
        ),
        DemoOrder("order-1001 berlin", "the same order again", first, "created", waits=True),
        DemoOrder(
            "order-1008 berlin-2",
            "a second service on berlin's VPC",
            _order("order-1008", {"router_id": berlin, "name": "berlin-2"}),
            "failed",
        ),
    ]


def _full(router_id: str) -> dict[str, object]:
    return {
        "subnet_id": None,
        "router_id": router_id,
        "name": "paris",
        "admin_state_up": True,
        "description": "head office",
        "order_id": "CS2211260001",
        "product_id": "00301-110016-0--0",
        "prepay_connection_num": 10,
        "resource_speccode": "vpn.default",
    }


def _order(identity: str, spec: dict[str, object], expires_at: datetime | None = None) -> Envelope:
    return encode_request({"vpnservice": spec}, id=identity, source=_SOURCE, expires_at=expires_at)


def _raw(identity: str, body: bytes) -> Envelope:
    good = _order(identity, {"router_id": "-"})
    return Envelope(body, good.headers, good.content_type, good.message_id, good.app_id, good.correlation_id, None)


def request_id(order: DemoOrder) -> str:
    """
    The id an order travels under.
    """
    return str(order.envelope.headers["ce-id"])
