"""
Switches traces on where OpenTelemetry's usual variables ask for them. Nothing that goes wrong here stops the worker.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import structlog

from worker.tracing import traced_by

if TYPE_CHECKING:
    from opentelemetry.propagators.textmap import TextMapPropagator

log = structlog.get_logger()

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_HTTP = "http/protobuf"
_PROPAGATORS = "tracecontext,baggage"


@contextmanager
def exported_traces(queue: str) -> Iterator[None]:
    """
    Has this process trace and send its spans to a collector, if the environment asks for it, until the context ends;
    what is left then is sent within a few seconds, or dropped.

    Args:
        queue: the work queue, for the names of spans.
    """
    if not _is_wanted():
        yield
        return
    try:
        from worker.telemetry.span_export import exporting  # noqa: PLC0415 - the SDK is an extra
        from worker.tracing.spans import Spans  # noqa: PLC0415 - not even the API is loaded unless it is used
    except ImportError as exc:
        log.warning("traces.not_installed", error=str(exc), remedy="pip install 'vpn-worker[otel]'")
        yield
        return
    with exporting() as provider:
        if provider is None:
            yield
            return
        with traced_by(Spans(provider, queue, _propagators())):
            yield


def _is_wanted() -> bool:
    if _asked("OTEL_SDK_DISABLED").lower() == "true":
        return False
    exporters = [name.strip() for name in _asked("OTEL_TRACES_EXPORTER").lower().split(",") if name.strip()]
    if "none" in exporters or not (exporters or any(_asked(name) for name in _ENDPOINTS)):
        return False
    if strange := [name for name in exporters if name != "otlp"]:
        return _refuse("OTEL_TRACES_EXPORTER", ",".join(strange), "otlp, or none")
    protocol = next((asked for name in _PROTOCOLS if (asked := _asked(name))), _HTTP)
    if protocol.lower() != _HTTP:
        return _refuse(
            "OTEL_EXPORTER_OTLP_PROTOCOL", protocol, f"{_HTTP}: collectors take it on port 4318, grpc is on 4317"
        )
    return True


def _refuse(name: str, value: str, remedy: str) -> bool:
    log.warning("traces.not_supported", name=name, value=value, remedy=remedy)
    return False


def _propagators() -> list[TextMapPropagator]:
    names = [name.strip().lower() for name in (_asked("OTEL_PROPAGATORS") or _PROPAGATORS).split(",")]
    if "none" in names:
        return []
    found: list[TextMapPropagator] = []
    for name in dict.fromkeys(filter(None, names)):
        entry = next(iter(entry_points(group="opentelemetry_propagator", name=name)), None)
        if entry is None:
            log.warning(
                "traces.propagator_unknown",
                name=name,
                remedy="install the package that has it, or see OTEL_PROPAGATORS",
            )
        else:
            found.append(entry.load()())
    return found


def _asked(name: str) -> str:
    return os.environ.get(name, "").strip()
