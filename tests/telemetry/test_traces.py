"""
Traces are on when the usual variables ask for them; whatever is wrong with them, or missing, is told once and harms nothing.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from tests.telemetry.collector import Collector, collecting
from worker import tracing
from worker.settings import unknown_variables
from worker.telemetry.traces import exported_traces

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping
    from typing import Any

QUEUE = "vpn.requests.create"


@pytest.fixture
def collector() -> Iterator[Collector]:
    """
    A collector that listens.
    """
    with collecting() as opened:
        yield opened


@pytest.fixture
def logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """
    What is logged.
    """
    with capture_logs() as captured:
        yield captured


def is_on() -> bool:
    """
    Whether something is traced now.
    """
    return tracing.here() is not None


def test_spans_reach_the_collector_that_the_usual_variables_name(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=let-me-in")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging,service.version=7")
    with exported_traces(QUEUE):
        span_of_a_publish()

    assert ["publish vpn.events"] == [span.name for span in collector.spans]
    assert "let-me-in" == collector.headers["api-key"]
    told = {name: collector.resource.get(name) for name in ("service.name", "service.version")}
    assert {"service.name": "vpn-worker", "service.version": "7"} == told
    assert "staging" == collector.resource["deployment.environment.name"]
    assert collector.resource["service.instance.id"]
    assert not is_on()


def test_the_service_can_have_another_name(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{collector.url}/v1/traces")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "vpn-worker-eu")
    with exported_traces(QUEUE):
        span_of_a_publish()

    assert "vpn-worker-eu" == collector.resource["service.name"]


def test_the_usual_sampler_decides(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    with exported_traces(QUEUE):
        span_of_a_publish()
        span_of_a_publish(traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")

    assert ["0af7651916cd43dd8448eb211c80319c"] == [span.trace_id.hex() for span in collector.spans]


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_SERVICE_NAME": "vpn-worker"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": " "},
    ],
)
def test_nothing_is_traced_unless_it_is_asked_for(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, logs: list[MutableMapping[str, Any]]
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with exported_traces(QUEUE):
        assert not is_on()

    assert [] == logs
    assert [] == unknown_variables()


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "port 4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "http/protobuf"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "otlp"),
    ],
)
def test_what_is_not_supported_is_told_and_the_worker_works_on(
    name: str, value: str, remedy: str, monkeypatch: pytest.MonkeyPatch, logs: list[MutableMapping[str, Any]]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv(name, value)
    with exported_traces(QUEUE):
        assert not is_on()

    (told,) = logs
    assert ("traces.not_supported", value) == (told["event"], told["value"])
    assert remedy in told["remedy"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-1"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere"),
        ("OTEL_BSP_SCHEDULE_DELAY", "0"),
    ],
)
def test_odd_values_never_stop_the_worker(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, logs: list[MutableMapping[str, Any]]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv(name, value)
    worked = False
    with exported_traces(QUEUE):
        worked = True

    assert worked
    assert {told["event"] for told in logs} <= {"traces.not_configured", "traces.exported"}


def test_an_unknown_propagator_is_told_and_left_out(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, logs: list[MutableMapping[str, Any]]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_PROPAGATORS", "tracecontext,smoke-signals")
    with exported_traces(QUEUE):
        assert "traceparent" in span_of_a_publish().headers

    assert ["smoke-signals"] == [told["name"] for told in logs if told["event"] == "traces.propagator_unknown"]


def test_without_propagators_no_context_is_written(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_PROPAGATORS", "none")
    with exported_traces(QUEUE):
        assert {} == span_of_a_publish().headers


def test_off_not_even_the_api_is_loaded() -> None:
    """
    A request costs nothing more, and the start neither.
    """
    code = (
        "import sys, worker.app, worker.cli.run\n"
        "from worker.telemetry.traces import exported_traces\n"
        "with exported_traces('q'): print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]" == said.stdout.strip()


class Message:
    """
    What is published.
    """

    def __init__(self, **headers: str) -> None:
        self.headers: dict[str, str] = headers
        self.body = b"{}"
        self.message_id: str | None = "m-1"
        self.correlation_id: str | None = None


def span_of_a_publish(**headers: str) -> Message:
    """
    The message of a publish that was traced.
    """
    message = Message(**headers)
    with tracing.publishing("vpn.events", "vpnservice.created", message):
        return message
