"""
Stops taking requests when the kill switch trips, probes the cloud, and takes them again.
"""

from __future__ import annotations

import uuid

import structlog

from worker.core.answers import Busy, Misconfigured
from worker.core.killswitch import Mode, probe_delay_s
from worker.core.policy import Policy
from worker.gate import Gate
from worker.ports import Clock, Cloud, Taking

log = structlog.get_logger()


class Watchman:
    """
    Works the kill switch. While it is tripped the queue waits: no rung, no attempt and no dead letter is spent.

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
        Goes on until it is cancelled.
        """
        while True:
            await self._gate.tripped()
            await self._taking.pause()
            if not await self._answered():
                return
            await self._taking.resume()

    async def _answered(self) -> bool:
        probes = 0
        while self._gate.switch.mode is Mode.STOPPED:
            delay_s = probe_delay_s(self._gate.switch, probes, self._clock.roll(), self._policy)
            if not await self._gate.rest(delay_s):
                return False
            # A router that nobody has: nothing is changed, and no trouble of one router can keep us shut.
            answer = await self._cloud.list_services(str(uuid.uuid4()))
            probes += 1
            trouble = answer.trouble if isinstance(answer, Busy | Misconfigured) else None
            log.info("cloud.probed", probes=probes, trouble=trouble.message if trouble else None)
            self._gate.heed_probe(answer)
        return True
