"""
docs/reference/metrics.md: its list is that of the code, and its queries name what there is.
"""

from __future__ import annotations

import re
from pathlib import Path

from worker.core.causes import Cause, Resolution
from worker.telemetry.metric_specs import REQUEST_BUCKETS, SPECS
from worker.telemetry.metrics_page import table

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
TEXT = PAGE.read_text(encoding="utf-8")
SERIES = {
    spec.full_name + suffix
    for spec in SPECS
    for suffix in (("_bucket", "_sum", "_count") if spec.kind == "histogram" else ("",))
}


def test_every_metric_stands_in_it_once() -> None:
    assert [spec.full_name for spec in SPECS] == re.findall(r"^\| `(vpn_worker_\w+)`", TEXT, re.MULTILINE)


def test_every_query_asks_for_series_and_labels_that_there_are() -> None:
    queries = "\n".join(re.findall(r"```promql\n(.*?)```", TEXT, re.DOTALL))
    asked = set(re.findall(r"vpn_worker_\w+", queries))
    wanted = {spec.full_name + suffix: spec for spec in SPECS for suffix in ("", "_bucket", "_sum", "_count")}
    faults = [
        (series, name)
        for series, matchers in re.findall(r"(vpn_worker_\w+)\{([^}]*)\}", queries)
        for name in re.findall(r"(\w+)[!=]", matchers)
        if name not in {*wanted[series].labels, "le"}
    ]

    assert len(asked) > 10
    assert set() == asked - SERIES
    assert [] == faults


def test_the_words_for_labels_and_buckets_are_complete() -> None:
    assert {cause.value for cause in Cause} | {one.value for one in Resolution} <= set(
        re.findall(r"^\| `(\w+)` \| \w", TEXT, re.MULTILINE)
    )
    assert ", ".join(f"{bound:g}" for bound in REQUEST_BUCKETS) in TEXT


def test_a_table_cell_holds_no_bar_that_would_end_it() -> None:
    assert {5} == {line.count("|") for line in table().splitlines()}
