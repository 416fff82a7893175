"""
Stops taking requests when the kill switch trips, probes the cloud, and takes them again.

It stops as well during a long 429 and while the ledger refuses: RabbitMQ counts a return of everything held with each
reconnect, and in the end it would park what nobody could work on.
"""

from __future__ import annotations

import asyncio

import structlog

from worker.core.answers import Busy, Misconfigured
from worker.core.killswitch import Mode, probe_delay_s
from worker.core.policy import Policy
from worker.facts import note
from worker.facts.calls import TakingResumed, TakingStopped
from worker.gate import Gate
from worker.ports import Clock, Cloud, Taking

log = structlog.get_logger()

_LOOK_S = 1.0


class Watchman:
    """
    Works the kill switch. While there is trouble the queue waits: no rung, no attempt and no dead letter is spent.

    Args:
        gate: where the switch is.
        cloud: whom to probe.
        taking: what to stop.
        clock: luck for the waits between probes.
        policy: how patient to be.
    """

    def __init__(self, gate: Gate, cloud: Cloud, taking: Taking, clock: Clock, policy: Policy) -> None:
        self._gate = gate
        self._cloud = cloud
        self._taking = taking
        self._clock = clock
        self._policy = policy

    async def run(self) -> None:
        """
        Goes on until the process stops.
        """
        while True:
            await self._gate.troubled()
            note(TakingStopped(self._gate.trouble_cause, self._gate.trouble or ""))
            await self._taking.pause()
            while self._gate.trouble is not None:
                goes_on = await (self._answered() if self._is_tripped() else self._gate.rest(_LOOK_S))
                if not goes_on:
                    await asyncio.Event().wait()  # nothing more is taken; whoever stops the process ends us
            await self._taking.resume()
            note(TakingResumed())

    async def _rested(self, delay_s: float) -> bool:
        """
        Waits `delay_s` seconds, or until a login is mended. False: the process is stopping first.
        """
        resting = asyncio.ensure_future(self._gate.rest(delay_s))
        mended = asyncio.ensure_future(self._cloud.recovered())
        try:
            await asyncio.wait({resting, mended}, return_when=asyncio.FIRST_COMPLETED)
            return resting.result() if resting.done() else True
        finally:
            resting.cancel()
            mended.cancel()

    def _is_tripped(self) -> bool:
        return self._gate.switch.mode is Mode.STOPPED

    async def _answered(self) -> bool:
        probes = 0
        while self._gate.switch.mode is Mode.STOPPED:
            delay_s = probe_delay_s(self._gate.switch, probes, self._clock.roll(), self._policy)
            if not await self._rested(delay_s):
                return False
            answer = await self._cloud.probe()
            probes += 1
            trouble = answer.trouble if isinstance(answer, Busy | Misconfigured) else None
            log.info("cloud.probed", probes=probes, trouble=trouble.message if trouble else None)
            self._gate.heed_probe(answer)
        return True
