"""
`vpn-worker watch`: events as they come.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.options import AmqpUrl, Prefix
from worker.shown.texts import printable

if TYPE_CHECKING:
    from messages.envelope import Envelope
    from messages.events import VpnServiceEvent
    from worker.settings import BrokerSettings

_AGAIN_S = 1.0
_LONGEST_KEY_BYTES = 255  # AMQP 0-9-1, 4.2.5.3


def watch(
    key: Annotated[str, typer.Argument(help="Which events: a binding key such as vpnservice.created.")] = "#",
    count: Annotated[int | None, typer.Option(min=1, help="Stop after this many events.")] = None,
    json: Annotated[
        bool | None, typer.Option("--json/--text", help="JSON lines or text. Default: text at a terminal, else JSON.")
    ] = None,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
) -> None:
    """
    Show events as they come, until Ctrl-C.

    Events published while nobody watches are not shown; a consumer of its own needs a queue of its own.
    """
    import asyncio

    from worker.cli.broker_settings import broker_settings

    if len(key.encode()) > _LONGEST_KEY_BYTES:
        raise typer.BadParameter("a binding key has at most 255 bytes", param_hint="KEY")
    is_json = not sys.stdout.isatty() if json is None else json
    asyncio.run(_watch(broker_settings(amqp_url, prefix), key, count, is_json=is_json))


async def _watch(settings: BrokerSettings, key: str, count: int | None, *, is_json: bool) -> None:
    import asyncio

    from worker.broker.tap import open_tap
    from worker.errors import BrokerUnreachable

    shown, was_open = 0, False
    while True:
        try:
            async with open_tap(settings.amqp_url.get_secret_value(), settings.routes, key) as tap:
                typer.echo(f"Watching {settings.routes.events_exchange} for {key}; Ctrl-C ends it.", err=True)
                was_open = True
                while count is None or shown < count:
                    _show(await tap.next(), is_json=is_json)
                    shown += 1
                return
        except BrokerUnreachable as exc:
            if not was_open:
                raise
            typer.echo(f"{exc} Trying again; events may be missed meanwhile.", err=True)
            await asyncio.sleep(_AGAIN_S)


def _show(envelope: Envelope, *, is_json: bool) -> None:
    from messages.events import EventNotReadableError, decode_event

    if is_json:
        typer.echo(_as_json(envelope))
        return
    try:
        event = decode_event(envelope)
    except EventNotReadableError as exc:
        typer.echo(f"(not an event of ours: {exc})", err=True)
        return
    what = event.type.removeprefix("vpn.vpnservice.").removesuffix(".v1")
    told = [event.service_id, _status_words(event), event.error.message if event.error else None]
    words = "  ".join(printable(part) for part in told if part)
    typer.echo(f"{event.occurred_at:%H:%M:%S}  {what:<16}  {printable(event.request_id or '(no id)')}  {words}")


def _status_words(event: VpnServiceEvent) -> str | None:
    from messages.events import VpnServiceStatusChanged

    if not isinstance(event, VpnServiceStatusChanged):
        return event.status
    if event.deadline_reached:
        return f"{event.status} still, its time is over"
    return f"{event.previous_status} -> {event.status}{', final' if event.is_final else ''}"


def _as_json(envelope: Envelope) -> str:
    import json

    headers = {name: value for name, value in envelope.headers.items() if name.startswith("ce-")}
    attributes = {name.removeprefix("ce-"): value for name, value in headers.items()}
    try:
        data = json.loads(envelope.body)
    except ValueError:
        data = envelope.body.decode("utf-8", "replace")
    return json.dumps({**attributes, "correlationid": envelope.correlation_id, "data": data}, default=str)
