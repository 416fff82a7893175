"""
`vpn-worker demo`: everything on one machine, real requests becoming real events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from messages.routes import Routes


def demo(
    stay: Annotated[bool, typer.Option("--stay", help="Publish nothing; keep it all running until Ctrl-C.")] = False,
    json: Json = False,
) -> None:
    """
    Start RabbitMQ, a simulated cloud and a worker, publish a batch of orders and show what becomes of each.

    The broker is the one that VPN_WORKER_AMQP_URL names, else a private one that ends with the demonstration.
    """
    import asyncio

    if not asyncio.run(_stay(is_json=json) if stay else _demonstrate(is_json=json)):
        raise typer.Exit(1)


def _talk(line: str) -> None:
    typer.echo(f"  {line}", err=True)


def _folder() -> Path:
    from pathlib import Path

    return Path.cwd() / ".sandbox"


async def _demonstrate(*, is_json: bool) -> bool:
    import os
    import secrets
    from contextlib import nullcontext
    from datetime import UTC, datetime

    from messages.routes import Routes
    from worker.demo.batch import Demonstration, Progress
    from worker.demo.lines import balance_line, order_line
    from worker.demo.orders import demo_orders
    from worker.demo.stage import staged
    from worker.demo.table import show_end, showing

    # On somebody else's broker each demonstration keeps apart, also from others, and leaves nothing behind.
    is_given = bool(os.environ.get("VPN_WORKER_AMQP_URL"))
    prefix = f"vpn-demo-{secrets.token_hex(4)}" if is_given else "vpn"
    async with staged(_folder(), _talk, prefix, {"VPN_WORKER_SHUTDOWN_GRACE_S": "5"}) as stage:
        rows = [Progress(order) for order in demo_orders(datetime.now(UTC))]
        try:
            with nullcontext(lambda: None) if is_json else showing(rows) as changed:
                demonstration = Demonstration(rows, changed)
                await _interruptible(demonstration.run(stage))
            if is_json:
                typer.echo("\n".join([*map(order_line, rows), balance_line(demonstration)]))
            else:
                show_end(demonstration)
        finally:  # also at Ctrl-C and when outcomes are missing
            await stage.worker.stop()
            if is_given:
                await _clean_up(stage.amqp_url, Routes(prefix))
    return demonstration.is_as_expected


async def _interruptible(work: Coroutine[Any, Any, None]) -> None:
    """
    Does the work; a Ctrl-C ends it for certain: on Python 3.11 a `wait_for` in a library may swallow a cancellation.
    """
    import asyncio

    doing = asyncio.create_task(work)
    try:
        await asyncio.shield(doing)
    except asyncio.CancelledError:
        while not doing.done():
            doing.cancel()
            await asyncio.wait({doing}, timeout=1.0)
        raise


async def _clean_up(amqp_url: str, routes: Routes) -> None:
    import asyncio

    from worker.broker.topology import remove_topology
    from worker.errors import BrokerUnreachable

    # A quorum queue that was declared a moment ago may have no leader yet, and cannot be deleted then.
    for wait_s in (1.0, 3.0, None):
        try:
            await remove_topology(amqp_url, routes)
        except BrokerUnreachable as exc:
            if wait_s is None:
                _talk(f"The queues {routes.prefix}.* could not be deleted: {exc}")
                return
            await asyncio.sleep(wait_s)
        else:
            return


async def _stay(*, is_json: bool) -> bool:
    import asyncio
    import os
    import signal
    from pathlib import Path

    from worker.demo.lines import running_line
    from worker.demo.stage import staged
    from worker.demo.table import show_running
    from worker.sandbox.noted import noted

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    prefix = os.environ.get("VPN_WORKER_PREFIX", "vpn")
    async with staged(_folder(), _talk, prefix, {"VPN_WORKER_SHUTDOWN_GRACE_S": "5"}) as stage:
        note = {"amqp_url": stage.amqp_url, "prefix": prefix, "api_url": stage.api_url, "auth": "none"}
        note |= {"ledger_url": stage.ledger_url, "http_url": stage.http_url or ""}
        with noted(Path.cwd(), note):
            typer.echo(running_line(stage)) if is_json else show_running(stage)
            asked = asyncio.ensure_future(stop.wait())
            over = asyncio.ensure_future(stage.until_over())
            waits: set[asyncio.Future[Any]] = {asked, over}
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            is_asked = stop.is_set()
            _talk("Stopping; what is under way has 5 s." if is_asked else over.result())
            for wait in waits:
                wait.cancel()
    return is_asked
