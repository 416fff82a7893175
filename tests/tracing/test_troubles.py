"""
Tracing is a courtesy: what a propagator or the SDK raises reaches no request.
"""

from __future__ import annotations

from typing import Any

from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import attach, detach
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.testing import capture_logs
from yarl import URL

from messages.envelope import Envelope
from worker.ports import Delivery
from worker.tracing import begin, calling, processing, publishing, traced_by
from worker.tracing.spans import Spans


class Broken(TextMapPropagator):
    """
    A propagator of somebody else's that does not work.
    """

    def extract(self, *_: Any, **__: Any) -> Any:
        raise ValueError("broken")

    def inject(self, *_: Any, **__: Any) -> None:
        raise ValueError("broken")

    @property
    def fields(self) -> set[str]:
        return {"x-broken"}


class Copying(W3CBaggagePropagator):
    """
    Writes baggage under the names of another tool.
    """


class Message:
    """
    What a publish needs.
    """

    def __init__(self) -> None:
        self.headers: dict[str, object] = {}
        self.body = b"{}"
        self.message_id: str | None = "m"
        self.correlation_id: str | None = None


DELIVERY = Delivery(
    Envelope(b"{}", {}, "application/json", "order-1", None, None, None), is_redelivered=False, token=object()
)


def test_a_broken_propagator_costs_the_trace_and_nothing_else() -> None:
    spans = Spans(TracerProvider(), "queue", (Broken(), TraceContextTextMapPropagator()))
    message, headers = Message(), dict[str, str]()
    with capture_logs() as lines, traced_by(spans), processing():
        trace_id = begin({}, (None, None), DELIVERY)
        with calling("POST", URL("http://localhost/"), headers), publishing("exchange", "key", message):
            pass

    assert trace_id is not None
    assert trace_id in headers["traceparent"]
    assert trace_id in str(message.headers["traceparent"])
    assert ["trace.not_kept"] == [line["event"] for line in lines]


def test_a_broken_provider_costs_the_trace_and_nothing_else() -> None:
    provider = TracerProvider()
    spans = Spans(provider, "queue")

    def broken(*_: Any, **__: Any) -> Any:
        raise ValueError("broken")

    spans._tracer.start_span = broken  # type: ignore[method-assign]
    message = Message()
    with capture_logs(), traced_by(spans), processing():
        assert begin({}, (None, None), DELIVERY) is None
        with publishing("exchange", "key", message):
            pass

    assert {} == message.headers


def test_baggage_goes_to_no_cloud_whoever_writes_it() -> None:
    spans = Spans(TracerProvider(), "queue", (TraceContextTextMapPropagator(), Copying()))
    headers: dict[str, str] = {}
    token = attach(baggage.set_baggage("customer", "secret"))
    try:
        with traced_by(spans), calling("POST", URL("http://localhost/"), headers):
            pass
    finally:
        detach(token)

    assert "secret" not in str(headers)
    assert "traceparent" in headers
