"""
`vpn-worker dead`: the dead letters, to see, to replay, to drop.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.options import (
    All,
    AmqpUrl,
    Contains,
    DryRun,
    Json,
    LedgerUrl,
    Letter,
    Prefix,
    Reason,
    RequestId,
    Router,
    Since,
    Source,
    Until,
)
from worker.cli.pages import LOOK, REPAIR, Group, Page

if TYPE_CHECKING:
    from messages.envelope import Rejection, Request
    from worker.core.job import Job
    from worker.core.letters import LetterFilter
    from worker.replaying import ReplayOrder
    from worker.settings import BrokerSettings, Settings

dead_app = typer.Typer(
    cls=Group,
    rich_markup_mode=None,
    help="Dead letters: requests that could not be done. See them, replay them, drop them.",
)


@dead_app.callback()
def _dead() -> None:
    """
    Dead letters: requests that could not be done. See them, replay them, drop them.

    Reading takes nothing, but while one of these commands runs, another one sees only what the first has not read yet.
    """


@dead_app.command("list", cls=Page, rich_help_panel=LOOK, short_help="count the dead letters by reason, or list each")
def list_letters(
    each: Annotated[bool, typer.Option("--each", help="One row a letter, instead of counts.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Count so many letters at most, oldest first.")] = None,
    letter: Letter = None,
    reason: Reason = None,
    request: RequestId = None,
    source: Source = None,
    router: Router = None,
    since: Since = None,
    until: Until = None,
    contains: Contains = None,
    json: Json = False,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
) -> None:
    """
    Count the dead letters by reason and error, or list each; nothing is taken.

    Errors are counted as one kind when they differ in ids and numbers alone.
    """
    import asyncio

    from worker.cli.broker_settings import broker_settings
    from worker.cli.letter_filter import letter_filter

    wanted = letter_filter(
        since, until, letter=letter, reason=reason, request=request, source=source, router=router, contains=contains
    )
    asyncio.run(_list(broker_settings(amqp_url, prefix), wanted, limit, is_each=each, is_json=json))


@dead_app.command(cls=Page, rich_help_panel=LOOK, short_help="everything about one letter")
def show(
    id: Annotated[str, typer.Argument(help="A letter's id, or a request's.")],
    json: Json = False,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
    ledger_url: LedgerUrl = None,
) -> None:
    """
    Show everything about a letter: reason, times, last error, headers, body, and its job if the ledger can be read.

    Exits 1 when there is no such letter.
    """
    import asyncio

    from worker.cli.operating import operator_settings
    from worker.telemetry.logs import configure_logs

    configure_logs("error", "auto")
    if not asyncio.run(_show(operator_settings(amqp_url, prefix, ledger_url), id, is_json=json)):
        typer.echo(f"There is no dead letter {id}, and none of a request with that id.", err=True)
        raise typer.Exit(1)


@dead_app.command(cls=Page, rich_help_panel=REPAIR, short_help="put requests back on the work queue")
def replay(
    all: All = False,
    dry_run: DryRun = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Replay so many letters at most, oldest first.")] = None,
    rate: Annotated[float, typer.Option(min=0.01, max=1000, help="Requests a second, at most.")] = 10.0,
    again: Annotated[bool, typer.Option("--again", help="Also letters that were replayed 3 times already.")] = False,
    letter: Letter = None,
    reason: Reason = None,
    request: RequestId = None,
    source: Source = None,
    router: Router = None,
    since: Since = None,
    until: Until = None,
    contains: Contains = None,
    json: Json = False,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
    ledger_url: LedgerUrl = None,
) -> None:
    """
    Put requests back on the work queue, and take their letters away.

    A request that failed at its deadline gets a new one; a request in doubt is looked for before it is sent. What was
    told as created, what is under way and what would fail at once is left, with the reason. Killed in the middle, run it
    again. Letters that come while it runs are left for the next time.

    Exits 1 when letters were left.
    """
    import asyncio

    from worker.cli.letter_filter import check_chosen, letter_filter
    from worker.cli.operating import operator_settings
    from worker.core.amending import Again
    from worker.replaying import ReplayOrder
    from worker.telemetry.logs import configure_logs

    wanted = letter_filter(
        since, until, letter=letter, reason=reason, request=request, source=source, router=router, contains=contains
    )
    check_chosen(wanted, is_all=all)
    settings = operator_settings(amqp_url, prefix, ledger_url)
    configure_logs("error", "auto")
    meant = Again(settings.request_deadline_s, is_insisting=again)
    order = ReplayOrder(wanted, meant, rate_per_s=rate, limit=limit, is_dry_run=dry_run)
    if not asyncio.run(_replay(settings, order, is_json=json)):
        raise typer.Exit(1)


@dead_app.command(cls=Page, rich_help_panel=REPAIR, short_help="remove letters for good")
def drop(
    all: All = False,
    dry_run: DryRun = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Drop so many letters at most, oldest first.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; needed where there is no terminal.")] = False,
    letter: Letter = None,
    reason: Reason = None,
    request: RequestId = None,
    source: Source = None,
    router: Router = None,
    since: Since = None,
    until: Until = None,
    contains: Contains = None,
    json: Json = False,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
) -> None:
    """
    Remove letters for good. Their requests keep the outcome they have; what was parked as poison or at the delivery
    limit has none, and is lost with its letter.

    Use `vpn-worker resolve` for requests in doubt: without its letter, the event of a request has no correlation id.
    """
    import asyncio

    from worker.cli.broker_settings import broker_settings
    from worker.cli.letter_filter import check_chosen, letter_filter

    wanted = letter_filter(
        since, until, letter=letter, reason=reason, request=request, source=source, router=router, contains=contains
    )
    check_chosen(wanted, is_all=all)
    settings = broker_settings(amqp_url, prefix)
    count = asyncio.run(_count(settings, wanted, limit, is_told=json and dry_run))
    if dry_run or count == 0:
        typer.echo(f"{_letters(count)} would be dropped." if count else "No letter fits.", err=True)
        return
    _confirm(count, is_sure=yes)
    asyncio.run(_drop(settings, wanted, count, is_json=json))


def _confirm(count: int, *, is_sure: bool) -> None:
    if is_sure:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"{_letters(count)} would be dropped for good; --yes says that you mean it")
    typer.confirm(f"Drop {_letters(count)} for good?", abort=True, err=True)


async def _list(
    settings: BrokerSettings, wanted: LetterFilter, limit: int | None, *, is_each: bool, is_json: bool
) -> None:
    from worker.broker.dead_letters import open_dead_letters
    from worker.cli.letter_table import Rows, Tally

    shown: Rows | Tally = Rows() if is_each else Tally()
    count = 0
    async with open_dead_letters(settings.amqp_url.get_secret_value(), settings.routes) as letters:
        async for letter in letters.read():
            if wanted.fits(letter):
                shown.add(letter)
                count += 1
                if count == limit:
                    break
    shown.print(is_json=is_json)
    typer.echo(f"{_letters(count)}.", err=True)


async def _show(settings: Settings, id: str, *, is_json: bool) -> bool:
    from worker.broker.dead_letters import open_dead_letters
    from worker.cli.letter_text import letter_json, letter_text

    async with open_dead_letters(settings.amqp_url.get_secret_value(), settings.routes) as letters:
        found = [letter async for letter in letters.read() if id in {letter.id, letter.asked().id}]
    jobs = await _jobs(settings, [letter.asked() for letter in found])
    tell, between = (letter_json, "\n") if is_json else (letter_text, "\n\n")
    if found:
        typer.echo(between.join(tell(letter, job) for letter, job in zip(found, jobs, strict=True)))
    return bool(found)


async def _jobs(settings: Settings, asked: list[Request | Rejection]) -> list[Job | None]:
    from worker.cli.ledger import READER_BUSY_S, opened_ledger
    from worker.errors import LedgerError

    jobs: list[Job | None] = []
    try:
        async with opened_ledger(settings, READER_BUSY_S) as ledger:
            for one in asked:
                known = () if one.id is None or one.source is None else await ledger.find(one.id, one.source)
                jobs.append(known[0] if known else None)
    except LedgerError as exc:
        typer.echo(f"Shown without jobs: {exc}", err=True)
        return [None] * len(asked)
    return jobs


async def _replay(settings: Settings, order: ReplayOrder, *, is_json: bool) -> bool:
    from contextlib import AsyncExitStack, aclosing

    from worker.app import SystemClock
    from worker.broker.dead_letters import open_dead_letters
    from worker.broker.resender import open_resender
    from worker.cli.ledger import opened_ledger
    from worker.cli.letter_text import replayed_json, replayed_text
    from worker.core.amending import Leave
    from worker.replaying import Replayer

    url = settings.amqp_url.get_secret_value()
    done = left = 0
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(opened_ledger(settings))
        resender = await stack.enter_async_context(open_resender(url, settings.routes))
        letters = await stack.enter_async_context(open_dead_letters(url, settings.routes))
        replayer = Replayer(letters, resender, ledger, SystemClock())
        async for replayed in await stack.enter_async_context(aclosing(replayer.run(order))):
            is_left = isinstance(replayed.step, Leave)
            done, left = done + (not is_left), left + is_left
            tell = replayed_json if is_json else replayed_text
            typer.echo(tell(replayed, is_dry_run=order.is_dry_run))
    would = "would be " if order.is_dry_run else ""
    typer.echo(f"{_letters(done)} {would}replayed, {left} left.", err=True)
    return left == 0 or order.is_dry_run


async def _count(settings: BrokerSettings, wanted: LetterFilter, limit: int | None, *, is_told: bool) -> int:
    from worker.broker.dead_letters import open_dead_letters
    from worker.cli.letter_text import dropped_json

    count = 0
    async with open_dead_letters(settings.amqp_url.get_secret_value(), settings.routes) as letters:
        async for letter in letters.read():
            if not wanted.fits(letter):
                continue
            count += 1
            if is_told:
                typer.echo(dropped_json(letter, is_dry_run=True))
            if count == limit:
                break
    return count


async def _drop(settings: BrokerSettings, wanted: LetterFilter, count: int, *, is_json: bool) -> None:
    from worker.broker.dead_letters import open_dead_letters
    from worker.cli.letter_text import dropped_json, dropped_text

    dropped = 0
    async with open_dead_letters(settings.amqp_url.get_secret_value(), settings.routes) as letters:
        async for letter in letters.read():
            # Not more than were agreed to: others may have died since, at the end of the queue.
            if dropped == count:
                break
            if wanted.fits(letter):
                await letters.remove(letter)
                dropped += 1
                typer.echo(dropped_json(letter) if is_json else dropped_text(letter))
    typer.echo(f"{_letters(dropped)} dropped.", err=True)


def _letters(count: int) -> str:
    return "1 letter" if count == 1 else f"{count} letters"
