"""
`vpn-worker run`: the worker itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.options import AmqpUrl, Prefix

if TYPE_CHECKING:
    from collections.abc import Coroutine


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
    error; one JSON line on standard output says when the worker has started; whether it is ready, its HTTP port says.
    """
    import asyncio
    import json

    import structlog
    import uvloop

    from worker.app import run_worker
    from worker.errors import VpnWorkerError
    from worker.settings import Settings, load_settings
    from worker.telemetry.logs import configure_logs
    from worker.telemetry.traces import exported_traces

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

    def ready(queue: str, http_url: str | None) -> None:
        told = {"started": True, "queue": queue, "http_url": http_url}
        typer.echo(json.dumps({name: value for name, value in told.items() if value is not None}))

    # Outside the loop: when the last spans are sent, everything else is over.
    with (
        exported_traces(settings.routes.requests_queue),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        try:
            runner.run(_unless_stopped_before(run_worker(settings, ready)))
        except VpnWorkerError as exc:
            # For machines; in plain words, for whoever started it by hand, it is told by the command line.
            structlog.get_logger().error("worker.failed", error=str(exc), exit_status=exc.exit_code)
            raise


async def _unless_stopped_before(work: Coroutine[Any, Any, None]) -> None:
    """
    Ends the work at a SIGTERM that comes before it listens to signals itself.

    The system would end us then, but not as the first process of a container: there nothing would happen until the
    whole grace time is over.
    """
    import asyncio
    import signal

    import structlog

    main = asyncio.current_task()
    was_asked = False

    def stop() -> None:
        nonlocal was_asked
        was_asked = True
        if main is not None:
            main.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    try:
        await work
    except asyncio.CancelledError:
        if not was_asked:
            raise
        structlog.get_logger().info("worker.stopped", words="before it was ready")
