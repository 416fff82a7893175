"""
Carries a plan out: publishes, lets the blows fall, waits for the calm, and gathers the evidence.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.chaos.evidence import Asked, Evidence, unfinished
from tests.chaos.logged import count_logged
from tests.chaos.plan import Kind, Order, Plan
from tests.chaos.publish import Publisher
from tests.chaos.reading import EventReader, left, waiting
from tests.chaos.weather import Weather
from tests.chaos.world import Talk, World, open_world
from worker.core.job import Phase
from worker.ledger.opening import open_ledger

if TYPE_CHECKING:
    from worker.core.job import Job

_TELL_EVERY_S = 15.0
#: From the last outcome to the last status: a journey, a lease that somebody died with, and a round or two.
_FOLLOW_S = 60.0
_CALM_S = 60.0
_POLL_S = 0.5
#: Blows may wait for each other, and a publisher for its broker; this much longer than planned is still in order.
_LATENESS_S = 60.0
_LEASE_S = 60.0  # of the harness's own look into the ledger, which claims nothing


@dataclass(frozen=True, slots=True)
class Result:
    """
    A run and what came of it.

    Attributes:
        plan: what was to be done.
        evidence: for the audit.
        blows: how often each kind has struck.
        troubles: what did not go as planned, in words; any of them fails the run.
        ends: how the workers' processes ended.
        cloud: calls and faults as the simulated cloud counted them.
        logged: how often the workers logged each event, and the entries that `count_logged` adds.
        sent: messages handed to the broker by the publisher; `unconfirmed` of them without a confirm.
        lasted_s: from the first request to the last outcome.
        versions: of the programs that ran.
        log_files: the workers' logs.
    """

    plan: Plan
    evidence: Evidence
    blows: Mapping[Kind, int]
    troubles: tuple[str, ...]
    ends: Mapping[str, int]
    cloud: Mapping[str, Any]
    logged: Mapping[str, int]
    sent: int
    unconfirmed: int
    lasted_s: float
    versions: Mapping[str, str]
    log_files: tuple[Path, ...]


async def conduct(plan: Plan, folder: Path, talk: Talk) -> Result:
    """
    The whole run, from an empty world to the evidence; never longer than the pace allows.
    """
    async with open_world(plan, folder, talk) as world:
        with Publisher(world.broker.amqp_url, world.routes) as publisher:
            loop = asyncio.get_running_loop()
            started_s = loop.time()
            weather = Weather(world)
            teller = asyncio.create_task(_tell(plan, publisher, weather, talk))
            troubles = await _storm(plan, world, publisher, weather)
            teller.cancel()
            talk("  The storm is over; waiting for every outcome.")
            reader = EventReader(world.broker.amqp_url, world.routes)
            troubles += await _settle(plan, publisher, reader)
            lasted_s = loop.time() - started_s
            talk("  Waiting for every service to come to its end.")
            troubles += await _follow_up(reader)
            troubles += await _calm_down(world)
        await world.crew.stop()
        troubles += [
            f"a worker ended with status {status} when it was stopped" for status in world.crew.last_statuses if status
        ]
        talk("  Auditing.")
        await reader.until(lambda: True, 10)
        evidence = await _gather(plan, world, publisher, reader)
        if open_refs := set(evidence.unsettled) - set(evidence.dead):
            troubles.append(
                f"out of time: {len(open_refs)} requests have no outcome after {plan.pace.settle_s:g} s more"
            )
        logged = count_logged(world.crew.log_files())
        if mistakes := logged["(error)"]:
            troubles.append(f"the workers logged {mistakes} unforeseen errors (level error, or an exception)")
        return Result(
            plan=plan,
            evidence=evidence,
            blows=weather.done,
            troubles=tuple(troubles),
            ends=world.crew.ends,
            cloud=await world.cloud.state(),
            logged=logged,
            sent=publisher.sent,
            unconfirmed=publisher.unconfirmed,
            lasted_s=lasted_s,
            versions=await world.versions(),
            log_files=tuple(world.crew.log_files()),
        )


async def _storm(plan: Plan, world: World, publisher: Publisher, weather: Weather) -> list[str]:
    started_s = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(plan.pace.length_s * 1.5 + _LATENESS_S), asyncio.TaskGroup() as group:
            group.create_task(weather.run(plan.blows, started_s))
            for at_s, order in sorted(_publishes(plan), key=lambda one: (one[0], one[1].ref)):
                await asyncio.sleep(started_s + at_s - asyncio.get_running_loop().time())
                group.create_task(_publish(world, publisher, order, is_first=at_s == order.at_s))
    except TimeoutError:
        missing = Counter(blow.kind for blow in plan.blows) - weather.done
        return [f"out of time: {count} not struck of {kind.value}" for kind, count in missing.items()]
    return []


def _publishes(plan: Plan) -> list[tuple[float, Order]]:
    again = [(order.again_at_s, order) for order in plan.orders if order.again_at_s is not None]
    return [(order.at_s, order) for order in plan.orders] + again


async def _publish(world: World, publisher: Publisher, order: Order, *, is_first: bool) -> None:
    if order.trouble is not None and is_first:
        # The trouble lies in wait before the request can reach the cloud.
        await world.cloud.add_fault(order.trouble)
    publisher.publish(order)


async def _settle(plan: Plan, publisher: Publisher, reader: EventReader) -> list[str]:
    asked = {order.ref for order in plan.orders}

    def is_over() -> bool:
        all_told = publisher.backlog == 0 and asked <= {one.ref for one in reader.told}
        return all_told or publisher.has_ended

    await reader.until(is_over, plan.pace.settle_s)
    troubles = []
    if publisher.has_ended:
        troubles.append("the publisher's thread has ended: a fault of the harness")
    if publisher.backlog:
        troubles.append(f"out of time: {publisher.backlog} messages of the publisher are not confirmed")
    return troubles


async def _follow_up(reader: EventReader) -> list[str]:
    if await reader.until(lambda: not unfinished(reader.told, reader.changed), _FOLLOW_S):
        return []
    refs = sorted(unfinished(reader.told, reader.changed))
    words = f"out of time: {len(refs)} services have no final status event after {_FOLLOW_S:g} s more"
    return [f"{words}, {refs[0]} among them"]


async def _calm_down(world: World) -> list[str]:
    loop = asyncio.get_running_loop()
    end_s = loop.time() + _CALM_S
    while counts := await waiting(world.broker.amqp_url, world.routes):
        if loop.time() > end_s:
            return [f"copies still wait after {_CALM_S:g} s more: {counts}"]
        await asyncio.sleep(_POLL_S)
    return []


async def _gather(plan: Plan, world: World, publisher: Publisher, reader: EventReader) -> Evidence:
    state = await world.cloud.state()
    waits, dead = await left(world.broker.amqp_url, world.routes)
    evidence = Evidence(
        asked=tuple(
            Asked(order.ref, order.router_id, order.fate, publisher.confirmed_at_s.get(order.ref))
            for order in plan.orders
        ),
        told=reader.told,
        services=tuple((service["id"], service["router_id"]) for service in state["services"]),
        waiting=waits,
        dead=dead,
        changed=reader.changed,
    )
    ledger = await open_ledger(world.ledger_url, "chaos", _LEASE_S)
    try:
        jobs = {ref: job for ref in evidence.unsettled for job in await ledger.find(ref)}
        counts = await ledger.counts()
    finally:
        await ledger.close()
    return replace(evidence, jobs={ref: _state(job) for ref, job in jobs.items()}, counts=counts)


def _state(job: Job) -> str:
    return job.outcome.kind.value if job.phase is Phase.DONE and job.outcome else job.phase.value


async def _tell(plan: Plan, publisher: Publisher, weather: Weather, talk: Talk) -> None:
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    while True:
        await asyncio.sleep(_TELL_EVERY_S)
        talk(
            f"  {loop.time() - started_s:5.0f} s: {len(publisher.confirmed_at_s)} of {len(plan.orders)} requests "
            f"confirmed, {weather.done.total()} of {len(plan.blows)} blows struck"
        )
