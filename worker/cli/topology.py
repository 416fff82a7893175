"""
`vpn-worker topology`: our exchanges and queues at the broker.
"""

from __future__ import annotations

import typer

from worker.cli.options import AmqpUrl, Prefix

topology_app = typer.Typer(no_args_is_help=True, help="Our exchanges and queues at the broker.", rich_markup_mode=None)


@topology_app.callback()
def _topology() -> None:
    """
    Our exchanges and queues at the broker.
    """


@topology_app.command()
def apply(
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
) -> None:
    """
    Declare every exchange, queue and binding that is missing; safe to repeat.

    A worker does this by itself when its user may; run it once beforehand when the worker's user may not.
    """
    import asyncio

    from worker.broker.topology import apply_topology
    from worker.cli.broker_settings import broker_settings

    settings = broker_settings(amqp_url, prefix)
    asyncio.run(apply_topology(settings.amqp_url.get_secret_value(), settings.routes, typer.echo))
