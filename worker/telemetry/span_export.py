"""
Sends spans to a collector over OTLP, with OpenTelemetry's SDK. Needs the extra `otel`; imported only where it is used.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from urllib.parse import urlsplit

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

log = structlog.get_logger()

#: For what is left at the end; a collector that does not answer holds nobody up longer.
_FLUSH_S = 5.0
_WORDS_LIMIT = 300
#: Libraries that talk about every try to export; ours tells it once.
_CHATTY = ("opentelemetry", "urllib3")
#: Says what it could not read: headers for the collector, which hold its secrets.
_INDISCREET = frozenset({"opentelemetry.util.re"})


@contextmanager
def exporting(flush_s: float = _FLUSH_S) -> Iterator[TracerProvider | None]:
    """
    What makes spans and sends them, as the `OTEL_*` variables say; None when they make no sense, which is logged.

    Args:
        flush_s: at the end, for sending what is left.
    """
    talk = _Talk()
    with _quietened(talk):
        provider = _provider(talk)
        try:
            yield provider
        finally:
            if provider is not None:
                _shut_down(provider, flush_s)


def _provider(talk: _Talk) -> TracerProvider | None:
    try:
        exporter = OTLPSpanExporter()
        provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(TellingExporter(exporter, talk)))
    except Exception as exc:  # noqa: BLE001 - whatever the SDK makes of odd values: the worker works without
        log.warning(
            "traces.not_configured", error=repr(exc), remedy="correct the OTEL_ variables; docs/how-to/tracing.md"
        )
        return None
    where = urlsplit(exporter._endpoint)  # noqa: SLF001 - it has put it together from several variables
    log.info(
        "traces.exported",
        endpoint=f"{where.scheme}://{where.netloc.rpartition('@')[2]}{where.path}",
        service=provider.resource.attributes.get("service.name"),
        sampler=provider.sampler.get_description(),
    )
    return provider


def _resource() -> Resource:
    usual = {
        "service.name": "vpn-worker",
        "service.version": version("vpn-worker"),
        "service.instance.id": str(uuid.uuid4()),
    }
    asked = OTELResourceDetector().detect().attributes
    return Resource.create({name: value for name, value in usual.items() if name not in asked})


def _shut_down(provider: TracerProvider, flush_s: float) -> None:
    # In a thread that may be left behind: the SDK's own limits are longer than a container has left by then.
    closing = threading.Thread(target=provider.shutdown, name="traces", daemon=True)
    closing.start()
    closing.join(flush_s)
    if closing.is_alive():
        log.warning("traces.not_flushed", within_s=flush_s)


class TellingExporter(SpanExporter):
    """
    Tells once when spans do not arrive, and once when they do again.

    Args:
        exporter: sends them; in a thread of its own.
        talk: what the libraries have said about it.
    """

    def __init__(self, exporter: SpanExporter, talk: _Talk) -> None:
        self._exporter = exporter
        self._talk = talk
        self._dropped = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """
        See SpanExporter.
        """
        self._talk.why = ""
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            if self._dropped:
                log.info("traces.exported_again", dropped=self._dropped)
                self._talk.told.clear()
            self._dropped = 0
            return result
        if not self._dropped:
            log.warning(
                "traces.not_exported",
                error=self._talk.why[:_WORDS_LIMIT],
                remedy="check OTEL_EXPORTER_OTLP_ENDPOINT and the collector; the work goes on, its spans are dropped",
            )
        self._dropped += len(spans)
        return result

    def shutdown(self) -> None:
        """
        See SpanExporter.
        """
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """
        See SpanExporter.
        """
        return self._exporter.force_flush(timeout_millis)


class _Talk(logging.Handler):
    """
    What the libraries say: of exports only the first words are kept, of everything else each thing is told once.

    Attributes:
        why: the first words since it was emptied; of one export, they have the reason.
        told: what was told already.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.why = ""
        self.told: set[tuple[str, object]] = set()

    def emit(self, record: logging.LogRecord) -> None:
        words = str(record.msg) if record.name in _INDISCREET else record.getMessage()
        if record.name.startswith(("opentelemetry.exporter", "urllib3")):
            self.why = self.why or words
        elif (record.name, record.msg) not in self.told:
            self.told.add((record.name, record.msg))
            log.warning("traces.told", logger=record.name, text=words)


@contextmanager
def _quietened(talk: _Talk) -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in _CHATTY]
    kept = [(logger.propagate, list(logger.handlers)) for logger in loggers]
    for logger in loggers:
        logger.propagate, logger.handlers[:] = False, [talk]
    try:
        yield
    finally:
        for logger, (is_propagating, handlers) in zip(loggers, kept, strict=True):
            logger.propagate, logger.handlers[:] = is_propagating, handlers
