"""
`vpn-worker publish FILE...` for many orders: check them all, send them, follow them.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog
import typer

from messages.attributes import text_problem
from messages.routes import Routes
from worker.batch.book import State
from worker.batch.checking import Checked, checked
from worker.batch.columns import Columns
from worker.batch.formats import Format
from worker.batch.orders import Manner
from worker.batch.results import ResultFile, check_result_path, result_file, results
from worker.batch.rows import Fault, Row
from worker.batch.running import BatchRun, End
from worker.batch.sources import Source
from worker.cli.batch_progress import Reporter, count_words
from worker.cli.order import InvalidOrder, Order
from worker.errors import VpnWorkerError
from worker.shown.texts import printable

_SAFE = "Running the same command again is safe: every order keeps its id, and nothing is created twice."
#: Orders without a service that are told one by one; all are in the result file.
_MOST_TOLD = 10


@dataclass(frozen=True, slots=True)
class Wishes:
    """
    What is to be done with a batch.

    Attributes:
        form: of the files; None: each by its looks.
        limit_s: how long to wait for outcomes after the last order was confirmed; None: for as long as it takes.
        result: where the result file goes.
    """

    form: Format | None = None
    is_followed: bool = False
    limit_s: float | None = None
    result: Path | None = None
    is_dry_run: bool = False
    is_json: bool = False


def is_batch(sources: Sequence[Source], wishes: Wishes, columns: Columns, *, may_be: bool) -> bool:
    """
    Whether this is a batch, and not one request from flags or from a file with the API's body.

    Args:
        may_be: false where what is given is to be sent as it is.

    Raises:
        InvalidOrder: some flags are for the one, and some for the other.
    """
    is_wanted = bool(wishes.form or wishes.result or columns.id_from or columns.ignored)
    if is_wanted and not sources:
        raise InvalidOrder("--format, --result, --id-from and --ignore are for files; nothing was sent.")
    if (is_wanted or len(sources) > 1) and not may_be:
        raise InvalidOrder("--unchecked is for one request; a batch is always checked. Nothing was sent.")
    return may_be and bool(sources) and (is_wanted or len(sources) > 1 or sources[0].format is not None)


def manner_of(order: Order, columns: Columns, user_id: str | None) -> Manner:
    """
    What holds for every order of a batch, from the flags.

    Raises:
        InvalidOrder: one of them cannot be sent.
    """
    for name, text in (("source", order.source), ("correlation id", order.correlation_id)):
        problem = None if text is None else text_problem(text)
        if problem is not None:
            raise InvalidOrder(f"The {name} {problem[1]}; nothing was sent.")
    return Manner(
        order.source, order.mode, columns, order.correlation_id, order.expires_at(), order.follow, user_id=user_id
    )


def publish_batch(sources: Sequence[Source], manner: Manner, broker: tuple[str, Routes] | None, wishes: Wishes) -> int:
    """
    Publishes every order of the files, or none; the exit status.

    Args:
        sources: the files.
        manner: what holds for every order.
        broker: URL and names; None for a dry run.
        wishes: what to do.

    Raises:
        VpnWorkerError: a file cannot be read, the result file not be written, or the broker not be reached.
    """
    # Our own words take the place of the log. SIGTERM ends it like Ctrl-C, whatever it is at.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if wishes.result is not None:
        check_result_path(wishes.result)
    try:
        with Reporter() as reporter, checked(_rows(sources, manner, wishes, reporter), manner) as found:
            reporter.end()
            return _act(found, broker, wishes, reporter)
    except KeyboardInterrupt:
        typer.echo(f"Stopped. {_SAFE}", err=True)
        return 130


def _act(found: Checked, broker: tuple[str, Routes] | None, wishes: Wishes, reporter: Reporter) -> int:
    if found.fault_count:
        _tell_faults(found, is_json=wishes.is_json)
        return 2
    _tell_repeats(found)
    if broker is None:
        count = len(found.orders)
        told = {"orders": count, "repeats": found.repeat_count, "confirmed": 0}
        _say(told, f"{_orders(count)} checked, nothing is wrong; nothing was sent.", wishes)
        return 0
    return _send(found, broker, wishes, reporter)


def _rows(sources: Sequence[Source], manner: Manner, wishes: Wishes, reporter: Reporter) -> Iterator[Row | Fault]:
    for source in sources:
        yield from reporter.counting(source.rows(wishes.form, manner.columns), source.name)


def _send(found: Checked, broker: tuple[str, Routes], wishes: Wishes, reporter: Reporter) -> int:
    with ExitStack() as stack:
        file = stack.enter_context(result_file(wishes.result, found.orders)) if wishes.result else None
        run = BatchRun(*broker, found.orders, is_followed=wishes.is_followed)
        stack.callback(run.book.close)
        with _results_written(found, run, file):
            try:
                end = asyncio.run(_run(run, wishes.limit_s, reporter))
            except VpnWorkerError:
                reporter.end()
                typer.echo(f"{_so_far(run)} {_SAFE}", err=True)
                raise
        reporter.end()
        return _tell_end(found, run, end, wishes)


async def _run(run: BatchRun, limit_s: float | None, reporter: Reporter) -> End:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def stopped() -> None:
        stop.set()
        for number in (signal.SIGINT, signal.SIGTERM):  # a second one ends it at once
            loop.remove_signal_handler(number)
            signal.signal(number, signal.default_int_handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped)
    telling = asyncio.create_task(reporter.follow(lambda: run.progress))
    try:
        return await run.run(stop, limit_s)
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


@contextmanager
def _results_written(found: Checked, run: BatchRun, file: ResultFile | None) -> Iterator[None]:
    """
    Writes what is known, however it ends: also of a run that was stopped it is wanted.
    """
    try:
        yield
    finally:
        if file is not None:
            file.write(results(found.orders, run.book))


def _tell_end(found: Checked, run: BatchRun, end: End, wishes: Wishes) -> int:
    progress, total = run.progress, len(found.orders)
    told: dict[str, object] = {
        "orders": total,
        "confirmed": progress.confirmed,
        "repeats": found.repeat_count,
        **(progress.counts if wishes.is_followed else {}),
        "end": end.value,
        "result": str(wishes.result) if wishes.result else None,
    }
    if end is End.STOPPED:
        typer.echo(f"Stopped. {_so_far(run)} {_SAFE}", err=True)
        if wishes.is_json:
            typer.echo(json.dumps(told))
        return 130
    if not wishes.is_followed:
        _say(told, f"{_orders(total)} published, each confirmed. --wait follows them to their outcomes.", wishes)
        return 0
    waiting = progress.counts[State.waiting.name]
    words = [part for part in (count_words(progress.counts), f"{waiting} waiting" if waiting else "") if part]
    _say(told, f"{_orders(total)}: {', '.join(words)}.", wishes)
    if progress.counts[State.created.name] == total:
        return 0
    _tell_others(found, run, wishes)
    return 1


def _tell_others(found: Checked, run: BatchRun, wishes: Wishes) -> None:
    """
    The first orders that have no service, and what to do about them.
    """
    others = (row for row in results(found.orders, run.book) if row[3] != State.created.name)
    for told, (file, line, identity, status, _, code, message) in enumerate(others):
        if told == _MOST_TOLD:
            rest = f"the others are in {wishes.result}" if wishes.result else "--result FILE lists all of them"
            typer.echo(f"  ... {rest}", err=True)
            break
        why = ": ".join(part for part in (code, message) if part)
        typer.echo(printable(f"  {file}:{line} {identity} {status}{': ' if why else ''}{why}"), err=True)
    if run.progress.waiting:
        typer.echo("What waits is not lost, its event will follow: is a worker running? " + _SAFE, err=True)


def _so_far(run: BatchRun) -> str:
    progress = run.progress
    known = count_words(progress.counts)
    return f"{progress.confirmed} of {_orders(progress.total)} are confirmed{', ' if known else ''}{known}."


def _tell_faults(found: Checked, *, is_json: bool) -> None:
    if is_json:
        typer.echo(json.dumps({"fault_count": found.fault_count, "faults": [asdict(fault) for fault in found.faults]}))
        return
    for fault in found.faults:
        where = f"{fault.file}:{fault.line}: {fault.path}: " if fault.line else ""
        typer.echo(printable(f"{where}{fault.message}"), err=True)
    count, shown = found.fault_count, len(found.faults)
    rest = f" The first {shown} are shown." if count > shown else ""
    typer.echo(f"{count} {'fault' if count == 1 else 'faults'}; nothing was sent.{rest}", err=True)


def _tell_repeats(found: Checked) -> None:
    for first, order in found.repeats[:_MOST_TOLD]:
        words = (
            f"{order.file}:{order.line}: repeats {first.file}:{first.line} ({order.id}) word for word; it is sent once"
        )
        typer.echo(printable(words), err=True)
    if found.repeat_count > _MOST_TOLD:
        typer.echo(f"  ... {found.repeat_count} rows repeat an earlier one; each order is sent once", err=True)


def _say(told: Mapping[str, object], words: str, wishes: Wishes) -> None:
    typer.echo(json.dumps(dict(told)) if wishes.is_json else words)


def _orders(count: int) -> str:
    return f"{count} order" if count == 1 else f"{count} orders"
