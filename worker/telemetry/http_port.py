"""
The small HTTP server for operators: /live, /startup, /ready and /metrics.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import orjson
from aiohttp import web

from worker.errors import HealthPortError
from worker.telemetry.health import Health
from worker.telemetry.metrics import Metrics

#: What the port answers, for manifests and their tests.
PATHS = ("/live", "/startup", "/ready", "/metrics")
_CLOSE_S = 1.0


@asynccontextmanager
async def serve(
    host: str, port: int, health: Health, metrics: Metrics, parts: Mapping[str, web.Application] | None = None
) -> AsyncIterator[str]:
    """
    Serves, all but the metrics as JSON:

    - `/live`: 200 while the event loop turns, whatever the broker or the cloud do.
    - `/startup`: 200 once the worker has started, 503 before.
    - `/ready`: 200, or 503 when a check fails; with every check.
    - `/metrics`: Prometheus' text, or OpenMetrics.

    Args:
        host: address to listen on.
        port: 0 takes a free one.
        health: asked at each call.
        metrics: asked at each call.
        parts: what else is served, by the beginning of its paths.

    Yields:
        The server's URL.

    Raises:
        HealthPortError: the port cannot be had.
    """

    async def startup(_: web.Request) -> web.Response:
        return _json({"started": health.is_started}, 200 if health.is_started else 503)

    async def ready(_: web.Request) -> web.Response:
        report = health.report()
        return _json(report, 200 if report["ready"] else 503)

    async def tell_metrics(request: web.Request) -> web.Response:
        text, content_type = metrics.text(request.headers.get("Accept", ""))
        return web.Response(body=text, headers={"Content-Type": content_type})

    app = web.Application()
    for path, handler in zip(PATHS, (_live, startup, ready, tell_metrics), strict=True):
        app.router.add_get(path, handler)
    for path, part in (parts or {}).items():
        app.add_subapp(path, part)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSE_S)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as exc:
            raise HealthPortError(f"The health port {host}:{port} cannot be had: {exc}.") from exc
        bound_host, bound_port = runner.addresses[0][:2]
        yield f"http://[{bound_host}]:{bound_port}" if ":" in bound_host else f"http://{bound_host}:{bound_port}"
    finally:
        await runner.cleanup()


async def _live(_: web.Request) -> web.Response:
    return _json({"live": True}, 200)


def _json(body: object, status: int) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")
