"""
`vpn-worker run`: the worker itself.
"""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.options import AmqpUrl, Prefix


def run(
    amqp_url: AmqpUrl = None,
    api_url: Annotated[str | None, typer.Option(envvar="VPN_WORKER_API_URL", help="The cloud's endpoint.")] = None,
    auth: Annotated[str | None, typer.Option(envvar="VPN_WORKER_AUTH", help="token, aksk or none.")] = None,
    ledger_url: Annotated[str | None, typer.Option(envvar="VPN_WORKER_LEDGER_URL", help="Where jobs are kept.")] = None,
    prefix: Prefix = None,
    concurrency: Annotated[str | None, typer.Option(envvar="VPN_WORKER_CONCURRENCY", help="Requests at once.")] = None,
    log_level: Annotated[
        str | None, typer.Option(envvar="VPN_WORKER_LOG_LEVEL", help="The least level logged.")
    ] = None,
    log_format: Annotated[str | None, typer.Option(envvar="VPN_WORKER_LOG_FORMAT", help="auto, json or text.")] = None,
) -> None:
    """
    Take requests, create services, publish events, until SIGTERM or Ctrl-C.

    Every setting can come from the environment: `vpn-worker settings` lists them all. Logs go to standard
    error; one JSON line on standard output says when the worker is ready.
    """
    import asyncio
    import json

    import uvloop

    from worker.app import run_worker
    from worker.settings import Settings, load_settings
    from worker.telemetry.logs import configure_logs

    # As texts: the settings check them all, and report every fault at once.
    flags = {
        "amqp_url": amqp_url,
        "api_url": api_url,
        "auth": auth,
        "ledger_url": ledger_url,
        "prefix": prefix,
        "concurrency": concurrency,
        "log_level": log_level,
        "log_format": log_format,
    }
    settings = load_settings(flags, Settings)
    configure_logs(settings.log_level, settings.log_format)

    def ready(queue: str) -> None:
        typer.echo(json.dumps({"ready": True, "queue": queue}))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run_worker(settings, ready))
