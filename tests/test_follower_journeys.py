"""
Random journeys of services, followed by workers that die at random calls.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.following import PENDING, FollowWorld, Made, OddCloud, in_follow_world, is_in
from worker.core.answers import Service
from worker.core.following import FollowPolicy, Target
from worker.ports import Page, PageAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Death:
    """
    Strikes one worker at a call to the ledger; it is not replaced.

    Attributes:
        call: to what.
        number: of all calls to that by all workers, from 1.
        is_after: as soon as it has returned; else before it is made.
    """

    call: str
    number: int
    is_after: bool = False


#: Seconds until the next status, and that status.
STEPS = st.tuples(st.sampled_from([3, 12, 70]), st.sampled_from(["BUILD", "DOWN", "fröst"]))
JOURNEYS = st.builds(
    lambda steps, end: [*steps, end],
    st.lists(STEPS, max_size=3),
    st.tuples(st.sampled_from([3, 12, 70]), st.sampled_from(["ACTIVE", "ERROR"])),
)
#: Changes again before another worker takes over.
OFTEN = [(3, "BUILD"), (12, "DOWN"), (70, "ACTIVE")]
#: Most of them where something is written down, before which it is told.
CALLS = st.sampled_from(["note", "note", "of_services", "next_ids", "finish", "renew"])
DEATHS = st.lists(st.builds(Death, CALLS, st.integers(1, 3), st.booleans()), max_size=2)


class Travelling(OddCloud):
    """
    Leads services through their journeys; shows the first one by itself alone, the others on pages of their own.
    """

    def __init__(self, world: FollowWorld, journeys: dict[str, list[tuple[int, str]]]) -> None:
        super().__init__(self._page, self._service, call_s=0.5)
        self._world, self._journeys, self._began_s = world, journeys, world.loop.time()

    def _service(self, service_id: str) -> Service:
        status, moment_s = PENDING, self._began_s
        for after_s, following in self._journeys[service_id]:
            moment_s += after_s
            status = following if self._world.loop.time() >= moment_s else status
        return is_in(status)(service_id)

    def _page(self, tenant_id: str | None, after: str | None) -> PageAnswer:
        del tenant_id
        listed = list(self._journeys)[1:]
        place = int(after or 0)
        return Page((self._service(listed[place]),), str(place + 1) if place + 1 < len(listed) else None)


def be_mortal(made: Made, running: asyncio.Task[None], deaths: list[Death], calls: Counter[tuple[str, bool]]) -> None:
    """
    Has a worker die when a death strikes it: nothing of it is heard any more. `calls` are those of all workers.
    """
    is_dead = False

    async def live(name: str, *, is_after: bool) -> None:
        nonlocal is_dead
        if not is_dead:
            calls[name, is_after] += 1
            is_dead = Death(name, calls[name, is_after], is_after) in deaths
        if is_dead:
            running.cancel()
            await asyncio.Event().wait()

    made.held.before = partial(live, is_after=False)
    made.held.after = partial(live, is_after=True)


def is_part_of(told: list[str | None], journey: list[str]) -> bool:
    """
    Whether statuses come in the order of a journey, some of them left out.
    """
    left: Iterator[str | None] = iter(journey)
    return all(status in left for status in told)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example([OFTEN] * 3, [Death("note", 1)])
@example([OFTEN] * 3, [Death("note", 1, is_after=True)])
@given(st.lists(JOURNEYS, min_size=3, max_size=3), DEATHS)
def test_whoever_dies_every_journey_is_told_in_order_to_its_end(
    journeys: list[list[tuple[int, str]]], deaths: list[Death]
) -> None:
    async def play(world: FollowWorld) -> None:
        routes = dict(zip(await world.follow(3, Target.ACTIVE), journeys, strict=True))
        cloud = Travelling(world, routes)
        workers = [await world.follower(cloud=cloud) for _ in range(3)]
        with ExitStack() as running:
            tasks = [running.enter_context(made.running()) for made in workers]
            calls = Counter[tuple[str, bool]]()
            for made, task in zip(workers, tasks, strict=True):
                be_mortal(made, task, deaths, calls)
            for _ in range(45):
                await asyncio.sleep(20)
                if await world.follows.count() == 0:
                    break

        repeats = len(world.exchange.messages) - len(world.exchange.told())
        assert repeats <= len(routes) * len(deaths)
        for service_id, journey in routes.items():
            told = world.exchange.of(service_id)
            assert is_part_of([status for status, _, _ in told], [status for _, status in journey])
            assert [is_final for _, _, is_final in told] == [False] * (len(told) - 1) + [True]
            assert journey[-1][1] == told[-1][0]

    with tempfile.TemporaryDirectory() as folder:
        in_follow_world(Path(folder), play, FollowPolicy(most_interval_s=20))
