"""
The small HTTP server that says whether the worker lives and is ready.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

import orjson
from aiohttp import web

from worker.errors import HealthPortError

_CLOSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Check:
    """
    One thing that must be well for the worker to be ready.

    Attributes:
        is_well: whether it is.
        words: what it is like, for the operator.
    """

    is_well: bool
    words: str


Checks = Callable[[], Mapping[str, Check]]


@asynccontextmanager
async def serve_health(host: str, port: int, checks: Checks) -> AsyncIterator[str]:
    """
    Serves `/live` (200 while the event loop turns) and `/ready` (200, or 503 when a check fails), both as JSON.

    Args:
        host: address to listen on.
        port: 0 takes a free one.
        checks: asked at each call of `/ready`; must not block.

    Yields:
        The server's URL.

    Raises:
        HealthPortError: the port cannot be had.
    """
    app = web.Application()
    app.router.add_get("/live", _live)
    app.router.add_get("/ready", lambda _: _ready(checks))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSE_S)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as exc:
            raise HealthPortError(f"The health port {host}:{port} cannot be had: {exc}.") from exc
        bound = runner.addresses[0]
        yield f"http://{bound[0]}:{bound[1]}"
    finally:
        await runner.cleanup()


async def _live(_: web.Request) -> web.Response:
    return _json({"live": True}, 200)


async def _ready(checks: Checks) -> web.Response:
    found = checks()
    is_ready = all(check.is_well for check in found.values())
    body = {"ready": is_ready, "checks": {name: asdict(check) for name, check in found.items()}}
    return _json(body, 200 if is_ready else 503)


def _json(body: object, status: int) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")
