"""
`vpn-worker check`: whether a worker could do its work here, before it has to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.completion_values import AREAS
from worker.cli.options import AmqpUrl, LedgerUrl, ManagementUrl, Prefix

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.cli.check_text import Told

#: What faults of queues that differ are of.
_QUEUES = ("queue ", "exchange ", "binding ")


def check(
    amqp_url: AmqpUrl = None,
    ledger_url: LedgerUrl = None,
    prefix: Prefix = None,
    management_url: ManagementUrl = None,
    only: Annotated[
        str | None, typer.Option(help=f"Areas with commas between: {', '.join(AREAS)}. Default: all.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON lines, for programs.")] = False,
) -> None:
    """
    Look at everything a worker needs, change nothing, and say what is wrong with the remedy.

    Looked at are the settings, this installation, the broker, the ledger, and the cloud as each account: one login
    each. Exit status: 0 all well (there may be warnings), 2 settings, 3 broker, 4 queues differ, 5 ledger, 1 anything
    else; the first of these that is so.
    """
    import asyncio

    from worker.cli.check_text import Told, show, summary

    areas = _areas(only)
    try:
        from worker.cli.broker_settings import noted_settings
        from worker.cli.check_areas import look_around
        from worker.settings.inspecting import look_at_settings
        from worker.telemetry.logs import configure_logs
    except ImportError:
        from worker.cli.check_installation import shadow_findings

        # With another's package in the place of ours, this is all that can be found out.
        told = shadow_findings()
        if not told:
            raise
        words = "Not looked at, since our own modules cannot be loaded."
        told.append(Told("installation", "everything else", "unseen", words, "Mend the installation first."))
    else:
        # What is logged on the way stands in the findings.
        configure_logs("error", "auto")
        flags = noted_settings(amqp_url, prefix) | {"management_url": management_url}
        if ledger_url is not None:
            flags["ledger_url"] = ledger_url
        told = asyncio.run(look_around(look_at_settings(flags), areas))
    show(told, json_lines=json)
    typer.echo(summary(told), err=True)
    raise typer.Exit(_status(told))


def _areas(only: str | None) -> tuple[str, ...]:
    if only is None:
        return AREAS
    named = [name.strip() for name in only.split(",") if name.strip()]
    if unknown := sorted(set(named) - set(AREAS)):
        raise typer.BadParameter(f"there is no {', '.join(unknown)}; there is {', '.join(AREAS)}", param_hint="--only")
    if not named:
        raise typer.BadParameter(f"name one of {', '.join(AREAS)}", param_hint="--only")
    return tuple(area for area in AREAS if area in named)


def _status(told: Iterable[Told]) -> int:
    faults = [one for one in told if one.state == "fault"]
    statuses = {_status_of(one) for one in faults}
    return next((status for status in (2, 3, 4, 5, 1) if status in statuses), 0)


def _status_of(fault: Told) -> int:
    if fault.area == "broker":
        return 4 if fault.subject.startswith(_QUEUES) else 3
    return {"settings": 2, "ledger": 5}.get(fault.area, 1)
