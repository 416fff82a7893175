"""
The spans, as OpenTelemetry's semantic conventions for HTTP clients and for messaging with RabbitMQ (1.44) have
them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any, Protocol, TypeVar

import structlog
from opentelemetry import baggage
from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    Span,
    SpanContext,
    SpanKind,
    TracerProvider,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from yarl import URL

from worker.facts import Fact
from worker.ports import Delivery
from worker.tracing.marks import TOLD, failed

log = structlog.get_logger()

T = TypeVar("T")

_NO_SPAN: Span = INVALID_SPAN

_TRACE_HEADERS = ("traceparent", "tracestate")
_ABOUT = {
    "request_id": "messaging.message.id",
    "request_source": "vpn_worker.request.source",
    "correlation_id": "messaging.message.conversation_id",
    "router_id": "vpn_worker.router.id",
    "tenant_id": "vpn_worker.tenant.id",
}


class Carrying(Protocol):
    """
    What a publish span needs of a message.
    """

    headers: Any
    body: bytes
    message_id: str | None
    correlation_id: str | None


@dataclass(slots=True)
class _UnderWay:
    """
    A delivery that is processed, in its own task.

    Attributes:
        began_ns: when it was taken, since the epoch.
        span: once its message has been read.
        token: to take the span out of the context again.
        is_root: the request came without a trace, so this is where its trace begins.
    """

    began_ns: int
    span: Span | None = None
    token: Token[Context] | None = None
    is_root: bool = False


_UNDER_WAY: ContextVar[_UnderWay | None] = ContextVar("under_way", default=None)


class Spans:
    """
    Opens spans, and marks them with what the facts say. One serves all tasks.

    Args:
        provider: of OpenTelemetry; decides what is sampled and where the spans go.
        queue: the work queue.
        propagators: how contexts are read and written. Baggage goes on to the events, and never to the cloud: it may
            hold anything, and the cloud is somebody else's.
    """

    def __init__(
        self,
        provider: TracerProvider,
        queue: str,
        propagators: Sequence[TextMapPropagator] = (TraceContextTextMapPropagator(),),
    ) -> None:
        self._tracer = provider.get_tracer("vpn-worker", version("vpn-worker"))
        self._queue = queue
        self._propagators = tuple(propagators)
        self._is_trouble_told = False
        self._fields = frozenset().union(*(one.fields for one in propagators))

    def heed(self, fact: Fact) -> None:
        """
        A hook for facts: marks the span at hand.
        """
        tell = TOLD.get(type(fact))
        if tell is not None and (span := get_current_span()).is_recording():
            tell(span, fact)

    @contextmanager
    def processing(self) -> Iterator[None]:
        """
        See worker.tracing.switch.
        """
        under_way = _UnderWay(time.time_ns())
        token = _UNDER_WAY.set(under_way)
        try:
            yield
        except BaseException as exc:
            if under_way.span is not None:
                failed(under_way.span, type(exc).__name__)
            raise
        finally:
            _UNDER_WAY.reset(token)
            if under_way.span is not None and under_way.token is not None:
                under_way.span.end()
                detach(under_way.token)

    def begin(
        self, about: Mapping[str, str | None], trace: tuple[str | None, str | None], delivery: Delivery
    ) -> str | None:
        """
        See worker.tracing.switch.
        """
        under_way = _UNDER_WAY.get()
        if under_way is None or under_way.span is not None:
            return None
        context = self._context_of(delivery.envelope.headers, trace)
        sender = get_current_span(context).get_span_context()
        attributes = self._of_delivery(delivery)
        attributes |= {_ABOUT[name]: value for name, value in about.items() if value is not None and name in _ABOUT}
        span = self._quietly(
            lambda: self._tracer.start_span(
                f"process {self._queue}",
                context,
                SpanKind.CONSUMER,
                attributes,
                [Link(sender)] if sender.is_valid else None,
                start_time=under_way.began_ns,
            ),
            _NO_SPAN,
        )
        if not span.get_span_context().is_valid:
            return None
        under_way.span = span
        under_way.is_root = not sender.is_valid
        under_way.token = attach(set_span_in_context(span, context))
        return format_trace_id(span.get_span_context().trace_id)

    def here(self) -> SpanContext:
        """
        See worker.tracing.switch.
        """
        return get_current_span().get_span_context()

    def link(self, other: object) -> None:
        """
        See worker.tracing.switch.
        """
        if isinstance(other, SpanContext) and other.is_valid:
            get_current_span().add_link(other)

    @contextmanager
    def calling(
        self, method: str, url: URL, headers: dict[str, str], *, template: str = "", resends: int = 0
    ) -> Iterator[None]:
        """
        See worker.tracing.switch.
        """
        attributes: dict[str, str | int] = {
            "http.request.method": method,
            "server.address": url.host or "",
            "server.port": url.port or 0,
            "url.full": str(url.with_user(None) if url.user or url.password else url),
        }
        if template:
            attributes["url.template"] = template
        if resends:
            attributes["http.request.resend_count"] = resends
        with self._opened(f"{method} {template}" if template else method, None, SpanKind.CLIENT, attributes):
            without_baggage = baggage.clear(get_current())
            for propagator in self._propagators:
                self._quietly(partial(propagator.inject, headers, without_baggage), None)
            yield

    @contextmanager
    def publishing(
        self, exchange: str, routing_key: str, message: Carrying, *, is_copy: bool = False
    ) -> Iterator[None]:
        """
        See worker.tracing.switch.
        """
        attributes: dict[str, str | int] = {
            "messaging.system": "rabbitmq",
            "messaging.operation.name": "publish",
            "messaging.operation.type": "send",
            "messaging.destination.name": _joined(exchange, routing_key),
            "messaging.rabbitmq.destination.routing_key": routing_key,
            "messaging.message.id": str(message.headers.get("ce-id") or message.message_id),
            "messaging.message.body.size": len(message.body),
        }
        if message.correlation_id is not None:
            attributes["messaging.message.conversation_id"] = message.correlation_id
        context = None
        if not self.here().is_valid:  # of no delivery under way: the message itself says which trace it belongs to
            context = self._context_of(message.headers)
        under_way = _UNDER_WAY.get()
        is_marked = not is_copy or (under_way is not None and under_way.is_root)
        with self._opened(f"publish {exchange or 'amq.default'}", context, SpanKind.PRODUCER, attributes):
            if is_marked:
                self._write(message.headers)
            yield

    @contextmanager
    def _opened(
        self, name: str, context: Context | None, kind: SpanKind, attributes: Mapping[str, str | int]
    ) -> Iterator[None]:
        # The API's own context manager would record exceptions with their texts: those of libraries may hold secrets.
        span = self._quietly(lambda: self._tracer.start_span(name, context, kind, attributes), _NO_SPAN)
        token = attach(set_span_in_context(span, context))
        try:
            yield
        except BaseException as exc:
            failed(span, type(exc).__name__)
            raise
        finally:
            span.end()
            detach(token)

    def _context_of(self, headers: Mapping[str, object], trace: tuple[str | None, str | None] | None = None) -> Context:
        """
        The context that a message came with; `trace` is what the contract reads as its traceparent and tracestate.
        """
        carrier = {name: value for name in self._fields if isinstance(value := headers.get(name), str)}
        if trace is not None:
            for name, value in zip(_TRACE_HEADERS, trace, strict=True):
                carrier.pop(name, None)
                if value is not None:
                    carrier[name] = value
        context = Context()
        for propagator in self._propagators:
            known = context
            context = self._quietly(partial(propagator.extract, carrier, known), known)
        return context

    def _quietly(self, act: Callable[[], T], otherwise: T) -> T:
        """
        What a library gives; when it raises, `otherwise`: no request may fail for being traced.
        """
        try:
            return act()
        except Exception:
            if not self._is_trouble_told:
                self._is_trouble_told = True
                log.exception("trace.not_kept")
            return otherwise

    def _write(self, headers: MutableMapping[str, object]) -> None:
        written: dict[str, str] = {}
        for propagator in self._propagators:
            self._quietly(partial(propagator.inject, written), None)
        if "traceparent" in written:
            headers.pop("tracestate", None)
        headers.update(written)

    def _of_delivery(self, delivery: Delivery) -> dict[str, str | int]:
        return {
            "messaging.system": "rabbitmq",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": _joined(delivery.exchange, delivery.routing_key, self._queue),
            "messaging.rabbitmq.destination.routing_key": delivery.routing_key,
            "messaging.rabbitmq.message.delivery_tag": delivery.tag,
            "messaging.message.body.size": len(delivery.envelope.body),
            "vpn_worker.redelivered": delivery.is_redelivered,
        }


def _joined(*names: str) -> str:
    """
    As the conventions for RabbitMQ name a destination: exchange, routing key and queue, what is empty left out.
    """
    return ":".join(name for name in names if name)
