"""
Flags that several commands share.
"""

from __future__ import annotations

from typing import Annotated

import typer

AmqpUrl = Annotated[str | None, typer.Option(envvar="VPN_WORKER_AMQP_URL", help="RabbitMQ's URL.")]
ManagementUrl = Annotated[
    str | None,
    typer.Option(
        envvar="VPN_WORKER_MANAGEMENT_URL",
        help="RabbitMQ's management API, such as http://user:password@host:15672; it tells bindings and all arguments.",
    ),
]
Prefix = Annotated[str | None, typer.Option(envvar="VPN_WORKER_PREFIX", help="First part of every queue name.")]
LedgerUrl = Annotated[
    str | None, typer.Option(envvar="VPN_WORKER_LEDGER_URL", help="Where the workers keep their jobs.")
]
Json = Annotated[bool, typer.Option("--json", help="JSON lines, for programs.")]

# Which dead letters; those that fit everything that is given.
Letter = Annotated[str | None, typer.Option(help="One letter by its id, as `dead list --each` shows it.")]
Reason = Annotated[str | None, typer.Option(help="rejected, failed, in_doubt, poison, delivery_limit or foreign.")]
RequestId = Annotated[str | None, typer.Option("--request", help="The request's id.")]
Source = Annotated[str | None, typer.Option(help="The request's source.")]
Router = Annotated[str | None, typer.Option(help="The router_id of the request.")]
Since = Annotated[str | None, typer.Option(help="Died then or later: 2026-01-31T12:00:00Z, or 90s, 15m, 2h, 3d ago.")]
Until = Annotated[str | None, typer.Option(help="Died then or earlier, written alike.")]
Contains = Annotated[str | None, typer.Option(help="Part of the last error; case does not matter.")]
All = Annotated[bool, typer.Option("--all", help="Every letter; needed when nothing else says which.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")]

# Which requests; those that fit everything that is given.
States = Annotated[
    list[str] | None,
    typer.Option(
        "--state",
        help="ready, sent, looking, created, failed or in_doubt; open: the first three. Repeatable. Default: all.",
    ),
]
TenantId = Annotated[str | None, typer.Option("--tenant", help="The tenant_id of the request.")]
OrderId = Annotated[str | None, typer.Option("--order", help="The order_id of the request.")]
ServiceId = Annotated[str | None, typer.Option("--service", help="The service that was created for it.")]
RecordedSince = Annotated[
    str | None,
    typer.Option("--since", help="First came then or later: 2026-01-31T12:00:00Z, or 90s, 15m, 2h, 3d ago."),
]
RecordedUntil = Annotated[str | None, typer.Option("--until", help="First came then or earlier, written alike.")]
Find = Annotated[
    str | None,
    typer.Option(
        help="Those alone that a text names: the beginning of the request's id, or its order, service, tenant or router."
    ),
]
Followed = Annotated[bool, typer.Option("--followed", help="Those alone whose service is followed now.")]
