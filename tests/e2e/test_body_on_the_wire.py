"""
What leaves for the cloud is what was asked: seen by a listener that keeps every byte.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aiohttp import web

from tests.e2e.shop import Shop, binary, order

if TYPE_CHECKING:
    from tests.e2e.conftest import StartWorker


async def test_null_stays_null_and_absent_stays_absent(shop: Shop, start_worker: StartWorker) -> None:
    got: list[dict[str, object]] = []

    async def answer(request: web.Request) -> web.Response:
        got.append(json.loads(await request.read()))
        return web.json_response({"vpnservice": {"id": f"s-{len(got)}", "status": "BUILD"}}, status=201)

    app = web.Application()
    app.router.add_post("/v2.0/vpn/vpnservices", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        await start_worker(f"http://127.0.0.1:{runner.addresses[0][1]}", concurrency=1)
        await shop.publish(
            (order("r-1", subnet_id=None, name=None), binary("nulls")),
            (order("r-2"), binary("bare")),
            (b'{"vpnservice":{"name":"\\u00e9","router_id":"r-3","admin_state_up":true}}', binary("escaped")),
        )
        await shop.outcomes(3)
    finally:
        await runner.cleanup()

    assert [
        {"vpnservice": {"router_id": "r-1", "subnet_id": None, "name": None}},
        {"vpnservice": {"router_id": "r-2"}},
        {"vpnservice": {"name": "é", "router_id": "r-3", "admin_state_up": True}},
    ] == got
