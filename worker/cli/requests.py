"""
`vpn-worker requests`: what the ledger knows of requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.options import (
    Find,
    Followed,
    Json,
    LedgerUrl,
    OrderId,
    RecordedSince,
    RecordedUntil,
    ServiceId,
    Source,
    States,
    TenantId,
)
from worker.cli.pages import LOOK, Group, Page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from worker.core.records import Position, Record, RecordFilter
    from worker.ports import Records
    from worker.settings import Settings

    #: Up to so many requests, behind that place.
    Read = Callable[[int, Position | None], Awaitable[tuple[Record, ...]]]

#: Requests read at once, so that memory stays flat however many there are.
_PAGE = 500

requests_app = typer.Typer(
    cls=Group,
    rich_markup_mode=None,
    help="Requests: what the ledger knows of them.",
)


@requests_app.callback()
def _requests() -> None:
    """
    Requests: what the ledger knows of them. Needs neither RabbitMQ nor the cloud, and changes nothing.
    """


@requests_app.command("list", cls=Page, rich_help_panel=LOOK, short_help="what became of requests, the newest first")
def list_requests(
    state: States = None,
    tenant: TenantId = None,
    order: OrderId = None,
    source: Source = None,
    service: ServiceId = None,
    since: RecordedSince = None,
    until: RecordedUntil = None,
    followed: Followed = False,
    find: Find = None,
    limit: Annotated[int, typer.Option(min=0, help="Show so many at most; 0 shows all.")] = 50,
    json: Json = False,
    ledger_url: LedgerUrl = None,
) -> None:
    """
    List requests, the newest first; those that fit every flag given.

    The age is the time since a request first came. What was rejected never got into the ledger: see `dead list`.
    """
    import asyncio

    from worker.cli.flag_values import check_not_empty
    from worker.cli.ledger import ledger_settings
    from worker.cli.record_filter import record_filter
    from worker.telemetry.logs import configure_logs

    wanted = record_filter(
        state or (),
        since,
        until,
        is_followed=followed,
        tenant=tenant,
        order=order,
        source=source,
        service=service,
    )
    check_not_empty({"find": find})
    settings = ledger_settings(ledger_url)
    configure_logs("warning", "auto")
    asyncio.run(_list(settings, wanted, find, limit, is_json=json))


@requests_app.command(cls=Page, rich_help_panel=LOOK, short_help="everything about one request, and what comes next")
def show(
    id: Annotated[str, typer.Argument(help="The request's id.")],
    source: Source = None,
    json: Json = False,
    ledger_url: LedgerUrl = None,
) -> None:
    """
    Show everything about a request: its state and what comes next, what was asked, the outcome, the service.

    When several sources used the id, each of their requests is shown. Exits 1 when there is no such request.
    """
    import asyncio

    from worker.cli.flag_values import check_not_empty
    from worker.cli.ledger import ledger_settings
    from worker.shown.texts import printable
    from worker.telemetry.logs import configure_logs

    check_not_empty({"source": source})
    settings = ledger_settings(ledger_url)
    configure_logs("warning", "auto")
    if not asyncio.run(_show(settings, id, source, is_json=json)):
        whose = f" of {source}" if source else ""
        typer.echo(printable(f"The ledger has no request {id}{whose}."), err=True)
        raise typer.Exit(1)


async def _list(settings: Settings, wanted: RecordFilter, find: str | None, limit: int, *, is_json: bool) -> None:
    from datetime import UTC, datetime

    from worker.cli.ledger import READER_BUSY_S, opened_ledger
    from worker.cli.record_table import print_records

    shown, last = 0, None
    async with opened_ledger(settings, READER_BUSY_S) as ledger:
        async for page in _pages(_reader(ledger.records, wanted, find), limit):
            print_records(page, datetime.now(UTC), is_json=is_json)
            shown, last = shown + len(page), page[-1].place
        is_cut = shown == limit and last is not None and await _reader(ledger.records, wanted, find)(1, last)
    if not shown:
        typer.echo("No request fits.", err=True)
        return
    more = "; there are more: --limit 0 shows all" if is_cut else ""
    typer.echo(f"{'1 request' if shown == 1 else f'{shown} requests'}{more}.", err=True)


def _reader(records: Records, wanted: RecordFilter, find: str | None) -> Read:
    async def read(limit: int, before: Position | None) -> tuple[Record, ...]:
        if find is None:
            return await records.newest(wanted, limit, before)
        return await records.search(find, wanted, limit, before)

    return read


async def _pages(read_page: Read, limit: int) -> AsyncIterator[tuple[Record, ...]]:
    """
    The newest requests that fit, page by page; as many as `limit`, or all when that is 0.
    """
    before, read = None, 0
    while limit == 0 or read < limit:
        size = _PAGE if limit == 0 else min(_PAGE, limit - read)
        page = await read_page(size, before)
        if page:
            yield page
        if len(page) < size:
            return
        before, read = page[-1].place, read + len(page)


async def _show(settings: Settings, id: str, source: str | None, *, is_json: bool) -> bool:
    from datetime import UTC, datetime

    from worker.cli.ledger import READER_BUSY_S, opened_ledger
    from worker.cli.record_text import record_json, record_text

    async with opened_ledger(settings, READER_BUSY_S) as ledger:
        found = await ledger.records.of_request(id, source)
    now = datetime.now(UTC)
    tell, between = (record_json, "\n") if is_json else (record_text, "\n\n")
    if found:
        typer.echo(between.join(tell(record, now) for record in found))
    return bool(found)
