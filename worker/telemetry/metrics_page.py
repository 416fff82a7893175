"""
The list of metrics in docs/reference/metrics.md, written from their specifications.
"""

from __future__ import annotations

from worker.telemetry.metric_specs import SPECS, Spec


def table() -> str:
    """
    All metrics in Markdown.
    """
    head = "| metric | type | labels | meaning |\n|---|---|---|---|\n"
    return head + "".join(f"{_row(spec)}\n" for spec in SPECS)


def _row(spec: Spec) -> str:
    labels = "<br>".join(_label(name, values) for name, values in spec.labels.items())
    meaning = f"{spec.help} {spec.note}".rstrip()
    return f"| `{spec.full_name}` | {spec.kind} | {labels} | {meaning} |"


def _label(name: str, values: tuple[str, ...]) -> str:
    return f"`{name}`: {', '.join(values)}" if values else f"`{name}`"
