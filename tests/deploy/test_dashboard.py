"""
The dashboard: written anew with its source, about metrics that there are, and about all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from deploy.grafana.dashboard import FILE, ROWS, dashboard, text
from deploy.grafana.panels import CHOSEN, COLUMNS
from tests.deploy.queries import ROOT, TARGET_LABELS, faults_of, selectors
from worker.telemetry.metric_specs import SPECS

PANELS: list[dict[str, Any]] = [panel for panel in dashboard()["panels"] if panel["type"] != "row"]
QUERIES = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]


def test_the_file_is_up_to_date() -> None:
    assert text() == FILE.read_text("utf-8"), "run: make dashboard"


@pytest.mark.parametrize(("title", "expr"), QUERIES)
def test_a_query_names_only_what_there_is(title: str, expr: str) -> None:
    assert [] == faults_of(expr)


def test_marks_and_choices_name_only_what_there_is() -> None:
    marks = [mark["expr"] for mark in dashboard()["annotations"]["list"]]
    choices = [variable["query"]["query"] for variable in dashboard()["templating"]["list"][1:]]

    for expr in marks + choices:
        assert list(selectors(expr))
        assert [] == faults_of(expr)


@pytest.mark.parametrize(("title", "expr"), QUERIES)
def test_a_query_heeds_the_choice_of_workers(title: str, expr: str) -> None:
    for selector in selectors(expr):
        assert selector.metric == "ALERTS" or selector.conditions.keys() >= TARGET_LABELS


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_every_metric_is_shown(spec: Any) -> None:
    shown = {selector.metric for _, expr in QUERIES for selector in selectors(expr)}

    assert {spec.full_name + ending for ending in ("", "_bucket", "_count", "_sum")} & shown


def test_no_two_panels_are_in_one_place() -> None:
    places = [place for panel in dashboard()["panels"] for place in _squares(panel["gridPos"])]

    assert len(set(places)) == len(places)
    assert all(column < COLUMNS for column, _ in places)


def test_panels_are_told_apart_and_explained() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    for row in ROWS:
        assert len({panel.title for panel in row.panels}) == len(row.panels)
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert all(target["legendFormat"] for target in panel["targets"])


def test_the_choices_are_those_of_the_queries() -> None:
    names = [variable["name"] for variable in dashboard()["templating"]["list"]]

    assert ["datasource", "job", "instance"] == names
    assert 'job="$job",instance=~"$instance"' == CHOSEN


def test_grafana_is_told_of_prometheus_and_of_the_dashboards() -> None:
    folder = ROOT / "deploy/grafana/provisioning"
    (source,) = yaml.safe_load((folder / "datasources/prometheus.yml").read_text("utf-8"))["datasources"]
    (provider,) = yaml.safe_load((folder / "dashboards/vpn-worker.yml").read_text("utf-8"))["providers"]

    assert ("prometheus", "http://prometheus:9090") == (source["type"], source["url"])
    assert ("file", "/var/lib/grafana/dashboards") == (provider["type"], provider["options"]["path"])


def _squares(place: dict[str, int]) -> Iterator[tuple[int, int]]:
    for column in range(place["x"], place["x"] + place["w"]):
        for line in range(place["y"], place["y"] + place["h"]):
            yield column, line
