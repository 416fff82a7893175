"""
What queries name: metrics, labels and values, read from their text; and what there is to name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.utils import floatToGoString

from worker.telemetry.metric_specs import SPECS, Spec
from worker.telemetry.metrics import Metrics

ROOT = Path(__file__).resolve().parents[2]
RULES_FILE = ROOT / "deploy/prometheus/alerts.yml"
#: Labels that Prometheus itself gives each series.
TARGET_LABELS = frozenset({"job", "instance"})
_RECORDED = r"[a-z_]+:\w+:\w+"
_SELECTOR = re.compile(rf"\b({_RECORDED}|(?:vpn_worker|process)_\w+|up|ALERTS)\b(?:\{{([^}}]*)\}})?")
_CONDITION = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_KEPT = re.compile(r"\b(?:by|on|group_left|group_right)\s*\(([^)]*)\)")


@dataclass(frozen=True, slots=True)
class Selector:
    """
    A metric in a query, and the values that its labels are compared with; patterns are taken apart at each `|`.
    """

    metric: str
    conditions: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Known:
    """
    A metric that can be asked for: its labels, with all their values where they are known beforehand.
    """

    labels: Mapping[str, frozenset[str]] = field(default_factory=dict)


def selectors(expr: str) -> Iterator[Selector]:
    """
    Every metric that a query names.
    """
    for metric, inside in _SELECTOR.findall(expr):
        yield Selector(
            metric, {label: frozenset(value.split("|")) for label, _, value in _CONDITION.findall(inside or "")}
        )


def kept_labels(expr: str) -> frozenset[str]:
    """
    Every label that a query keeps or joins by.
    """
    return frozenset(label.strip() for inside in _KEPT.findall(expr) for label in inside.split(",") if label.strip())


@cache
def known_metrics() -> Mapping[str, Known]:
    """
    What the worker's /metrics can show, what the rules record, and what Prometheus makes itself.
    """
    known = {name: metric for spec in SPECS for name, metric in _of_spec(spec)}
    for family in text_string_to_metric_families(Metrics().text()[0].decode()):
        if family.name.startswith("process_"):
            known.update({sample.name: Known() for sample in family.samples})
    for rule in rules():
        if "record" in rule:
            known[rule["record"]] = Known(dict.fromkeys(kept_labels(rule["expr"]), frozenset()))
    return known | {"up": Known(), "ALERTS": Known(dict.fromkeys(("alertname", "alertstate"), frozenset()))}


def faults_of(expr: str) -> list[str]:
    """
    Everything a query names that there is not.
    """
    faults = []
    labels: set[str] = set(TARGET_LABELS)
    for selector in selectors(expr):
        if (metric := known_metrics().get(selector.metric)) is None:
            faults.append(f"no metric {selector.metric}")
            continue
        labels |= metric.labels.keys()
        for label, values in selector.conditions.items():
            if label not in TARGET_LABELS | metric.labels.keys():
                faults.append(f"{selector.metric} has no label {label}")
            elif there_are := metric.labels.get(label):
                faults += [f"{selector.metric} has never {label}={value}" for value in values - there_are]
    return faults + [f"no label {label}" for label in kept_labels(expr) - labels]


def rules() -> list[dict[str, Any]]:
    """
    Every rule of alerts.yml.
    """
    return [rule for group in yaml.safe_load(RULES_FILE.read_text("utf-8"))["groups"] for rule in group["rules"]]


def _of_spec(spec: Spec) -> Iterator[tuple[str, Known]]:
    labels = {label: frozenset(values) for label, values in spec.labels.items()}
    if spec.kind != "histogram":
        yield spec.full_name, Known(labels)
        return
    yield f"{spec.full_name}_sum", Known(labels)
    yield f"{spec.full_name}_count", Known(labels)
    bounds = frozenset(_bound(bound) for bound in (*spec.buckets, float("inf")))
    yield f"{spec.full_name}_bucket", Known(labels | {"le": bounds})


def _bound(value: float) -> str:
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]
