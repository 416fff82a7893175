"""
`vpn-worker topology`: our exchanges and queues at the broker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from worker.cli.options import AmqpUrl, Json, ManagementUrl, Prefix
from worker.cli.pages import SET_UP, Group, Page

if TYPE_CHECKING:
    from worker.broker.comparing import Compared

topology_app = typer.Typer(cls=Group, help="Our exchanges and queues at the broker.", rich_markup_mode=None)


@topology_app.callback()
def _topology() -> None:
    """
    Our exchanges and queues at the broker.
    """


@topology_app.command(cls=Page, rich_help_panel=SET_UP, short_help="what will be declared at RabbitMQ")
def plan(prefix: Prefix = None, json: Json = False) -> None:
    """
    Show what `apply` declares, with every argument; needs no broker.

    The same for RabbitMQ 3.10 and later and for 4.x.
    """
    from worker.broker.topology import topology
    from worker.cli.broker_settings import broker_settings
    from worker.cli.topology_text import plan_lines, plan_rows

    wanted = topology(broker_settings(None, prefix).routes)
    for line in plan_rows(wanted) if json else plan_lines(wanted):
        typer.echo(line)


@topology_app.command(cls=Page, rich_help_panel=SET_UP, short_help="what is missing at RabbitMQ, or differs")
def diff(
    json: Json = False,
    management_url: ManagementUrl = None,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
) -> None:
    """
    Compare what the broker has with what `plan` shows; changes nothing.

    Exit status: 0 nothing differs, 1 something is missing, 4 something exists with other arguments. Over AMQP alone,
    arguments can be compared by a user who may configure these names, and bindings by nobody.
    """
    import asyncio

    from worker.broker.comparing import compare_topology
    from worker.cli.broker_settings import broker_settings
    from worker.cli.topology_text import advice, diff_lines, diff_rows

    settings = broker_settings(amqp_url, prefix, management_url)
    management = settings.management_url
    compared = asyncio.run(
        compare_topology(
            settings.amqp_url.get_secret_value(),
            settings.routes,
            None if management is None else management.get_secret_value(),
        )
    )
    for line in diff_rows(compared) if json else diff_lines(compared):
        typer.echo(line)
    for line in advice(compared):
        typer.echo(line, err=True)
    raise typer.Exit(_status(compared))


@topology_app.command(cls=Page, rich_help_panel=SET_UP, short_help="declare exchanges and queues at RabbitMQ")
def apply(
    json: Json = False,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
) -> None:
    """
    Declare every exchange, queue and binding that is missing; safe to repeat.

    A worker does this by itself when its user may; run it once beforehand when the worker's user may not.
    """
    import asyncio

    from worker.broker.topology import Applied, apply_topology
    from worker.cli.broker_settings import broker_settings
    from worker.cli.topology_text import applied_row

    def told(applied: Applied) -> None:
        typer.echo(applied_row(applied) if json else applied)

    settings = broker_settings(amqp_url, prefix)
    asyncio.run(apply_topology(settings.amqp_url.get_secret_value(), settings.routes, told))


def _status(compared: tuple[Compared, ...]) -> int:
    from worker.broker.comparing import Standing
    from worker.errors import TopologyMismatch

    standings = {one.standing for one in compared}
    if Standing.DIFFERS in standings:
        return TopologyMismatch.exit_code
    return 1 if Standing.MISSING in standings else 0
