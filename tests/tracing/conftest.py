"""
A worker in the test's own process whose spans are kept in memory, and a front before the cloud that hears its headers.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, format_span_id, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from messages.routes import Routes
from tests.e2e.conftest import cloud, eventually, shop, start_cloud, topology
from tests.e2e.shop import binary
from tests.e2e.test_bad_clouds import Front
from worker.app import run_worker
from worker.settings import Settings, load_settings
from worker.tracing import traced_by
from worker.tracing.spans import Spans

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    import pika
    from aiohttp import web

    from worker.simulator import Simulator

__all__ = ["cloud", "shop", "start_cloud", "topology"]  # fixtures of the tests of the whole, wanted here too

#: What a publisher sends: its trace, its span, sampled.
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


def asked(identity: str, traceparent: str | None = TRACEPARENT, **headers: object) -> pika.BasicProperties:
    """
    Properties of a request that carries a trace context.
    """
    properties = binary(identity)
    properties.correlation_id = "batch-1"
    context = {} if traceparent is None else {"traceparent": traceparent}
    carried: Any = dict(properties.headers or {}) | context | headers
    properties.headers = carried
    return properties


def ids_of(span: ReadableSpan) -> tuple[str, str]:
    """
    A span's trace id and its own, as W3C Trace Context writes them.
    """
    return format_trace_id(span.context.trace_id), format_span_id(span.context.span_id)


def parent_of(span: ReadableSpan) -> str | None:
    """
    The id of a span's parent.
    """
    return format_span_id(span.parent.span_id) if span.parent else None


def traceparent_of(span: ReadableSpan) -> str:
    """
    What a sampled span writes into headers.
    """
    return f"00-{'-'.join(ids_of(span))}-01"


def attributes(span: ReadableSpan) -> dict[str, Any]:
    """
    What is told of a span.
    """
    return dict(span.attributes or {})


class Traced:
    """
    What a process has traced, kept in memory.
    """

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    @contextmanager
    def on(self, queue: str) -> Iterator[None]:
        """
        Has this process trace.
        """
        propagators = (TraceContextTextMapPropagator(), W3CBaggagePropagator())
        with traced_by(Spans(self.provider, queue, propagators)):
            yield

    def ended(self, kind: SpanKind | None = None) -> list[ReadableSpan]:
        """
        The spans that have ended, or those of one kind, in the order in which they began.
        """
        spans = [span for span in self._exporter.get_finished_spans() if kind in {None, span.kind}]
        return sorted(spans, key=lambda span: span.start_time or 0)

    async def until(self, kind: SpanKind, count: int = 1, timeout_s: float = 20.0) -> list[ReadableSpan]:
        """
        The spans of one kind, once so many have ended; more are an error.
        """
        await eventually(lambda: len(self.ended(kind)) >= count, f"{count} spans of kind {kind.name}", timeout_s)
        assert count == len(self.ended(kind))
        return self.ended(kind)


@pytest.fixture
def traced() -> Traced:
    """
    Where spans go; nothing is traced yet.
    """
    return Traced()


class Hearing:
    """
    Passes calls on to the cloud, and keeps the headers of each.
    """

    def __init__(self, url: str) -> None:
        self.heard: list[dict[str, str]] = []
        self.front = Front(url, self._hear)

    async def _hear(self, request: web.Request) -> web.StreamResponse:
        self.heard.append({name.lower(): value for name, value in request.headers.items()})
        return await self.front.pass_on(request)


@pytest.fixture
async def hearing(cloud: Simulator) -> AsyncIterator[Hearing]:
    """
    A front before the simulated cloud.
    """
    async with AsyncExitStack() as stack:
        hearing = Hearing(cloud.url)
        await hearing.front.serve(stack)
        yield hearing


@pytest.fixture
async def work(
    amqp_url: str, prefix: str, topology: None, tmp_path: Path
) -> AsyncIterator[Callable[..., Awaitable[str]]]:
    """
    Starts a worker in this process that is consuming when this returns, with its work queue; settings as keywords.
    """
    async with AsyncExitStack() as stack:

        async def start(api_url: str, traced: Traced | None = None, **settings: object) -> str:
            flags: dict[str, object] = {
                "amqp_url": amqp_url,
                "api_url": api_url,
                "auth": "none",
                "prefix": prefix,
                "ledger_url": f"sqlite:///{tmp_path / 'ledger.sqlite3'}",
            }
            queue = Routes(prefix).requests_queue
            if traced is not None:
                stack.enter_context(traced.on(queue))
            ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            running = asyncio.create_task(
                run_worker(load_settings(flags | settings, Settings), lambda name, _: ready.set_result(name))
            )

            async def end() -> None:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

            stack.push_async_callback(end)
            running.add_done_callback(lambda _: ready.done() or ready.cancel())
            try:
                async with asyncio.timeout(20):
                    return await ready
            except asyncio.CancelledError:
                running.result()  # why it did not start
                raise

        yield start
