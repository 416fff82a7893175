"""
Requests for one router keep off each other, with the real ledger, the real client and a simulated cloud.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from messages.envelope import encode_request
from messages.events import VpnServiceCreated, decode_event
from tests.clients import ANYBODY, open_client
from tests.stand_ins import Collector, Now
from worker.core.policy import Policy
from worker.engine import Engine, Ports
from worker.gate import Gate
from worker.intake import Desk, Intake
from worker.ledger.sqlite import SqliteLedger
from worker.ports import Ack, Delivery
from worker.simulator import SimulatorConfig, start_simulator
from worker.teller import Teller
from worker.turns import Turns

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_look_up_does_not_take_the_service_of_a_request_that_is_still_on_its_way(tmp_path: Path) -> None:
    """
    One service would be told to the wrong order, and the order that made it would be left in doubt.
    """
    cloud = await start_simulator(SimulatorConfig(services_per_vpc=0))
    # The one that asks for less comes first and makes nothing; the other's answer is lost after the commit.
    cloud.state.faults.add({"fault": "error_503", "on": "create", "times": 1})
    cloud.state.faults.add({"fault": "commit_then_hang", "on": "create", "match": {"name": "a"}, "delay_s": 1.0})
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3", "me", lease_s=60.0)
    await ledger.start()
    clock, collector, gate = Now(0.5), Collector(), Gate()
    policy = Policy(reconcile_window_s=1.5)
    teller = Teller(collector, collector, clock, "/test")
    async with open_client(cloud.url) as client:
        engine = Engine(Ports(ledger, ledger.follows, client, teller, clock, gate), policy)
        intake = Intake(Desk(ledger, engine, teller, clock, gate, ANYBODY), policy)
        specs: list[dict[str, object]] = [{"router_id": "r"}, {"router_id": "r", "name": "a"}]
        verdicts = await asyncio.gather(
            *(intake.handle(delivery(str(number), spec)) for number, spec in enumerate(specs))
        )
    await ledger.close()
    names = {service.id: service.attributes["name"] for service in cloud.state.services.values()}
    await cloud.close()
    told = {event.request_id: event for event in map(decode_event, collector.events)}

    assert [Ack(), Ack()] == verdicts
    assert all(isinstance(event, VpnServiceCreated) for event in told.values())
    assert 2 == len(names)
    assert "a" != names[cast("str", told["0"].service_id)]
    assert "a" == names[cast("str", told["1"].service_id)]


def delivery(identity: str, spec: dict[str, object]) -> Delivery:
    """
    One arrival of a request.
    """
    envelope = encode_request({"vpnservice": spec}, id=identity, source="/shop")
    return Delivery(envelope, is_redelivered=False, token=None)


async def test_turns_come_in_order_and_leave_nothing_behind() -> None:
    turns, order = Turns(), list[int]()

    async def take(number: int, router_id: str) -> None:
        async with turns.of(router_id):
            order.append(number)
            await asyncio.sleep(0)
            order.append(number)

    await asyncio.gather(*(take(number, "r") for number in range(3)))

    assert [0, 0, 1, 1, 2, 2] == order
    assert {} == turns._locks
    assert {} == turns._users
