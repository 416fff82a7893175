"""
What facts say about spans, and that the page about traces tells it all.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opentelemetry.trace import StatusCode

from messages.envelope import Envelope
from tests.tracing.conftest import attributes
from worker import tracing
from worker.facts import note
from worker.facts.broker import PublishEnded
from worker.facts.requests import OutcomeTold, RequestRejected, RetryScheduled, StrangerMet
from worker.ports import Delivery

if TYPE_CHECKING:
    from tests.tracing.conftest import Traced
    from worker.facts import Fact

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "tracing.md").read_text(encoding="utf-8")


def outcome(kind: str, code: str | None) -> OutcomeTold:
    return OutcomeTold(
        outcome=kind,
        service_id=None,
        status=None,
        attempts=2,
        reconciled=False,
        code=code,
        http_status=None,
        api_request_id=None,
        total_s=1.0,
        critical_s=1.0,
    )


@pytest.mark.parametrize(
    ("fact", "error_type"),
    [
        (outcome("created", None), None),
        (outcome("failed", "router_not_found"), "router_not_found"),
        (outcome("in_doubt", None), "in_doubt"),
        (RequestRejected("router_id is missing", 1, 0.1), "rejected"),
        (RetryScheduled("30s", "crashed"), "crashed"),
        (RetryScheduled("5s", "busy"), None),
        (StrangerMet(), None),
        (PublishEnded("events", "nacked", 0.1), "nacked"),
    ],
    ids=str,
)
def test_a_fact_says_whether_the_span_at_hand_is_an_error(traced: Traced, fact: Fact, error_type: str | None) -> None:
    envelope = Envelope(b"", {}, content_type=None, message_id=None, app_id=None, correlation_id=None, reply_to=None)
    with traced.on("vpn.requests.create"), tracing.processing():
        tracing.begin({}, (None, None), Delivery(envelope, is_redelivered=False, token=None))
        note(fact)
    (span,) = traced.ended()

    assert error_type == attributes(span).get("error.type")
    assert (StatusCode.ERROR if error_type else StatusCode.UNSET) is span.status.status_code


def test_a_fact_with_no_span_at_hand_marks_nothing(traced: Traced) -> None:
    with traced.on("vpn.requests.create"):
        note(StrangerMet())

    assert [] == traced.ended()


@pytest.mark.parametrize(
    ("room", "ours", "pattern"),
    [
        ("tracing", "vpn_worker.", r"\"((?:vpn_worker|messaging|http|url|server)\.[a-z_.]+)\""),
        ("telemetry", "traces.", r"\"(traces\.[a-z_]+)\""),
    ],
)
def test_the_page_names_every_attribute_and_every_line_of_the_log(room: str, ours: str, pattern: str) -> None:
    written = {name for path in (ROOT / "worker" / room).glob("*.py") for name in re.findall(pattern, path.read_text())}
    usual = {"messaging.system", "messaging.operation.name", "messaging.operation.type"}  # the same in every span
    told = set(re.findall(r"`([a-z_]+\.[a-z_.]+)`", PAGE))

    assert set() == written - told - usual
    assert {name for name in told if name.startswith(ours)} == {name for name in written if name.startswith(ours)}
