"""
The pulse: a loop that is held up is seen, and health is looked at without anybody asking.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from tests.e2e.conftest import eventually
from worker.telemetry.health import Check, Health
from worker.telemetry.pulse import Pulse


async def test_it_sees_how_late_the_loop_was() -> None:
    pulse = Pulse(Health(lambda: datetime.now(UTC)))
    beating = asyncio.create_task(pulse.run())
    await asyncio.sleep(0)
    time.sleep(0.8)  # what a blocking call in the loop does  # noqa: ASYNC251
    await eventually(lambda: pulse.lag_s > 0, "lag")

    assert 0.25 < pulse.lag_s < 5.0

    beating.cancel()


async def test_it_looks_at_the_health_with_each_beat() -> None:
    looked = 0

    def look() -> Check:
        nonlocal looked
        looked += 1
        return Check(is_well=True, words="")

    health = Health(lambda: datetime.now(UTC))
    health.watch({"one": look})
    beating = asyncio.create_task(Pulse(health).run())
    await eventually(lambda: looked >= 2, "two looks")
    beating.cancel()
