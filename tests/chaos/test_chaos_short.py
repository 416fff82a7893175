"""
The short form of `make chaos`: real processes, real kills, and every request accounted for.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.chaos.audit import audit
from tests.chaos.conduct import Result, conduct
from tests.chaos.plan import DATABASE_KINDS, Kind, Pace, Size, make_plan
from tests.chaos.report import faults, tables
from worker.sandbox.node import server_script
from worker.sandbox.postgres_server import server_programs

PACE = Pace(
    length_s=16,
    settle_s=90,
    api_timeout_s=1.5,
    late_s=2.5,
    freeze_s=6,
    heartbeat_s=2,
    weather_s=1.5,
    build_s=0.5,
    active_s=2.0,
    journey_spread_s=1.0,
)
#: Shared out between the two runs, so that each is short and nothing is left out.
_CALM_NETWORK = frozenset(
    {Kind.WORKER_KILL, Kind.BROKER_FREEZE, Kind.BROKER_CUT_HALF, Kind.API_CUT, Kind.API_FREEZE, Kind.LOGIN}
)
_ON_SQLITE = _CALM_NETWORK | {Kind.THROTTLE}
_ON_POSTGRES = frozenset(Kind) - {
    Kind.WORKER_FREEZE,
    Kind.BROKER_FREEZE,
    Kind.BROKER_STALL,
    Kind.API_FREEZE,
    Kind.LOGIN,
}


def check(result: Result) -> None:
    """
    Every promise kept, everything done that was planned; else the report and the histories.
    """
    violations = audit(result.evidence)
    said = "\n".join([tables(result, violations), *faults(result, violations)])

    assert not violations, said
    assert not result.troubles, said
    assert len(result.plan.blows) == sum(result.blows.values())


def broker_or_skip() -> None:
    """
    Killing needs a broker of our own.
    """
    if server_script(os.environ.get("PATH", "")) is None:
        missing("rabbitmq-server")


def missing(program: str) -> None:
    """
    Skips, or fails where CI is set.
    """
    said = f"{program} is not installed on this machine"
    if os.environ.get("CI"):
        pytest.fail(said, pytrace=False)
    pytest.skip(said)


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_workers_killed_and_broker_frozen_with_a_ledger_in_a_file(tmp_path: Path) -> None:
    broker_or_skip()
    plan = make_plan(1, Size(150, 4, 3, has_database=False, kinds=_ON_SQLITE), PACE)
    check(await conduct(plan, tmp_path, lambda line: None))


@pytest.mark.timeout(240)
async def test_workers_broker_and_database_killed(tmp_path: Path) -> None:
    broker_or_skip()
    if server_programs(os.environ.get("PATH", "")) is None:
        missing("PostgreSQL")
    plan = make_plan(2, Size(150, 4, 3, has_database=True, kinds=_ON_POSTGRES), PACE)
    assert set(plan.size.kinds) >= DATABASE_KINDS
    check(await conduct(plan, tmp_path, lambda line: None))
