"""
Panels of a Grafana dashboard: what one shows, and the JSON that Grafana reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

#: Which workers: chosen at the top of the dashboard.
CHOSEN = 'job="$job",instance=~"$instance"'
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24
#: Green means well, red means act, in every panel.
GREEN, YELLOW, ORANGE, RED, PURPLE, BLUE, GREY = "green", "yellow", "orange", "red", "purple", "blue", "text"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Query:
    """
    One query, and what its lines are called: `{{outcome}}` is the value of that label.
    """

    expr: str
    legend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """
    One panel.

    Attributes:
        title: above it.
        about: what it shows and how to read it; behind the little i.
        queries: what it asks.
        kind: of Grafana's panels.
        unit: of Grafana's units, such as `s` or `reqps`.
        width: of 24.
        height: in lines of 30 px.
        steps: from which value on which colour; the first begins at minus infinity.
        colours: of lines by their legend.
        words: what a value is called, and its colour.
        is_stacked: lines add up to a whole.
        max_value: upper end of the axis; None lets Grafana choose.
    """

    title: str
    about: str
    queries: Sequence[Query]
    kind: Literal["timeseries", "stat", "state-timeline", "heatmap"] = "timeseries"
    unit: str = "short"
    width: int = 8
    height: int = 8
    steps: Sequence[tuple[float | None, str]] = ((None, GREEN),)
    colours: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    is_stacked: bool = False
    max_value: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """
    Panels below one headline.
    """

    title: str
    panels: Sequence[Panel]


def rate(name: str, by: str = "", more: str = "") -> str:
    """
    A query for how often something happens in a second, summed up by labels.

    Args:
        name: of a counter, without the prefix.
        by: labels to keep apart, with commas between.
        more: further conditions, such as `reason="poison"`.
    """
    return f"sum {_by(by)}(rate(vpn_worker_{name}{{{_chosen(more)}}}[$__rate_interval]))"


def increase(name: str, by: str = "", more: str = "", over: str = "$__rate_interval") -> str:
    """
    A query for how often something happened in each interval, or over the time that is given.
    """
    return f"sum {_by(by)}(increase(vpn_worker_{name}{{{_chosen(more)}}}[{over}]))"


def quantile(share: float, name: str, by: str = "") -> str:
    """
    A query for the value that this share of a histogram does not exceed.
    """
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share:g}, {rate(f'{name}_bucket', labels)})"


def gauge(name: str, over: str = "sum", by: str = "") -> str:
    """
    A query for a gauge: its sum, or another aggregation, over the workers.
    """
    return f"{over} {_by(by)}(vpn_worker_{name}{{{CHOSEN}}})"


def dashboard_json(rows: Sequence[Row]) -> list[Json]:
    """
    The panels of all rows in Grafana's form, each in its place.
    """
    return [{"id": number, **panel} for number, panel in enumerate(_placed(rows), start=1)]


def _by(labels: str) -> str:
    return f"by ({labels}) " if labels else ""


def _chosen(more: str) -> str:
    return f"{CHOSEN},{more}" if more else CHOSEN


def _placed(rows: Sequence[Row]) -> Iterator[Json]:
    top = 0
    for row in rows:
        yield {
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": 1},
            "panels": [],
        }
        top, left, tallest = top + 1, 0, 0
        for panel in row.panels:
            if left + panel.width > COLUMNS:
                top, left, tallest = top + tallest, 0, 0
            place = {"x": left, "y": top, "w": panel.width, "h": panel.height}
            yield {**_panel_json(panel), "gridPos": place}
            left, tallest = left + panel.width, max(tallest, panel.height)
        top += tallest


def _panel_json(panel: Panel) -> Json:
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "targets": [_target(panel, query, place) for place, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": _overrides(panel)},
        "options": _OPTIONS[panel.kind],
    }


def _target(panel: Panel, query: Query, place: int) -> Json:
    return {
        "refId": chr(ord("A") + place),
        "datasource": SOURCE,
        "expr": query.expr,
        "legendFormat": query.legend,
        "format": "heatmap" if panel.kind == "heatmap" else "time_series",
        "range": panel.kind != "stat",
        "instant": panel.kind == "stat",
    }


def _defaults(panel: Panel) -> Json:
    defaults: Json = {
        "unit": panel.unit,
        "min": 0,
        "color": {"mode": "palette-classic" if panel.kind == "timeseries" else "thresholds"},
        "thresholds": {
            "mode": "absolute",
            "steps": [{"value": value, "color": colour} for value, colour in panel.steps],
        },
    }
    if panel.max_value is not None:
        defaults["max"] = panel.max_value
    if panel.words:
        named = {str(value): {"text": text, "color": colour} for value, (text, colour) in panel.words.items()}
        defaults["mappings"] = [{"type": "value", "options": named}]
    if panel.kind == "timeseries":
        defaults["custom"] = {
            "lineWidth": 1,
            "fillOpacity": 30 if panel.is_stacked else 8,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"mode": "normal" if panel.is_stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "line" if len(panel.steps) > 1 else "off"},
        }
    elif panel.kind == "state-timeline":
        defaults["custom"] = {"lineWidth": 0, "fillOpacity": 80}
    return defaults


def _overrides(panel: Panel) -> list[Json]:
    return [
        {
            "matcher": {"id": "byName", "options": name},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
        }
        for name, colour in panel.colours.items()
    ]


_LIST = {"displayMode": "list", "placement": "bottom", "showLegend": True}
_OPTIONS: dict[str, Json] = {
    "timeseries": {
        "legend": {**_LIST, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "none",
        "textMode": "auto",
        "justifyMode": "center",
        "orientation": "auto",
    },
    "state-timeline": {
        "legend": _LIST,
        "mergeValues": True,
        "rowHeight": 0.8,
        "showValue": "never",
        "tooltip": {"mode": "single"},
    },
    "heatmap": {
        "calculate": False,
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5, "fill": "dark-orange"},
        "yAxis": {"unit": "s", "axisPlacement": "left"},
        "rowsFrame": {"layout": "auto"},
        "cellGap": 1,
        "legend": {"show": True},
        "tooltip": {"mode": "single", "yHistogram": False},
        "filterValues": {"le": 1e-9},
    },
}
