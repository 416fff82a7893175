"""
`vpn-worker publish`: one request, from flags or a JSON file, or many from files.
"""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.options import AmqpUrl, Json, Prefix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from messages.envelope import Envelope
    from worker.batch.columns import Columns
    from worker.batch.sources import Source
    from worker.broker.tap import Tap
    from worker.cli.order import Order
    from worker.cli.publish_batch import Wishes
    from worker.settings import BrokerSettings

_LONGEST_WAIT_S = 86_400.0


class Mode(enum.StrEnum):
    """
    How the request's identity travels.
    """

    binary = "binary"
    structured = "structured"
    plain = "plain"


class Follow(enum.StrEnum):
    """
    How far the service is followed.
    """

    none = "none"
    settled = "settled"
    active = "active"


class FileFormat(enum.StrEnum):
    """
    What a file of many orders is.
    """

    jsonl = "jsonl"
    csv = "csv"
    json = "json"


def publish(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            help="The API's body as JSON, or many orders: JSON Lines, CSV, a JSON array; - is standard input."
        ),
    ] = None,
    router_id: Annotated[str | None, typer.Option(help="VPC router ID; needed unless a file is given.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the service, 1 to 64 characters.")] = None,
    subnet_id: Annotated[str | None, typer.Option(help="Subnet ID.")] = None,
    description: Annotated[str | None, typer.Option(help="Up to 255 characters.")] = None,
    tenant_id: Annotated[str | None, typer.Option(help="Project ID.")] = None,
    order_id: Annotated[str | None, typer.Option(help="ID of a yearly/monthly order.")] = None,
    product_id: Annotated[str | None, typer.Option(help="ID of a yearly/monthly product.")] = None,
    prepay_connection_num: Annotated[int | None, typer.Option(help="Connections, yearly/monthly.")] = None,
    resource_speccode: Annotated[str | None, typer.Option(help="Specifications of the product.")] = None,
    external_v4_ip: Annotated[str | None, typer.Option(help="IPv4 of the gateway; needs an admin role.")] = None,
    id: Annotated[str | None, typer.Option(help="The request's id: one id never creates twice. Default: new.")] = None,
    source: Annotated[str, typer.Option(help="Who asks; the other half of the identity.")] = "/vpn-worker/publish",
    mode: Annotated[Mode, typer.Option(help="CloudEvents binary or structured, or plain AMQP.")] = Mode.binary,
    correlation_id: Annotated[str | None, typer.Option(help="Comes back with the events. Default: the id.")] = None,
    expires_in_s: Annotated[float | None, typer.Option(help="Seconds after which it must not be created.")] = None,
    follow: Annotated[
        Follow | None, typer.Option(help="Tell the service's status until then. Default: as the worker is set.")
    ] = None,
    wait_s: Annotated[
        float | None, typer.Option(help="Seconds to wait for the outcome; exit 1 unless created.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for every outcome, however long it takes.")] = False,
    result: Annotated[
        Path | None, typer.Option(help="With files: .csv or .jsonl to write, a row for every order. Waits.")
    ] = None,
    format: Annotated[
        FileFormat | None, typer.Option(help="With files: what they are. Default: by their names, else by a look.")
    ] = None,
    id_from: Annotated[
        str | None, typer.Option(help="With files: the column with each order's id. Default: id, else order.")
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(help="With files: a column that is of no concern. Repeatable.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything and send nothing.")] = False,
    json: Json = False,
    with_user_id: Annotated[
        bool, typer.Option("--with-user-id", help="Let RabbitMQ vouch for its user, for workers that look at it.")
    ] = False,
    unchecked: Annotated[bool, typer.Option("--unchecked", help="Send it even if it is invalid.")] = False,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
) -> None:
    """
    Publish requests to create VPN services: one from flags or a JSON file, or many from files.

    One: prints a JSON line with its id, and with --wait-s the outcome event as a second line. Many: all are checked
    before any is sent; safe to run again, since each order has its own id.
    """
    import asyncio
    from dataclasses import replace

    from worker.batch.columns import Columns
    from worker.batch.sources import opened
    from worker.broker.connection import user_of
    from worker.cli.broker_settings import broker_settings
    from worker.cli.order import InvalidOrder, Order, body_of, check, check_sources
    from worker.cli.publish_batch import Wishes, is_batch

    if wait_s is not None and not 0 < wait_s <= _LONGEST_WAIT_S:
        raise InvalidOrder(f"--wait-s must be more than 0 and at most {_LONGEST_WAIT_S:g} seconds; nothing was sent.")
    spec: dict[str, object] = {
        "router_id": router_id,
        "name": name,
        "subnet_id": subnet_id,
        "description": description,
        "tenant_id": tenant_id,
        "order_id": order_id,
        "product_id": product_id,
        "prepay_connection_num": prepay_connection_num,
        "resource_speccode": resource_speccode,
        "external_v4_ip": external_v4_ip,
    }
    given = {field: value for field, value in spec.items() if value is not None}
    check_sources(files, given)
    identity = {} if id is None else {"id": id}
    order = Order(
        body_of(given),
        source,
        mode.value,
        correlation_id=correlation_id,
        expires_in_s=expires_in_s,
        follow=follow.value if follow else None,
        **identity,
    )
    waits_s = wait_s or (_LONGEST_WAIT_S if wait else None)
    wishes = Wishes(
        form=format.value if format else None,
        is_followed=wait or wait_s is not None or result is not None,
        limit_s=wait_s,
        result=result,
        is_dry_run=dry_run,
        is_json=json,
    )
    columns = Columns(id_from, tuple(ignore or ()))
    with opened(files or []) as sources:
        if is_batch(sources, wishes, columns, may_be=not unchecked):
            if id is not None:
                raise InvalidOrder(
                    "--id is for one request: in a batch every order has its own, in a column id or order."
                )
            status = _publish_many(sources, order, columns, wishes, (amqp_url, prefix), with_user_id=with_user_id)
            raise typer.Exit(status)
        order = replace(order, body=sources[0].whole()) if sources else order
    envelope = order.envelope()
    if not unchecked:
        check(envelope)
    if dry_run:
        _print({"id": order.id, "source": order.source, "sent": False})
        return
    settings = broker_settings(amqp_url, prefix)
    if with_user_id:
        envelope = replace(envelope, user_id=user_of(settings.amqp_url.get_secret_value()))
    if not asyncio.run(_send(settings, order, envelope, waits_s)):
        raise typer.Exit(1)


def _publish_many(
    sources: Sequence[Source],
    order: Order,
    columns: Columns,
    wishes: Wishes,
    broker: tuple[str | None, str | None],
    *,
    with_user_id: bool,
) -> int:
    from worker.broker.connection import user_of
    from worker.cli.broker_settings import broker_settings
    from worker.cli.publish_batch import manner_of, publish_batch

    if wishes.is_dry_run:
        return publish_batch(sources, manner_of(order, columns, None), None, wishes)
    settings = broker_settings(*broker)
    url = settings.amqp_url.get_secret_value()
    manner = manner_of(order, columns, user_of(url) if with_user_id else None)
    return publish_batch(sources, manner, (url, settings.routes), wishes)


async def _send(settings: BrokerSettings, order: Order, envelope: Envelope, wait_s: float | None) -> bool:
    from contextlib import AsyncExitStack

    from worker.broker.sender import open_sender
    from worker.broker.tap import open_tap

    url = settings.amqp_url.get_secret_value()
    async with AsyncExitStack() as stack:
        # The tap first: an outcome faster than us must not be missed.
        tap = await stack.enter_async_context(open_tap(url, settings.routes)) if wait_s is not None else None
        sender = await stack.enter_async_context(open_sender(url, settings.routes))
        await sender.send(envelope)
        _print({"id": order.id, "source": order.source, "exchange": settings.routes.requests_exchange})
        return tap is None or await _outcome(tap, order, wait_s or 0.0)


async def _outcome(tap: Tap, order: Order, wait_s: float) -> bool:
    import asyncio

    from messages.events import OUTCOMES, EventNotReadableError, VpnServiceCreated, decode_event

    try:
        async with asyncio.timeout(wait_s):
            while True:
                try:
                    event = decode_event(await tap.next())
                except EventNotReadableError:
                    continue  # anybody may publish there
                if isinstance(event, OUTCOMES) and (event.request_source, event.request_id) == (order.source, order.id):
                    _print({"type": event.type, **event.model_dump(mode="json")})
                    return isinstance(event, VpnServiceCreated)
    except TimeoutError:
        typer.echo(
            f"No outcome within {wait_s:g} s. The request is not lost, its event will follow: is a worker running?",
            err=True,
        )
        return False


def _print(line: dict[str, object]) -> None:
    import json

    typer.echo(json.dumps(line))
