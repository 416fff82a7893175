"""
Hypothesis looks for a message that the whole worker does not answer with exactly one outcome.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pika
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.e2e.shop import TYPE, Shop, binary, order

if TYPE_CHECKING:
    from tests.e2e.conftest import StartWorker, WorkerProcess
    from worker.simulator import Simulator

FIELDS = (
    "subnet_id", "router_id", "name", "admin_state_up", "tenant_id", "description", "order_id", "product_id",
    "prepay_connection_num", "resource_speccode", "external_v4_ip", "project_id", "vpnservice",
)  # fmt: skip
ATTRIBUTES = (
    "ce-id", "ce-source", "ce-type", "ce-specversion", "ce-expirytime", "ce-follow", "ce-subject", "ce-orderitem",
    "cloudEvents:id", "traceparent", "x-death", "x-delivery-count", "x-vpn-first-seen", "x-vpn-attempts",
    "x-vpn-message-id", "x-vpn-reason",
)  # fmt: skip
TEXTS = ("", "1.0", TYPE, "/shop", "\x00", "é" * 200, "9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00-23:59")

texts = st.text(max_size=70) | st.sampled_from(TEXTS)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS) | texts, inner, max_size=4),
    max_leaves=8,
)
nearly_good = st.fixed_dictionaries(
    {"vpnservice": st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, json_values))}
)
bodies = st.binary(max_size=60) | st.builds(
    lambda value, encoding: json.dumps(value).encode(encoding),
    json_values | nearly_good,
    st.sampled_from(("utf-8", "utf-16", "utf-8-sig")),
)
header_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | texts
    | st.binary(max_size=20)
    | st.integers(0, 250_000_000_000).map(lambda at: datetime.fromtimestamp(at, UTC)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=3), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
short = st.none() | st.binary(max_size=255)


@st.composite
def properties(draw: st.DrawFn) -> pika.BasicProperties:
    """
    Properties and headers as only a broken or hostile publisher would write them, or nearly good ones.
    """
    headers: dict[Any, Any] = draw(
        st.dictionaries(st.sampled_from(ATTRIBUTES) | st.binary(max_size=12), header_values, max_size=5)
    )
    if draw(st.booleans()):
        headers = dict(binary().headers or {}) | headers
    written: dict[str, Any] = {
        name: draw(short) for name in ("message_id", "app_id", "correlation_id", "reply_to", "type")
    }
    content_type: Any = draw(short | st.sampled_from(("application/json", "application/cloudevents+json")))
    timestamp = draw(st.none() | st.integers(0, 2**63 - 1))
    return pika.BasicProperties(headers=headers, content_type=content_type, timestamp=timestamp, **written)


@pytest.fixture
async def worker(shop: Shop, cloud: Simulator, start_worker: StartWorker) -> WorkerProcess:
    """
    A worker that does not wait for strangers: forged headers make many.
    """
    return await start_worker(cloud.url, stranger_window_s=0)


@given(body=bodies, told=properties())
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
async def test_every_message_ends_in_exactly_one_outcome_and_never_costs_the_connection(
    shop: Shop, worker: WorkerProcess, body: bytes, told: pika.BasicProperties
) -> None:
    before = len([event for event in shop.told if event.is_outcome])
    # The good request behind it shows that the worker goes on, and that no second outcome comes before its own.
    await shop.publish((body, told), (order(), binary()))
    await shop.outcomes(before + 2, 10)

    assert [] == worker.logged("broker.lost")
    assert [] == worker.mistakes()
