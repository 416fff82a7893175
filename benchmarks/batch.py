"""
`python -m benchmarks.batch`: a batch of 100,000 orders from a file to a result, a worker killed twice in the middle.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import shutil
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.report import Claim, table
from benchmarks.stage import Stage, staged
from benchmarks.usage import circumstances, load, peak_memory_mib
from worker.errors import VpnWorkerError
from worker.sandbox.places import own_folder
from worker.sandbox.processes import Child
from worker.sandbox.rabbitmq import DEFAULT_FOLDER, find_broker

_FOLDER = Path(".sandbox/benchmarks-batch")
_SMALL = 1_000
#: What 99,000 orders more may cost in memory.
_MOST_MORE_MIB = 40.0
_LOOK_S = 0.25
_WORKER: Mapping[str, object] = {
    "concurrency": 100,
    "lease_s": 10,
    "api_timeout_s": 5,
    "stranger_window_s": 1,
    "reconcile_window_s": 1,
}


@dataclass(frozen=True, slots=True)
class Run:
    """
    What came of one batch.

    Attributes:
        orders: in the file.
        kills: workers killed meanwhile.
        kills_wanted: how many were to be.
        took_s: from the start of the command to its end.
        peak_memory_mib: of the command.
        exit_status, said: of the command.
        rows: of the result file.
        in_order: whether they are the orders of the file in its order.
        created: rows that say so.
        told_services: different services in the result.
        services: at the cloud.
        strangers: services that are in one of the two alone.
    """

    orders: int
    kills: int
    kills_wanted: int
    took_s: float
    peak_memory_mib: float
    exit_status: int
    said: str
    rows: int
    in_order: bool
    created: int
    told_services: int
    services: int
    strangers: int


async def measure(amqp_url: str, folder: Path, orders: int, kills: int) -> Run:
    """
    One batch on a cloud and a worker of its own.

    Args:
        amqp_url: of a broker that runs.
        folder: for files, the ledger and logs; new.
        orders: how many.
        kills: how often the worker is killed, evenly over the batch.

    Raises:
        SandboxError: a part could not be started.
    """
    _write_orders(folder / "orders.csv", orders)
    async with staged(amqp_url, folder, ["--services-per-vpc", "0"], _WORKER) as stage:
        begun = time.monotonic()
        async with _publishing(stage, folder) as command:
            watching = asyncio.create_task(_peak_mib(command.pid))
            killed: list[int] = []
            killing = asyncio.create_task(_kill(stage, folder / "ledger.sqlite3", _marks(orders, kills), killed))
            status = await command.wait()
            took_s = time.monotonic() - begun
            await _ended(killing)
        services = await stage.service_ids()
    rows = _rows(folder / "result.csv")
    told = {row["service_id"] for row in rows if row["status"] == "created"}
    return Run(
        orders=orders,
        kills=len(killed),
        kills_wanted=kills,
        took_s=took_s,
        peak_memory_mib=await watching,
        exit_status=status,
        said=" ".join(command.lines),
        rows=len(rows),
        in_order=[row["id"] for row in rows] == [_id(number) for number in range(orders)],
        created=sum(row["status"] == "created" for row in rows),
        told_services=len(told),
        services=len(services),
        strangers=len(told ^ set(services)),
    )


def claims_of(runs: Sequence[Run]) -> list[Claim]:
    """
    What must hold.
    """
    claims = []
    for run in runs:
        whole = (run.rows, run.created, run.told_services, run.services)
        name = f"{run.orders:,} orders, {run.kills} workers killed"
        claims += [
            Claim(f"{name}: as many as wanted", run.kills == run.kills_wanted, f"{run.kills} of {run.kills_wanted}"),
            Claim(f"{name}: exit status 0", run.exit_status == 0, f"{run.exit_status}, {run.said}"),
            Claim(f"{name}: a row for every order, in the order of the file", run.in_order, f"{run.rows:,} rows"),
            Claim(
                f"{name}: each created, once, as the cloud has it",
                Counter(whole) == Counter({run.orders: 4}) and run.strangers == 0,
                "{:,} rows, {:,} created, {:,} services told, {:,} at the cloud".format(*whole),
            ),
        ]
    if len(runs) > 1:
        more = runs[-1].peak_memory_mib - runs[0].peak_memory_mib
        words = f"memory for {runs[-1].orders - runs[0].orders:,} orders more is under {_MOST_MORE_MIB:g} MiB"
        claims.append(Claim(words, more < _MOST_MORE_MIB, f"{more:.1f} MiB"))
    return claims


def shown(runs: Sequence[Run]) -> str:
    """
    The figures for people.
    """
    heads = ("orders", "workers killed", "took s", "orders/s", "peak MiB of the command")
    return table(
        heads,
        [(f"{run.orders:,}", run.kills, run.took_s, run.orders / run.took_s, run.peak_memory_mib) for run in runs],
    )


def _publishing(stage: Stage, folder: Path) -> Child:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VPN_WORKER_", "OS_"))}
    return Child(
        [
            *(sys.executable, "-m", "worker", "publish", str(folder / "orders.csv")),
            *("--wait", "--result", str(folder / "result.csv")),
        ],
        log_file=folder / "publish.log",
        env=kept | {"VPN_WORKER_AMQP_URL": stage.amqp_url, "VPN_WORKER_PREFIX": stage.routes.prefix},
    )


def _marks(orders: int, kills: int) -> list[int]:
    return [orders * kill // (kills + 1) for kill in range(1, kills + 1)]


async def _kill(stage: Stage, ledger: Path, marks: Sequence[int], killed: list[int]) -> None:
    """
    Kills the worker at each of these numbers of services; notes who was killed.
    """
    for mark in marks:
        created = -1
        while created < mark:
            await asyncio.sleep(_LOOK_S)
            created = _created(ledger)
        killed.append(stage.worker.pid)
        await stage.kill_worker()


async def _ended(killing: asyncio.Task[None]) -> None:
    if killing.done():
        await killing  # what went wrong there is not to be missed
    killing.cancel()
    await asyncio.wait({killing})


async def _peak_mib(pid: int) -> float:
    peak = 0.0
    while (now := peak_memory_mib(pid)) is not None:
        peak = now
        await asyncio.sleep(_LOOK_S)
    return peak


def _created(ledger: Path) -> int:
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as database:
        return int(database.execute("SELECT count(*) FROM jobs WHERE outcome = 'created'").fetchone()[0])


def _write_orders(file: Path, orders: int) -> None:
    file.parent.mkdir(parents=True)
    with file.open("w", newline="", encoding="utf-8") as told:
        writer = csv.writer(told)
        writer.writerow(("order", "router_id", "name"))
        writer.writerows((_id(number), f"router-{number}", f"service {number}") for number in range(orders))


def _id(number: int) -> str:
    return f"2026-{number:06}"


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as told:
        return list(csv.DictReader(told))


async def _measure_both(orders: int, kills: int, folder: Path) -> list[Run]:
    async with find_broker(DEFAULT_FOLDER, _talk) as broker:
        small = await measure(broker.amqp_url, folder / "small", min(_SMALL, orders), 0)
        _talk(f"{small.orders:,} orders took {small.took_s:.0f} s")
        return [small, await measure(broker.amqp_url, folder / "large", orders, kills)]


def batch(
    *,
    orders: Annotated[int, typer.Option(min=1, help="Orders of the large batch.")] = 100_000,
    kills: Annotated[int, typer.Option(min=0, help="How often the worker is killed meanwhile.")] = 2,
    folder: Annotated[Path, typer.Option(help="For files, ledgers and logs.")] = _FOLDER,
    json_file: Annotated[Path | None, typer.Option("--json", help="File to write the figures to.")] = None,
) -> None:
    """
    Have `vpn-worker publish` send and follow a batch on a real RabbitMQ, with a simulated cloud and a real worker.

    Exit status 0 when every claim holds, 1 when one does not.
    """
    load_before = load()
    try:
        with own_folder(folder) as mine:
            shutil.rmtree(mine, ignore_errors=True)
            runs = asyncio.run(_measure_both(orders, kills, mine))
    except VpnWorkerError as exc:
        typer.echo(f"batch: {exc}\nLogs of all processes: {folder}", err=True)
        sys.exit(exc.exit_code)
    if json_file is not None:
        json_file.write_text(json.dumps([asdict(run) for run in runs], indent=2) + "\n", encoding="utf-8")
    claims = claims_of(runs)
    for part in (circumstances(load_before), shown(runs), "\n".join(claim.line() for claim in claims)):
        typer.echo(f"\n{part}")
    sys.exit(0 if all(claim.is_true for claim in claims) else 1)


def _talk(line: str) -> None:
    typer.echo(f"  {line}", err=True)


if __name__ == "__main__":
    typer.run(batch)
