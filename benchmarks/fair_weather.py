"""
`python -m benchmarks.fair_weather`: how many API calls a created service costs, and how the worker does at capacity.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import at_capacity
from benchmarks.at_capacity import ADAPTIVE, MODES, Bout, Contest
from benchmarks.report import Claim, table
from benchmarks.stage import CloudCounts, staged
from benchmarks.traffic import open_traffic, orders, share_at
from benchmarks.usage import circumstances, cpu_s, load, peak_memory_mib
from worker.errors import VpnWorkerError
from worker.sandbox.places import own_folder
from worker.sandbox.rabbitmq import DEFAULT_FOLDER, find_broker

_FOLDER = Path(".sandbox/benchmarks")
_LATENCY_MS = 5
_CUSTOMERS = 100
_SHORT_REQUESTS = 300
_SHORT = Contest(limits=(ADAPTIVE,), modes=tuple(MODES)[:1], rounds=1, length_s=2.0, warm_up_s=0.5)


@dataclass(frozen=True, slots=True)
class Fair:
    """
    What came of the requests in fair weather.

    Attributes:
        requests: published and confirmed.
        created: told as created; `copies`: outcomes told more than once.
        counts: the cloud's.
        lasted_s: from the first publish to the last outcome.
        p50_s, p99_s: from publishing to the outcome.
        cpu_ms: the worker's processor time for a request; None where the system does not tell.
        peak_memory_mib: the worker's.
        exit_status: of the worker, after SIGTERM.
    """

    requests: int
    created: int
    copies: int
    counts: CloudCounts
    lasted_s: float
    p50_s: float
    p99_s: float
    cpu_ms: float | None
    peak_memory_mib: float | None
    exit_status: int

    @property
    def calls_per_service(self) -> float:
        """
        API calls for each service that was told as created, logins aside.
        """
        return (self.counts.creates + self.counts.lists + self.counts.shows) / max(1, self.created)


@dataclass(frozen=True, slots=True)
class Result:
    """
    Both parts; one that was left out is None or empty.
    """

    fair: Fair | None
    bouts: Sequence[Bout]


async def measure(requests: int, contest: Contest, folder: Path) -> Result:
    """
    Runs both parts on one RabbitMQ: the one that VPN_WORKER_AMQP_URL names, else a private one that ends with us.

    Raises:
        VpnWorkerError: a part could not be started, or an outcome is missing.
    """
    async with find_broker(DEFAULT_FOLDER, _talk) as broker:
        fair = await _fair(broker.amqp_url, folder / "fair", requests) if requests else None
        return Result(fair, await at_capacity.compete(broker.amqp_url, folder, contest, _talk))


async def _fair(amqp_url: str, folder: Path, requests: int) -> Fair:
    async with staged(amqp_url, folder, ["--latency-ms", str(_LATENCY_MS)], {}) as stage:
        worker = stage.worker
        async with open_traffic(stage) as traffic:
            cpu_before_s, began_s = cpu_s(worker.pid), time.monotonic()
            await traffic.run(_CUSTOMERS, itertools.islice(orders(), requests))
            lasted_s, cpu_after_s = time.monotonic() - began_s, cpu_s(worker.pid)
        memory_mib = peak_memory_mib(worker.pid)
        exit_status = await stage.stop_worker()
        counts = await stage.counts()
    times_s = [told.took_s for told in traffic.told]
    return Fair(
        requests=len(traffic.told),
        created=sum(told.is_created for told in traffic.told),
        copies=traffic.copies,
        counts=counts,
        lasted_s=lasted_s,
        p50_s=share_at(times_s, 0.5),
        p99_s=share_at(times_s, 0.99),
        cpu_ms=None if cpu_before_s is None or cpu_after_s is None else 1000 * (cpu_after_s - cpu_before_s) / requests,
        peak_memory_mib=memory_mib,
        exit_status=exit_status,
    )


def fair_claims(fair: Fair) -> list[Claim]:
    """
    What must hold on any machine.
    """
    counts = fair.counts
    return [
        Claim(
            "every request told once, as created",
            fair.created == fair.requests and fair.copies == 0,
            f"{fair.created} of {fair.requests}, {fair.copies} told again",
        ),
        Claim("as many services in the cloud", counts.services == fair.created, str(counts.services)),
        Claim(
            "POSTs for each created service are exactly 1.00",
            counts.creates == fair.created,
            f"{counts.creates} for {fair.created}",
        ),
        Claim("no look-up", counts.lists + counts.shows == 0, f"{counts.lists} lists, {counts.shows} shows"),
        Claim("one login for all", counts.logins == 1, str(counts.logins)),
        Claim("no 429", counts.throttled == 0, str(counts.throttled)),
        Claim("the worker ended in good order", fair.exit_status == 0, f"exit status {fair.exit_status}"),
    ]


def fair_table(fair: Fair) -> str:
    """
    The figures of the first part.
    """
    counts, services = fair.counts, max(1, fair.created)
    calls = (("create", counts.creates), ("list", counts.lists), ("show", counts.shows))
    return table(
        (f"fair weather, API latency {_LATENCY_MS} ms, {_CUSTOMERS} requests on their way at once", ""),
        [
            ("requests", fair.requests),
            ("services told as created", fair.created),
            ("API calls for each, logins aside", fair.calls_per_service),
            *((f"... {kind}", number / services) for kind, number in calls),
            ("logins, all in all", counts.logins),
            ("429s", counts.throttled),
            ("requests/s", f"{fair.requests / fair.lasted_s:.0f}"),
            ("ms from publishing to the outcome, p50", f"{1000 * fair.p50_s:.0f}"),
            ("ms from publishing to the outcome, p99", f"{1000 * fair.p99_s:.0f}"),
            ("ms of the worker's processor time for a request", fair.cpu_ms),
            ("MiB of memory of the worker, at most", fair.peak_memory_mib),
        ],
    )


def fair_weather(
    *,
    requests: Annotated[int, typer.Option(min=0, help="Requests of the first part; 0: none.")] = 10_000,
    rounds: Annotated[int, typer.Option(min=0, help="Rounds of the second part, at capacity; 0: none.")] = 3,
    short: Annotated[bool, typer.Option("--short", help="A few seconds; counts are judged, speed is not.")] = False,
    folder: Annotated[Path, typer.Option(help="For ledgers and logs.")] = _FOLDER,
    json_file: Annotated[Path | None, typer.Option("--json", help="File to write the figures to.")] = None,
) -> None:
    """
    Publish requests to a real worker on a real RabbitMQ with a simulated cloud, and count what they cost.

    Exit status 0 when every claim holds, 1 when one does not.
    """
    contest = _SHORT if short else Contest(rounds=rounds)
    load_before = load()
    try:
        with own_folder(folder) as mine:
            shutil.rmtree(mine, ignore_errors=True)
            result = asyncio.run(measure(_SHORT_REQUESTS if short else requests, contest, mine))
    except VpnWorkerError as exc:
        typer.echo(f"fair_weather: {exc}\nLogs of all processes: {folder}", err=True)
        sys.exit(exc.exit_code)
    if json_file is not None:
        json_file.write_text(json.dumps(asdict(result), indent=2) + "\n", encoding="utf-8")
    claims = (fair_claims(result.fair) if result.fair else []) + at_capacity.counted(result.bouts)
    if not short:
        claims += at_capacity.judged(result.bouts)
    tables = [fair_table(result.fair)] if result.fair else []
    tables += [at_capacity.shown(result.bouts)] if result.bouts else []
    for part in (circumstances(load_before), *tables, "\n".join(claim.line() for claim in claims)):
        typer.echo(f"\n{part}")
    sys.exit(0 if all(claim.is_true for claim in claims) else 1)


def _talk(line: str) -> None:
    typer.echo(f"  {line}", err=True)


if __name__ == "__main__":
    typer.run(fair_weather)
