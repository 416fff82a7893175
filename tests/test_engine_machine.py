"""
Anything may happen in any order, and every request still ends in one true outcome: a state machine over the real parts.

Hypothesis decides what happens and when; every fault has its end, and then everything must come to rest. What is asked
of it stands in `Machine._check`. ENGINE_MACHINE_EXAMPLES=1000 plays more lives, and looks for the shortest that fails.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections import defaultdict
from collections.abc import Coroutine, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from messages.envelope import Envelope, encode_request
from messages.events import (
    VpnServiceCreated,
    VpnServiceCreateDelayed,
    VpnServiceCreateFailed,
    VpnServiceCreateInDoubt,
    VpnServiceCreateRejected,
    VpnServiceEvent,
    decode_event,
)
from tests.engine_faults import CONFLICT, CREATE_FAULTS, LIST_FAULTS, OUTAGES, WEATHER
from tests.engine_world import SmallWorker, World
from tests.small_broker import Message, Weather
from tests.virtual_time import VirtualLoop
from worker.core.policy import Policy, WhenNotFound

T = TypeVar("T")

#: Everything is at rest long before; the longest rung takes an hour, the deadline a day.
REST_LIMIT_S = 3 * 86_400.0
#: After it no service appears any more.
LATEST_COMMIT_S = 60.0
WORKERS_LIMIT = 3
A_MOMENT_S = 0.06

OUTCOMES = (VpnServiceCreated, VpnServiceCreateFailed, VpnServiceCreateInDoubt)
#: A pause between calls, a moment in the middle of one, a wait in memory, a rung, a window.
WHICH = st.integers(0, 5)
DELAYS_S = st.sampled_from([0.005, 0.03, 0.06, 0.08, 0.3, 2.0, 7.0, 31.0, 45.0, 130.0, 200.0, 700.0, 4000.0])


@dataclass(slots=True)
class Order:
    """
    What was published under one id.

    Attributes:
        bodies: different ones under the same id.
        is_valid: whether the bodies are right; wrong ones are never mixed with right ones here.
    """

    router_id: str
    is_valid: bool = True
    bodies: list[Envelope] = field(default_factory=list)


class Machine(RuleBasedStateMachine):
    """
    One life of a few workers, their cloud, their broker and their ledger.
    """

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._loop = VirtualLoop()
        self._logs = structlog.testing.capture_logs((structlog.contextvars.merge_contextvars, self._stamped))
        self._said = self._logs.__enter__()
        self._orders: dict[str, Order] = {}
        self._told_before_a_loss: set[str] = set()
        self._has_twins = False
        self._is_forgetful = False
        self._is_clear = True

    def _stamped(self, _: object, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        entry["at_s"] = round(self._loop.time(), 3)
        return entry

    def run(self, work: Coroutine[Any, Any, object]) -> None:
        self._loop.run_until_complete(work)

    @initialize(
        per_vpc=st.sampled_from([0, 1]),
        when_not_found=st.sampled_from(WhenNotFound),
        is_marking=st.booleans(),
        visible_after_s=st.sampled_from([0.0, 10.0]),
        page_limit=st.sampled_from([0, 1]),
        seed=st.integers(0, 99),
        is_forgetful=st.booleans(),
    )
    def begin(
        self,
        per_vpc: int,
        when_not_found: WhenNotFound,
        visible_after_s: float,
        page_limit: int,
        seed: int,
        *,
        is_marking: bool,
        is_forgetful: bool,
    ) -> None:
        """
        In a forgetful life ledgers are lost. Duplicates are known by the ledger alone, and so are those that nothing but
        their id tells from their like: there are none in such a life.
        """
        self._is_forgetful = is_forgetful
        policy = Policy(when_not_found=when_not_found, is_marking=is_marking)
        self._is_clear = when_not_found is WhenNotFound.RETRY

        async def make() -> None:
            self._world = await World.made(
                self._loop,
                Path(self._folder.name),
                policy,
                seed,
                services_per_vpc=per_vpc,
                visible_after_s=visible_after_s,
                page_limit=page_limit,
            )

        self.run(make())

    @rule(
        router=st.integers(0, 7),
        faults=st.lists(st.sampled_from(CREATE_FAULTS), max_size=3),
        expires_s=st.sampled_from([None, None, None, -5.0, 3.0, 60.0]),
    )
    def order(self, router: int, faults: list[dict[str, object]], expires_s: float | None) -> None:
        """
        A request, and what will happen to its POSTs.
        """
        name = f"order-{len(self._orders)}"
        for fault in faults:
            self._is_clear = self._is_clear and fault is not CONFLICT
            self._world.simulator.state.faults.add(fault | {"on": "create", "times": 1, "match": {"name": name}})
        self._publish_new({"router_id": f"router-{router}", "name": name}, expires_s)

    @rule(router=st.integers(0, 1))
    def order_a_twin(self, router: int) -> None:
        """
        Nothing but its id tells it from its like.
        """
        if not self._is_forgetful:
            self._has_twins = True
            self._publish_new({"router_id": f"router-{router}"}, None)

    @rule(which=WHICH, kind=st.sampled_from(["again", "something else under the same id", "wrongly"]))
    def order_amiss(self, which: int, kind: str) -> None:
        if kind == "wrongly":
            self._publish_new({"router_id": "", "colour": "red"}, None).is_valid = False
            return
        for identity in self._chosen(which, [] if self._is_forgetful else list(self._orders)):
            order = self._orders[identity]
            if kind == "again":
                self._publish(order.bodies[0])
            elif order.is_valid and len(order.bodies) == 1:
                order.bodies.append(_request(identity, {"router_id": order.router_id, "name": "another"}))
                self._publish(order.bodies[1])

    @rule(delay_s=DELAYS_S)
    def wait(self, delay_s: float) -> None:
        self.run(asyncio.sleep(delay_s))

    @rule()
    def start_a_worker(self) -> None:
        if len(self._alive()) < WORKERS_LIMIT:
            self.run(self._world.start_worker())

    @rule(which=WHICH, calls=st.integers(1, 12))
    def let_a_worker_die_at_a_call(self, which: int, calls: int) -> None:
        for worker in self._chosen(which, self._alive()):
            worker.life.calls_left = calls

    @rule(which=WHICH, kind=st.sampled_from(["killed", "stopped", "cut off"]))
    def interrupt_a_worker(self, which: int, kind: str) -> None:
        for worker in self._chosen(which, self._alive()):
            match kind:
                case "killed":
                    self.run(self._world.kill(worker))
                case "stopped":
                    self.run(worker.stop())
                case _:
                    self.run(worker.lose_connection())

    @rule(which=WHICH, refusals=st.integers(1, 5))
    def let_the_ledger_refuse(self, which: int, refusals: int) -> None:
        for worker in self._chosen(which, self._alive()):
            worker.life.refusals = refusals

    @rule()
    def lose_the_ledger(self) -> None:
        if not self._is_forgetful:
            return
        self.run(self._world.lose_ledger())
        ids = {_id(message) for message in self._world.broker.on_their_way}
        self._told_before_a_loss |= {event.request_id or "" for event in self._told()} & ids
        self._is_clear = False

    @rule(fault=st.sampled_from(LIST_FAULTS), times=st.integers(1, 6))
    def let_lists_go_wrong(self, fault: dict[str, object], times: int) -> None:
        self._world.simulator.state.faults.add(fault | {"on": "list", "times": times})

    @rule(fault=st.sampled_from(OUTAGES), times=st.integers(5, 9))
    def let_everything_go_wrong(self, fault: dict[str, object], times: int) -> None:
        self._world.simulator.state.faults.add(fault | {"on": "any", "times": times})

    @rule(weather=st.lists(st.sampled_from(WEATHER), min_size=1, max_size=3))
    def let_publishes_go_wrong(self, weather: list[Weather]) -> None:
        self._world.broker.weather.extend(weather)

    @invariant()
    def let_time_pass(self) -> None:
        """
        About as much as a call takes, so that the next thing happens in the middle of one.
        """
        if hasattr(self, "_world"):
            self.run(asyncio.sleep(A_MOMENT_S))

    # The end.

    def teardown(self) -> None:
        """
        Everything comes to rest, and what is promised is so.
        """
        try:
            if hasattr(self, "_world"):
                self.run(self._come_to_rest())
                self._check()
        except (AssertionError, TimeoutError) as exc:
            exc.add_note("\n".join(map(str, self._said)))
            raise
        finally:
            self._logs.__exit__(None, None, None)
            self._close()

    async def _come_to_rest(self) -> None:
        # Every fault has its end, so none is taken away; but one worker must be left that nothing kills.
        world = self._world
        await world.start_worker()
        async with asyncio.timeout(REST_LIMIT_S):
            await world.broker.idle()
        await asyncio.sleep(LATEST_COMMIT_S)
        world.simulator.state.advance()

    def _check(self) -> None:
        told: dict[str, dict[type[VpnServiceEvent], set[str]]] = defaultdict(lambda: defaultdict(set))
        for envelope in self._world.broker.events:
            event = decode_event(envelope)
            told[event.request_id or ""][type(event)].add(str(envelope.headers["ce-id"]))

        assert [] == [entry for entry in self._said if entry["event"] in {"request.crashed", "delivery.not_settled"}]
        assert set(told) <= set(self._orders)
        for identity, order in self._orders.items():
            self._check_order(identity, order, told[identity])
        for router_id in {order.router_id for order in self._orders.values()}:
            self._check_router(router_id)

    def _check_order(self, identity: str, order: Order, told: dict[type[VpnServiceEvent], set[str]]) -> None:
        outcomes = [one for kind in OUTCOMES for one in told[kind]]
        rejections = len(order.bodies) - 1 if order.is_valid else 1
        is_poison = any(
            _id(message) == identity and dead.reason == "poison" for message, dead in self._world.broker.dead
        )
        if is_poison:
            return  # parked unread, for a person

        assert rejections == len(told[VpnServiceCreateRejected]), identity
        assert len(told[VpnServiceCreateDelayed]) <= 1, identity
        if identity not in self._told_before_a_loss:
            assert order.is_valid == len(outcomes), (identity, dict(told))
        if self._is_clear and not self._has_twins:
            assert not told[VpnServiceCreateInDoubt], identity
        is_dead_letter = any(_id(message) == identity for message, _ in self._world.broker.dead)
        assert is_dead_letter or not (told[VpnServiceCreateInDoubt] or told[VpnServiceCreateRejected]), identity

    def _check_router(self, router_id: str) -> None:
        ids = {identity for identity, order in self._orders.items() if order.router_id == router_id and order.is_valid}
        services = self._services(router_id)
        events = [event for event in self._told() if event.request_id in ids]
        created = {event.request_id: event for event in events if isinstance(event, VpnServiceCreated)}
        doubted = {event.request_id for event in events if isinstance(event, VpnServiceCreateInDoubt)}
        poison = {_id(message) for message, dead in self._world.broker.dead if dead.reason == "poison"} & ids

        assert len(created) <= len(services) <= len(set(created) | doubted | poison)
        assert len(created) == len({event.service_id for event in created.values()})
        for identity, event in created.items():
            assert event.service_id in services
            # Who asked for no name may be given the service of a sibling that nobody has looked after for ten minutes.
            name = services[event.service_id]["name"]
            specs = [json.loads(body.body)["vpnservice"] for body in self._orders[identity or ""].bodies]
            assert any(name == spec.get("name", name) for spec in specs), (identity, name)

    def _services(self, router_id: str) -> dict[str, dict[str, object]]:
        services = self._world.simulator.state.services
        return {key: one.attributes for key, one in services.items() if one.attributes["router_id"] == router_id}

    def _told(self) -> list[VpnServiceEvent]:
        events = map(decode_event, self._world.broker.events)
        return [event for event in events if isinstance(event, OUTCOMES)]

    def _close(self) -> None:
        if hasattr(self, "_world"):
            self.run(self._world.close())
        self._loop.finish()
        self._folder.cleanup()

    def _publish_new(self, spec: dict[str, object], expires_s: float | None) -> Order:
        identity = f"order-{len(self._orders)}"
        order = self._orders[identity] = Order(str(spec["router_id"]))
        order.bodies.append(_request(identity, spec, self._world, expires_s))
        self._publish(order.bodies[0])
        return order

    def _publish(self, envelope: Envelope) -> None:
        async def publish() -> None:
            self._world.broker.publish(Message(envelope, self._world.now))

        self.run(publish())

    def _alive(self) -> list[SmallWorker]:
        return [worker for worker in self._world.workers if not worker.life.is_over]

    def _chosen(self, which: int, among: Sequence[T]) -> Sequence[T]:
        # What is drawn must not depend on how far the workers have come: they are no puppets of ours.
        return (among[which % len(among)],) if among else ()


def _id(message: Message) -> str:
    return str(message.envelope.headers["ce-id"])


def _request(
    identity: str, spec: dict[str, object], world: World | None = None, expires_s: float | None = None
) -> Envelope:
    expires_at = None if world is None or expires_s is None else world.now + timedelta(seconds=expires_s)
    return encode_request({"vpnservice": spec}, id=identity, source="/shop", expires_at=expires_at)


def test_an_impostor_does_not_have_the_true_request_rejected(tmp_path: Path) -> None:
    """
    Its worker died after the POST. The impostor arrives first at the next one, and both are there at the same time:
    which of the two bodies came first is known to the ledger alone. (Found by the machine.)
    """
    outcomes: list[str] = []

    async def play(loop: VirtualLoop) -> None:
        world = await World.made(loop, tmp_path, Policy(), 0)
        world.simulator.state.faults.add({"fault": "commit_then_hang"})
        world.broker.publish(Message(_request("order-1", {"router_id": "r", "name": "true"}), world.now))
        await world.simulator.until(lambda state: state.creates == 1)
        await world.kill_all()
        world.broker.queue.appendleft(Message(_request("order-1", {"router_id": "r", "name": "false"}), world.now))
        await world.start_worker()
        await world.broker.idle()
        outcomes.extend(
            sorted({event.type for event in map(decode_event, world.broker.events)} - {VpnServiceCreateDelayed.type})
        )
        await world.close()

    loop = VirtualLoop()
    loop.run_until_complete(play(loop))
    loop.finish()

    assert [VpnServiceCreateRejected.type, VpnServiceCreated.type] == outcomes


IS_DEEP = "ENGINE_MACHINE_EXAMPLES" in os.environ
TestMachine = pytest.mark.timeout(0 if IS_DEEP else 300)(Machine.TestCase)
TestMachine.settings = settings(
    max_examples=int(os.environ.get("ENGINE_MACHINE_EXAMPLES", "100")),
    stateful_step_count=50,
    deadline=None,
    derandomize="CI" in os.environ,
    # Looking for a shorter life takes minutes.
    phases=[phase for phase in Phase if IS_DEEP or phase not in {Phase.shrink, Phase.explain}],
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
