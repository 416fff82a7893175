"""
The dashboard of the workers. `python -m deploy.grafana.dashboard` writes dashboards/vpn-worker.json anew.
"""

from __future__ import annotations

import json
from pathlib import Path

from deploy.grafana.panels import CHOSEN, RED, SOURCE, Json, dashboard_json
from deploy.grafana.parts_rows import FOLLOWING, LEDGER, PROCESS, RABBITMQ
from deploy.grafana.work_rows import CLOUD, OVERVIEW, REQUESTS

FILE = Path(__file__).parent / "dashboards" / "vpn-worker.json"
ROWS = (OVERVIEW, REQUESTS, CLOUD, RABBITMQ, LEDGER, FOLLOWING, PROCESS)


def dashboard() -> Json:
    """
    The whole dashboard in Grafana's form.
    """
    return {
        "uid": "vpn-worker",
        "title": "VPN worker",
        "description": "Requests for VPN services: from RabbitMQ to the cloud and back as events.",
        "tags": ["vpn-worker"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": _variables()},
        "annotations": {"list": [_annotation("Restarts", f"changes(process_start_time_seconds{{{CHOSEN}}}[2m]) > 0")]},
        "links": [],
        "panels": dashboard_json(ROWS),
    }


def _variables() -> list[Json]:
    return [
        {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "current": {}},
        {
            **_labels("job", "Installation", "label_values(vpn_worker_build_info, job)"),
            "current": {"text": "vpn-worker", "value": "vpn-worker"},
        },
        {
            **_labels("instance", "Worker", 'label_values(vpn_worker_build_info{job="$job"}, instance)'),
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": ["All"], "value": ["$__all"]},
        },
    ]


def _labels(name: str, label: str, query: str) -> Json:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,  # with each change of the time range: workers come and go
        "sort": 1,
    }


def _annotation(name: str, expr: str) -> Json:
    return {
        "name": name,
        "datasource": SOURCE,
        "enable": True,
        "expr": expr,
        "iconColor": RED,
        "titleFormat": "{{instance}} was restarted",
    }


def text() -> str:
    """
    The file's content.
    """
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
