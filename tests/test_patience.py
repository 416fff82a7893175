"""
Patience with a ledger that refuses: asked until it gives way, and told without filling the log.
"""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from tests.virtual_time import run_virtually
from worker.errors import LedgerError
from worker.facts import hooked
from worker.facts.ledger import LedgerFailed
from worker.facts.noting import Fact
from worker.gate import Gate
from worker.patience import insist

HELD, OUTAGE_S = 20, 100.0


def test_an_outage_with_many_requests_at_hand_is_a_few_lines_and_every_refusal_is_counted() -> None:
    noted: list[Fact] = []

    async def story() -> None:
        loop, gate = asyncio.get_running_loop(), Gate()
        end_s = loop.time() + OUTAGE_S

        async def write() -> None:
            if loop.time() < end_s:
                raise LedgerError("disk full")

        with hooked(noted.append):
            await asyncio.gather(*(insist(gate, write) for _ in range(HELD)))

    with capture_logs() as lines:
        run_virtually(story())
    told = [line for line in lines if line["event"] == "ledger.unavailable"]

    assert HELD * OUTAGE_S == len([fact for fact in noted if isinstance(fact, LedgerFailed)])
    assert [1, *[30 * HELD] * 3] == [line["refusals"] for line in told]
    assert {"disk full"} == {line["error"] for line in told}
