"""
`python -m tests.chaos`: requests under fire, and an audit of what became of each.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from tests.chaos.audit import audit
from tests.chaos.conduct import conduct
from tests.chaos.plan import Pace, Size, make_plan
from tests.chaos.report import circumstances, faults, is_good, tables, write_page
from worker.errors import SandboxError

_FOLDER = Path(".sandbox/chaos")
#: Requests and kills a second that a machine with two cores can follow.
_REQUESTS_PER_S, _KILLS_PER_S = 9.5, 0.095
_SHORTEST_S = 60.0


def chaos(
    *,
    requests: Annotated[int, typer.Option(min=1, help="Requests to publish.")] = 5000,
    kills: Annotated[int, typer.Option(min=0, help="SIGKILLs for workers and broker together.")] = 50,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 3,
    seed: Annotated[
        int | None, typer.Option(help="Makes the plan; the same seed, the same plan. Default: new.")
    ] = None,
    ledger: Annotated[
        Literal["postgres", "sqlite"], typer.Option(help="Where the workers keep their jobs.")
    ] = "postgres",
    length_s: Annotated[float | None, typer.Option(help="Seconds of storm. Default: by requests and kills.")] = None,
    write: Annotated[Path | None, typer.Option(help="Page to write the tables into, between its marks.")] = None,
) -> None:
    """
    Publish requests to real workers while worker, broker, database, network and API fail, then audit every request.

    Exit status 0 when every promise was kept, 1 when not.
    """
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    pace = Pace(length_s or max(_SHORTEST_S, requests / _REQUESTS_PER_S, kills / _KILLS_PER_S))
    plan = make_plan(seed, Size(requests, kills, workers, ledger == "postgres"), pace)
    command = (
        f'make chaos ARGS="--requests {requests} --kills {kills} --workers {workers} --seed {seed} --ledger {ledger}"'
    )
    typer.echo(
        f"{command}\n  {len(plan.blows)} blows in {pace.length_s:.0f} s, then at most {pace.settle_s:g} s of calm."
    )
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir(parents=True)
    try:
        result = asyncio.run(conduct(plan, _FOLDER, typer.echo))
    except SandboxError as exc:
        typer.echo(f"chaos: {exc}", err=True)
        sys.exit(exc.exit_code)
    violations = audit(result.evidence)
    said = f"{circumstances(result, command)}\n\n{tables(result, violations)}"
    typer.echo(f"\n{said}\n")
    for line in faults(result, violations):
        typer.echo(line)
    if write is not None:
        write_page(write, said)
    typer.echo(f"Logs of all processes: {_FOLDER}")
    sys.exit(0 if is_good(result, violations) else 1)


if __name__ == "__main__":
    typer.run(chaos)
