"""
The watchman: when the kill switch trips, nothing more is taken until a probe is answered.
"""

from __future__ import annotations

import asyncio

from tests.stand_ins import Now
from worker.core.answers import Busy, CreateAnswer, ListAnswer, Listed, Misconfigured, Trouble
from worker.core.job import RequestKey
from worker.core.killswitch import Mode
from worker.core.policy import Policy
from worker.gate import Gate
from worker.watchman import Watchman

DOWN = Busy(Trouble("look_failed", "503", 503))
WRONG = Misconfigured(Trouble("credentials_refused", "who are you?", 401))
POLICY = Policy(pause_s=0.05)
SOON_S = 5.0


class Taking:
    """
    Notes what it is told.
    """

    def __init__(self) -> None:
        self.told: list[str] = []
        self.resumed = asyncio.Event()

    async def pause(self) -> None:
        self.told.append("pause")

    async def resume(self) -> None:
        self.told.append("resume")
        self.resumed.set()


class ProbedCloud:
    """
    Answers probes by a script, the last line again and again, and counts them.
    """

    def __init__(self, *answers: ListAnswer) -> None:
        self.answers = list(answers)
        self.probes = 0
        self.mended = asyncio.Event()

    async def create(self, body: bytes, tenant_id: str | None) -> CreateAnswer:
        raise NotImplementedError

    async def list_services(self, router_id: str, tenant_id: str | None) -> ListAnswer:
        raise NotImplementedError

    async def recovered(self) -> None:
        await self.mended.wait()

    async def probe(self) -> ListAnswer:
        self.probes += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def trip(gate: Gate) -> None:
    gate.heed_create(RequestKey("shop", "order-1"), WRONG)


async def test_it_stops_taking_probes_and_takes_again() -> None:
    gate, taking = Gate(POLICY), Taking()
    cloud = ProbedCloud(WRONG, WRONG, Listed(()))
    watching = asyncio.create_task(Watchman(gate, cloud, taking, Now(), POLICY).run())
    trip(gate)
    async with asyncio.timeout(SOON_S):
        await taking.resumed.wait()

    assert ["pause", "resume"] == taking.told
    assert 3 == cloud.probes
    assert Mode.TRYING is gate.switch.mode

    watching.cancel()


async def test_it_works_again_at_the_next_trip() -> None:
    gate, taking = Gate(POLICY), Taking()
    watching = asyncio.create_task(Watchman(gate, ProbedCloud(Listed(())), taking, Now(), POLICY).run())
    async with asyncio.timeout(SOON_S):
        for _ in range(2):
            trip(gate)
            await taking.resumed.wait()
            taking.resumed.clear()

    assert ["pause", "resume", "pause", "resume"] == taking.told

    watching.cancel()


async def test_a_settings_fault_that_turns_out_an_outage_is_probed_as_one() -> None:
    policy = Policy(pause_s=0.01)
    gate, taking = Gate(policy), Taking()
    watching = asyncio.create_task(Watchman(gate, ProbedCloud(DOWN, Listed(())), taking, Now(), policy).run())
    trip(gate)
    async with asyncio.timeout(SOON_S):
        await taking.resumed.wait()

    assert not gate.switch.is_settings_fault

    watching.cancel()


async def test_a_login_that_is_mended_is_probed_at_once() -> None:
    """
    An operator who has replaced a secret should not wait for a pause of minutes to end.
    """
    policy = Policy(pause_s=600.0)
    gate, taking, cloud = Gate(policy), Taking(), ProbedCloud(Listed(()))
    watching = asyncio.create_task(Watchman(gate, cloud, taking, Now(), policy).run())
    trip(gate)
    await asyncio.sleep(0)
    cloud.mended.set()
    async with asyncio.timeout(SOON_S):
        await taking.resumed.wait()
    watching.cancel()

    assert 1 == cloud.probes


async def test_a_stop_ends_the_probing_and_takes_nothing_more() -> None:
    gate, taking = Gate(Policy(pause_s=600.0)), Taking()
    cloud = ProbedCloud(WRONG)
    watching = asyncio.create_task(Watchman(gate, cloud, taking, Now(), Policy(pause_s=600.0)).run())
    trip(gate)
    await asyncio.sleep(0)
    gate.stop()
    await asyncio.sleep(0.05)  # long enough for a probe that should not be

    assert "resume" not in taking.told
    assert 0 == cloud.probes
    assert not watching.done()  # its end would end the worker at once, and what it was sending with it

    watching.cancel()


async def test_a_long_pause_and_a_failing_ledger_stop_the_taking_as_well() -> None:
    """
    With each reconnect RabbitMQ counts a return of everything held, and parks it in the end.
    """
    gate, taking = Gate(POLICY), Taking()
    watching = asyncio.create_task(Watchman(gate, ProbedCloud(Listed(())), taking, Now(), POLICY).run())
    gate.close_for(6.0, "429")
    async with asyncio.timeout(3 * SOON_S):
        await taking.resumed.wait()

    assert ["pause", "resume"] == taking.told

    watching.cancel()
