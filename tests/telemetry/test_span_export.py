"""
A collector in trouble disturbs nobody: it is told once, and at the end nobody waits for it for long.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from tests.telemetry.collector import Collector, collecting
from worker.telemetry.span_export import exporting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import TracerProvider


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """
    A collector that listens, and that the environment names.
    """
    with collecting() as opened:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", opened.url)
        yield opened


def send(provider: TracerProvider | None, count: int = 1) -> None:
    """
    Makes spans and has them sent.
    """
    assert provider is not None
    for _ in range(count):
        provider.get_tracer("test").start_span("work").end()
    provider.force_flush()


def test_a_collector_that_refuses_is_told_once_and_so_is_its_recovery(collector: Collector) -> None:
    with capture_logs() as logs, exporting() as provider:
        collector.status = 403
        for _ in range(3):
            send(provider, 2)
        collector.status = 200
        send(provider)

    assert ["traces.exported", "traces.not_exported", "traces.exported_again"] == [told["event"] for told in logs]
    assert "403" in logs[1]["error"]
    assert 6 == logs[2]["dropped"]
    assert 4 == collector.calls


def test_a_collector_that_is_not_there_is_told_with_the_reason(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3")  # enough for a second try, before which the reason is told
    with capture_logs() as logs, exporting() as provider:
        send(provider)

    assert ["traces.exported", "traces.not_exported"] == [told["event"] for told in logs]
    assert "refused" in logs[1]["error"]


def test_nobody_waits_for_a_collector_that_hangs(collector: Collector) -> None:
    collector.may_answer.clear()
    with capture_logs() as logs:
        with exporting(flush_s=0.2) as provider:
            assert provider is not None
            provider.get_tracer("test").start_span("work").end()
            began_s = time.monotonic()
        waited_s = time.monotonic() - began_s

    assert waited_s < 2
    assert "traces.not_flushed" == logs[-1]["event"]


def test_a_full_queue_is_told_once(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "4")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
    collector.may_answer.clear()
    with capture_logs() as logs, exporting() as provider:
        assert provider is not None
        for _ in range(50):
            provider.get_tracer("test").start_span("work").end()
        collector.may_answer.set()

    assert 1 == len([told for told in logs if "Queue full" in told.get("text", "")])


def test_secrets_for_the_collector_are_not_logged(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    host = collector.url.removeprefix("http://")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://user:hidden-word@{host}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "no header at all: hidden-word")
    collector.status = 401
    with capture_logs() as logs, exporting() as provider:
        send(provider)

    assert "traces.not_exported" in {told["event"] for told in logs}
    assert "hidden-word" not in repr(logs)


def test_afterwards_the_libraries_logs_are_as_they_were(collector: Collector) -> None:
    library = logging.getLogger("opentelemetry")
    before = (library.propagate, list(library.handlers))
    with exporting() as provider:
        send(provider)
        assert not library.propagate

    assert before == (library.propagate, library.handlers)
