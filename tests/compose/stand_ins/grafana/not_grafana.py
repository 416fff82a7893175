"""
NOT Grafana: answers `/api/health` as Grafana does, once what Grafana would be provisioned with is there and can be read.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

PROVISIONING = Path("/etc/grafana/provisioning")


def provisioned() -> dict[str, list[str]]:
    """
    The names of the data sources and the titles of the dashboards.

    Raises:
        Exception: a file is missing or cannot be read.
    """
    sources = [entry["name"] for file in _files("datasources") for entry in file["datasources"]]
    folders = [Path(entry["options"]["path"]) for file in _files("dashboards") for entry in file["providers"]]
    boards = [json.loads(path.read_text()) for folder in folders for path in sorted(folder.glob("*.json"))]
    if not sources or not boards:
        raise LookupError(f"provisioned with {len(sources)} data sources and {len(boards)} dashboards")
    return {"datasources": sources, "dashboards": [board["title"] for board in boards]}


def _files(kind: str) -> list[dict[str, Any]]:
    return [yaml.safe_load(path.read_text()) for path in sorted((PROVISIONING / kind).glob("*.y*ml"))]


class Handler(BaseHTTPRequestHandler):
    """
    `/api/health`, and 404 for everything else.
    """

    def do_GET(self) -> None:
        if self.path != "/api/health":
            self.send_error(404)
            return
        body = json.dumps({"database": "ok", "version": "no Grafana, a stand-in", **FOUND}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """
        Nothing: the health check asks often.
        """


try:
    FOUND = provisioned()
except (OSError, LookupError, ValueError, yaml.YAMLError) as exc:
    sys.exit(f"Grafana would not be provisioned: {exc!r}")
ThreadingHTTPServer(("", 3000), Handler).serve_forever()
