"""
A message that kills whoever touches it, shown with real deaths: it is parked, its neighbours get their services.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from typing import TYPE_CHECKING

from tests.e2e.conftest import READY_S, worker_environment
from tests.e2e.shop import Shop, binary, order
from tests.e2e.test_crash import requests_told
from worker.errors import SandboxError
from worker.quarantine import POISON_TRIES, SUSPECT_AFTER
from worker.sandbox.processes import Child

if TYPE_CHECKING:
    from pathlib import Path

    from worker.simulator import Simulator

NEIGHBOURS = 30
#: Starts a worker in whose process reading one name ends it as a fault in a C library would: no exception, no goodbye.
MORTAL = """
import os, signal
import messages.envelope as envelope
import worker.intake as intake
read = envelope.decode_request
def decode_request(message):
    if b"deadly" in message.body:
        os.kill(os.getpid(), signal.SIGSEGV)
    return read(message)
intake.decode_request = decode_request
from worker.cli import main
import sys
sys.argv = ["vpn-worker", "run"]
main()
"""


async def live_until_killed(settings: dict[str, object], folder: Path, life: int) -> int:
    """
    The status with which one worker ended.
    """
    argv = [sys.executable, "-c", MORTAL]
    async with Child(argv, log_file=folder / f"life-{life}.log", env=worker_environment(settings)) as child:
        with contextlib.suppress(SandboxError):  # it may die before it can say that it is ready
            await child.ready_line("{", READY_S)
        return await child.wait()


async def test_poison_is_parked_after_its_limit_and_takes_no_neighbour_with_it(
    shop: Shop, cloud: Simulator, amqp_url: str, tmp_path: Path
) -> None:
    settings: dict[str, object] = {
        "amqp_url": amqp_url,
        "api_url": cloud.url,
        "auth": "none",
        "prefix": shop.prefix,
        "ledger_url": f"sqlite:///{tmp_path / 'ledger.sqlite3'}",
        "stranger_window_s": 0.5,
        "reconcile_window_s": 1,
        "lease_s": 10,
        "api_timeout_s": 5,
    }
    innocent = [(order(f"router-{number}"), binary(f"order-{number}")) for number in range(NEIGHBOURS)]
    deadly = (order("router-deadly", name="deadly"), binary("deadly"))
    await shop.publish(*innocent[: NEIGHBOURS // 2], deadly, *innocent[NEIGHBOURS // 2 :])

    deaths = 0

    async def serve() -> None:
        nonlocal deaths
        while await live_until_killed(settings, tmp_path, deaths) == -signal.SIGSEGV:
            deaths += 1

    serving = asyncio.create_task(serve())
    try:
        # Who dies between an event and its ack tells it again, under the same id.
        told = await shop.until(lambda told: len(requests_told(told)) == NEIGHBOURS, 90.0)
        parked = await shop.dead(1, timeout_s=60.0)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    assert {"vpn.vpnservice.created.v1"} == {event.type for event in told if event.is_outcome}
    assert {f"order-{number}" for number in range(NEIGHBOURS)} == requests_told(told)
    assert NEIGHBOURS == len(cloud.state.services)
    assert ["poison"] == [letter.headers["x-vpn-reason"] for letter in parked]
    assert deadly[0] == parked[0].body
    assert SUSPECT_AFTER + POISON_TRIES == deaths
