"""
What the demonstration shows: a live table, and how to go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from worker.demo.batch import Demonstration, Progress
from worker.demo.stage import Stage

_STYLES = {"created": "green", "failed": "red", "rejected": "yellow", "in doubt": "magenta", "sent": "cyan"}
#: Columns from which on the table has a column for the story of an order.
_WIDE = 100
#: Enough of a service id to see which is which.
_SHORT_ID = 8
_IN_A_CLONE = Path(".venv/bin/vpn-worker")
_ROUTER_ID = "66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa"  # doc: example request, router_id


@contextmanager
def showing(rows: Sequence[Progress]) -> Iterator[Callable[[], None]]:
    """
    The table, redrawn at a terminal on every call of what it gives; elsewhere drawn once, at the end.
    """
    console = Console()
    if not console.is_terminal:
        yield lambda: None
        console.print(_table(rows, console.width))
        return
    with Live(_table(rows, console.width), console=console, auto_refresh=False) as live:
        yield lambda: live.update(_table(rows, console.width), refresh=True)


def _table(rows: Sequence[Progress], width: int) -> Table:
    is_narrow = width < _WIDE
    table = Table(
        title="What became of each order",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=0,
        expand=True,
    )
    table.add_column("order", no_wrap=not is_narrow, width=22 if is_narrow else None)
    if not is_narrow:
        table.add_column("what is special", width=22)
    table.add_column("outcome", no_wrap=True)
    table.add_column("service, or why not", overflow="fold", ratio=1)
    table.add_column("tries", justify="right")
    table.add_column("took", justify="right", no_wrap=True)
    for row in rows:
        took = "" if row.took_s is None else f"{row.took_s:.2f} s"
        tries = "" if row.outcome is None else str(row.outcome.attempts)
        # At a narrow terminal the story stands below the title, so that no word must be broken.
        title, story = Text(row.order.title), Text(row.order.story, "dim" if is_narrow else "")
        order = [Text("\n").join((title, story))] if is_narrow else [title, story]
        table.add_row(*order, Text(row.word, _STYLES.get(row.word, "dim")), _told(row), tries, took)
    return table


def _told(row: Progress) -> Text:
    outcome = row.outcome
    if outcome is None:
        return Text("")
    if outcome.error is not None:
        faults = "; ".join(f"{fault.path}: {fault.message}" for fault in outcome.error.fields)
        return Text(faults or outcome.error.message)
    note = ", found by looking, not created again" if outcome.reconciled else ""
    note = ", the same event again under the same id" if row.is_repeat else note
    return Text(f"{(outcome.service_id or '')[:_SHORT_ID]}... {outcome.status}{note}")


def show_end(demonstration: Demonstration) -> None:
    """
    The balance, and the commands to go on with.
    """
    console = Console(highlight=False, soft_wrap=True)
    if demonstration.is_as_expected:
        console.print(
            f"\n{demonstration.created} services told as created, {demonstration.services} in the cloud: "
            "none lost, none twice. Every order has exactly one outcome."
        )
    else:
        console.print("\nNot every order met the fate it should have; that is a bug, please report it.", style="red")
    us = _command()
    console.print("\nGo on:")
    for command, why in (
        (
            "make run" if _IN_A_CLONE.exists() else f"{us} demo --stay",
            "the same set-up, kept running; then, in a second terminal, in this folder:",
        ),
        (f"{us} watch", "events as they come"),
        (f"{us} publish --router-id {_ROUTER_ID} --name myservice --wait-s 10", "one request"),
        (f"{us} requests list", "what became of every request"),
        (f"{us} help", "what else there is"),
    ):
        console.print(f"  {command}\n      {why}")


def show_running(stage: Stage) -> None:
    """
    How to use a set-up that keeps running.
    """
    console = Console(highlight=False, soft_wrap=True)
    console.print("\nEverything runs; Ctrl-C ends it. In a second terminal, in this folder:")
    us = _command()
    for command in (
        f"{us} watch",
        f"{us} publish --router-id {_ROUTER_ID} --name myservice --wait-s 10",
        f"{us} requests list",
        f"curl {stage.api_url}/v2.0/vpn/vpnservices",
        f"{us} health",
        f"curl {stage.http_url}/ready",
        f"curl {stage.http_url}/metrics",
        f"tail -f {stage.worker.log_file}",
    ):
        console.print(f"  {command}")
    console.print(f"\nIn a browser on this machine: {stage.http_url}/console")
    console.print(f"From elsewhere: VPN_WORKER_AMQP_URL={_masked(stage)} (exchange {stage.prefix}.requests)\n")


def _command() -> str:
    """
    What the reader types: in a clone the one that `make` made, elsewhere the one that is installed.
    """
    return str(_IN_A_CLONE) if _IN_A_CLONE.exists() else "vpn-worker"


def _masked(stage: Stage) -> str:
    # The private broker's login is RabbitMQ's well-known local default; a given one may hold a secret.
    return stage.amqp_url if stage.is_own_broker else "(as you gave it)"
