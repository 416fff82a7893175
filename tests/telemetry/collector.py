"""
A collector for spans that come over OTLP/HTTP, in a thread of its own: whoever sends may block the event loop meanwhile.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """
    What was sent to it.

    Attributes:
        url: for OTEL_EXPORTER_OTLP_ENDPOINT.
        status: what it answers.
        calls: how often it was called.
        headers: of the last call, with small letters.
        spans: all that came and were taken.
        resource: of the last that came.
        may_answer: cleared, it lets everybody wait.
    """

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self.calls = 0
        self.headers: dict[str, str] = {}
        self.spans: list[Span] = []
        self.resource: dict[str, str] = {}
        self.may_answer = threading.Event()
        self.may_answer.set()

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        """
        Takes what was sent, and says with which status to answer.
        """
        self.may_answer.wait()
        self.calls += 1
        self.headers = {name.lower(): value for name, value in headers.items()}
        if self.status == 200:
            assert path == "/v1/traces"
            sent = ExportTraceServiceRequest.FromString(body)
            for of_resource in sent.resource_spans:
                self.resource = {pair.key: pair.value.string_value for pair in of_resource.resource.attributes}
                self.spans += [span for of_scope in of_resource.scope_spans for span in of_scope.spans]
        return self.status


@contextmanager
def collecting() -> Iterator[Collector]:
    """
    A collector that listens until the context ends.
    """
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(collector.take(self.path, dict(self.headers), body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        collector.may_answer.set()
        server.shutdown()
        server.server_close()
        thread.join()
