"""
Traces: the spans that flows and edges open, on the OpenTelemetry API alone; see `docs/how-to/tracing.md`.

Off, the default, nothing of OpenTelemetry is imported: each call here gives one and the same thing that does nothing.
"""

from worker.tracing.switch import begin, calling, here, link, processing, publishing, traced_by

__all__ = ["begin", "calling", "here", "link", "processing", "publishing", "traced_by"]
