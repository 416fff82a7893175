"""
The list of metrics in docs/reference/metrics.md, written from their specifications.
"""

from __future__ import annotations

import sys
from pathlib import Path

from worker.telemetry.metric_specs import SPECS, Spec

BEGIN = "<!-- The list up to its end is written by `make docs` from worker/telemetry/metric_specs.py. -->"
END = "<!-- End of the list. -->"


def written(page: str) -> str:
    """
    The page with its list of metrics written anew; what stands around it stays.

    Raises:
        ValueError: the page has no such list.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError("The page has no list of metrics between its two comments.")
    return f"{before}{BEGIN}\n\n{table()}\n{END}{after}"


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


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")
