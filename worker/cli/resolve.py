"""
`vpn-worker resolve`: what a person found out about a request in doubt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.options import AmqpUrl, Json, LedgerUrl, Prefix

if TYPE_CHECKING:
    from worker.resolving import Resolution, Resolved
    from worker.settings import Settings

#: For the event to be confirmed; the ledger has the resolution by then.
_TELL_S = 60.0


def resolve(
    request: Annotated[str, typer.Argument(help="The request's id.")],
    created: Annotated[str | None, typer.Option(metavar="SERVICE_ID", help="It was created: this service.")] = None,
    not_created: Annotated[bool, typer.Option("--not-created", help="Nothing was created.")] = False,
    source: Annotated[str | None, typer.Option(help="The request's source; needed when several used the id.")] = None,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Take the service's id as given, without asking the cloud.")
    ] = False,
    json: Json = False,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
    ledger_url: LedgerUrl = None,
) -> None:
    """
    Say what became of a request in doubt: the ledger notes it, the event is told, its dead letter goes.

    With --created the cloud is asked for the service, as the worker's settings say (VPN_WORKER_API_URL and so on); one
    that does not exist, is on another router or belongs to another request is refused. Stopped in the middle, the same
    command finishes it; the event has the same id each time.
    """
    import asyncio
    import json as encoder

    from worker.cli.letter_text import job_facts
    from worker.cli.operating import operator_settings
    from worker.resolving import Resolution
    from worker.telemetry.logs import configure_logs

    if (created is None) != not_created or created == "":
        raise typer.BadParameter("say either --created SERVICE_ID or --not-created")
    is_asking = created is not None and not unchecked
    settings = operator_settings(amqp_url, prefix, ledger_url, needs_cloud=is_asking)
    configure_logs("error", "auto")
    resolved = asyncio.run(_resolve(settings, Resolution(request, source, created), is_asking=is_asking))
    if json:
        key = {"request": resolved.job.key.id, "source": resolved.job.key.source}
        rest = {"is_repeat": resolved.is_repeat, "letters": resolved.letters}
        typer.echo(encoder.dumps(key | job_facts(resolved.job) | rest))
        return
    typer.echo(_words(resolved))


async def _resolve(settings: Settings, resolution: Resolution, *, is_asking: bool) -> Resolved:
    import asyncio
    from contextlib import AsyncExitStack

    from worker.app import SystemClock
    from worker.broker.dead_letters import open_dead_letters
    from worker.cli.ledger import opened_ledger
    from worker.cli.operating import opened_cloud, opened_teller
    from worker.errors import BrokerUnreachable
    from worker.resolving import Resolver

    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(opened_ledger(settings))
        letters = await stack.enter_async_context(
            open_dead_letters(settings.amqp_url.get_secret_value(), settings.routes)
        )
        teller = await stack.enter_async_context(opened_teller(settings))
        cloud = await stack.enter_async_context(opened_cloud(settings)) if is_asking else None
        resolver = Resolver(letters, ledger, ledger.follows, teller, SystemClock(), settings.following)
        try:
            async with asyncio.timeout(_TELL_S + settings.api_timeout_s):
                return await resolver.resolve(resolution, cloud)
        except TimeoutError as exc:
            raise BrokerUnreachable(
                "RabbitMQ did not confirm the event in time. The ledger may have the resolution already; "
                "the same command again finishes it."
            ) from exc


def _words(resolved: Resolved) -> str:
    from worker.shown.texts import printable

    job = resolved.job
    what = f"created, service {job.service_id}" if job.service_id else "not created"
    again = ", as it was before; its event was told again under the same id" if resolved.is_repeat else ""
    letters = f"; {resolved.letters} dead letter{'s' if resolved.letters != 1 else ''} removed"
    return printable(f"{job.key.id} of {job.key.source}: {what}{again}{letters}.")
