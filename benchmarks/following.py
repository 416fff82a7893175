"""
`python -m benchmarks.following`: what following thousands of services costs, and what it does to creating others.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import follow_beside, follow_cost
from benchmarks.follow_beside import OTHERS, Beside, BesidePlan
from benchmarks.follow_cost import Cost, CostPlan
from benchmarks.report import Claim
from benchmarks.usage import circumstances, load
from worker.errors import VpnWorkerError
from worker.sandbox.places import own_folder
from worker.sandbox.rabbitmq import DEFAULT_FOLDER, find_broker

_FOLDER = Path(".sandbox/benchmarks-following")
_SHORT_COST = CostPlan(sizes=(150,), interval_s=0.5, length_s=1.5, naive_s=0.5)
_SHORT_BESIDE = BesidePlan(services=150, modes=(OTHERS,), rounds=1, length_s=2.0, warm_up_s=0.5, interval_s=0.5)


@dataclass(frozen=True, slots=True)
class Result:
    """
    Both parts; one that was left out is empty.
    """

    costs: Sequence[Cost]
    besides: Sequence[Beside]


async def measure(cost_plan: CostPlan, beside_plan: BesidePlan, folder: Path) -> Result:
    """
    Runs both parts on one RabbitMQ: the one that VPN_WORKER_AMQP_URL names, else a private one that ends with us.

    Raises:
        VpnWorkerError: a part could not be started, or does not do its work.
    """
    async with find_broker(DEFAULT_FOLDER, _talk) as broker:
        costs = await follow_cost.price(broker.amqp_url, folder, cost_plan, _talk)
        return Result(costs, await follow_beside.compete(broker.amqp_url, folder, beside_plan, _talk))


def claims_of(result: Result, *, short: bool) -> list[Claim]:
    """
    What must hold: counts on any machine; shares and speeds only of long measurements.
    """
    claims = follow_cost.counted(result.costs) + follow_beside.counted(result.besides)
    if not short:
        claims += (follow_cost.judged(result.costs) if result.costs else []) + follow_beside.judged(result.besides)
    return claims


def following(
    *,
    services: Annotated[list[int], typer.Option(min=1, help="Services followed in the first part; repeatable.")] = [  # noqa: B006 - typer copies it
        *follow_cost.SIZES
    ],
    length_s: Annotated[float, typer.Option("--seconds", min=1, help="Length of each of its measurements.")] = 60.0,
    rounds: Annotated[int, typer.Option(min=0, help="Rounds of the second part, beside creating; 0: none.")] = 3,
    short: Annotated[bool, typer.Option("--short", help="A few seconds; counts are judged, nothing else is.")] = False,
    folder: Annotated[Path, typer.Option(help="For ledgers and logs.")] = _FOLDER,
    json_file: Annotated[Path | None, typer.Option("--json", help="File to write the figures to.")] = None,
) -> None:
    """
    Have a real worker follow services of a simulated cloud on a real RabbitMQ, and count what that costs.

    Exit status 0 when every claim holds, 1 when one does not.
    """
    cost_plan = _SHORT_COST if short else CostPlan(sizes=sorted(services), length_s=length_s)
    beside_plan = _SHORT_BESIDE if short else BesidePlan(rounds=rounds)
    load_before = load()
    try:
        with own_folder(folder) as mine:
            shutil.rmtree(mine, ignore_errors=True)
            result = asyncio.run(measure(cost_plan, beside_plan, mine))
    except VpnWorkerError as exc:
        typer.echo(f"following: {exc}\nLogs of all processes: {folder}", err=True)
        sys.exit(exc.exit_code)
    if json_file is not None:
        json_file.write_text(json.dumps(asdict(result), indent=2) + "\n", encoding="utf-8")
    claims = claims_of(result, short=short)
    tables = [follow_cost.shown(result.costs)] if result.costs else []
    tables += [follow_beside.shown(result.besides)] if result.besides else []
    for part in (circumstances(load_before), *tables, "\n".join(claim.line() for claim in claims)):
        typer.echo(f"\n{part}")
    sys.exit(0 if all(claim.is_true for claim in claims) else 1)


def _talk(line: str) -> None:
    typer.echo(f"  {line}", err=True)


if __name__ == "__main__":
    typer.run(following)
