"""
The fair-weather benchmark in its short form: real processes, counts judged, and nothing left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.at_capacity import ADAPTIVE, MODES, Bout, counted, judged
from benchmarks.fair_weather import Fair, fair_claims, fair_table
from benchmarks.stage import CloudCounts
from tests.e2e.conftest import eventually, worker_environment
from worker.sandbox.processes import Child
from worker.sandbox.rabbitmq import PrivateBroker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from worker.sandbox.rabbitmq import Broker

pytestmark = pytest.mark.long


COUNTS = CloudCounts(creates=300, lists=0, shows=0, logins=1, throttled=0, services=300, peak_at_once=10)
FAIR = Fair(300, 300, 0, COUNTS, 2.0, 0.1, 0.2, 2.5, 60.0, 0)
REFUSING, QUEUEING = MODES


def bout(mode: str, limit: str, per_s: float, counts: CloudCounts = COUNTS) -> Bout:
    """
    A measurement in which all went well.
    """
    return Bout(mode, limit, per_s, 1.0, 2.0, told=300, created=300, copies=0, counts=counts)


@asynccontextmanager
async def benchmark(folder: Path, amqp_url: str, *flags: str) -> AsyncIterator[Child]:
    """
    A benchmark that runs in its folder, on the test's broker.
    """
    argv = [sys.executable, "-m", "benchmarks.fair_weather", "--folder", str(folder / "runs"), *flags]
    async with Child(argv, log_file=folder / "said.log", env=worker_environment({"amqp_url": amqp_url})) as child:
        yield child


def children_of(pid: int) -> set[int]:
    """
    The processes that it has started and that run.
    """
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:  # proc(5): field 4, ppid
                found.add(int(process.name))
    return found


def still_there(pids: set[int]) -> set[int]:
    """
    Those of the processes that run.
    """
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}


async def queues(broker: Broker) -> list[str]:
    """
    The queues of benchmarks at the broker.
    """
    if not isinstance(broker, PrivateBroker):
        return []  # only a broker of our own tells its queues
    return [name for name in (await broker.ctl("list_queues", "name")).split() if name.startswith("bench-")]


async def test_each_service_costs_one_call_and_all_of_them_one_login(
    tmp_path: Path, amqp_url: str, broker: Broker
) -> None:
    async with benchmark(tmp_path, amqp_url, "--short", "--json", str(tmp_path / "found.json")) as child:
        async with asyncio.timeout(90):
            status = await child.wait()
        await child.stop()
        said = "\n".join(child.lines)

    assert 0 == status, said + child.log_file.read_text()
    found = json.loads((tmp_path / "found.json").read_text())
    fair, at_capacity = found["fair"], found["bouts"][0]
    assert COUNTS.services == fair["created"] == fair["counts"]["services"] == fair["counts"]["creates"]
    assert (0, 0, 1) == (fair["counts"]["lists"], fair["counts"]["shows"], fair["counts"]["logins"])
    assert at_capacity["created"] == at_capacity["counts"]["services"] > 0
    assert "NO " not in said
    assert "one login for all: 1" in said
    assert [] == await queues(broker)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_ctrl_c_in_the_middle_leaves_nothing(tmp_path: Path, amqp_url: str, broker: Broker) -> None:
    log = tmp_path / "runs" / "node-1" / "fair" / "worker.log"
    async with benchmark(tmp_path, amqp_url, "--requests", "1000000") as child:
        await eventually(lambda: log.exists() and "request.created" in log.read_text(), "created service", 60)
        children = children_of(child.pid)
        os.kill(child.pid, signal.SIGINT)
        async with asyncio.timeout(60):
            status = await child.wait()

    assert 130 == status
    assert 2 == len(children)
    assert set() == still_there(children)
    assert "Traceback" not in child.log_file.read_text()
    assert [] == await queues(broker)


@pytest.mark.parametrize(
    "fair",
    [
        replace(FAIR, created=299),
        replace(FAIR, copies=1),
        replace(FAIR, exit_status=1),
        replace(FAIR, counts=replace(COUNTS, creates=301)),
        replace(FAIR, counts=replace(COUNTS, lists=1)),
        replace(FAIR, counts=replace(COUNTS, shows=1)),
        replace(FAIR, counts=replace(COUNTS, logins=2)),
        replace(FAIR, counts=replace(COUNTS, throttled=1)),
        replace(FAIR, counts=replace(COUNTS, services=301)),
    ],
)
def test_one_call_too_many_fails_the_benchmark(fair: Fair) -> None:
    assert all(claim.is_true for claim in fair_claims(FAIR))
    assert not all(claim.is_true for claim in fair_claims(fair))


def test_an_extra_call_shows_in_the_price_of_a_service() -> None:
    dear = replace(FAIR, counts=replace(COUNTS, lists=30))

    assert "1.00" in fair_table(FAIR).splitlines()[4]
    assert "1.10" in fair_table(dear).splitlines()[4]


@pytest.mark.parametrize(
    ("slow", "counts", "broken"),
    [
        (100.0, COUNTS, 0),
        (81.0, COUNTS, 0),
        (79.0, COUNTS, 1),
        (100.0, replace(COUNTS, creates=302, throttled=2), 0),
        (100.0, replace(COUNTS, creates=310, throttled=10), 1),
    ],
)
def test_the_adaptive_limit_must_keep_up_without_being_refused(slow: float, counts: CloudCounts, broken: int) -> None:
    bouts = [bout(REFUSING, ADAPTIVE, slow, counts), bout(REFUSING, "10", 100.0), bout(REFUSING, "4", 40.0)]

    assert broken == sum(not claim.is_true for claim in judged(bouts))


def test_each_cloud_is_judged_by_its_own_measurements() -> None:
    bouts = [
        bout(mode, limit, per_s)
        for mode, limit, per_s in (
            (REFUSING, ADAPTIVE, 90.0),
            (REFUSING, "10", 100.0),
            (QUEUEING, ADAPTIVE, 60.0),
            (QUEUEING, "20", 100.0),
        )
    ]

    assert [f"cloud {QUEUEING}: adaptive reaches 80 % of the best fixed limit"] == [
        claim.words for claim in judged(bouts) if not claim.is_true
    ]


@pytest.mark.parametrize(
    "counts",
    [
        replace(COUNTS, creates=301),
        replace(COUNTS, lists=1),
        replace(COUNTS, services=301),
        replace(COUNTS, logins=2),
        replace(COUNTS, peak_at_once=11),
    ],
)
def test_at_capacity_the_counts_must_be_exact_too(counts: CloudCounts) -> None:
    refused = replace(COUNTS, creates=303, throttled=3)

    assert all(claim.is_true for claim in counted([bout(REFUSING, "10", 100.0, refused)]))
    assert not all(claim.is_true for claim in counted([bout(REFUSING, "10", 100.0, counts)]))
