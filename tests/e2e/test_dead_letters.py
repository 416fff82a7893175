"""
Dead letters from end to end: a worker gives up, a person decides, and still there is one service and no event twice.
"""

from __future__ import annotations

import json
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from messages.events import event_id
from tests.cli.conftest import Cli, cli, folder
from tests.e2e.conftest import worker_environment
from tests.e2e.shop import Shop, binary, order
from worker.sandbox.processes import Child

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Said
    from tests.e2e.conftest import StartWorker
    from tests.e2e.shop import Message
    from worker.simulator import Simulator

__all__ = ["cli", "folder"]  # fixtures of the command line, wanted here too

CREATED = "vpn.vpnservice.created.v1"
FAILED = "vpn.vpnservice.create-failed.v1"
IN_DOUBT = "vpn.vpnservice.create-in-doubt.v1"
BUSY = {"fault": "answer", "status": 425, "times": None}
#: A replay that is killed as a machine would be that loses its power, at the call that is named.
MORTAL = """
import os, signal, sys
from worker.broker.dead_letters import BrokerDeadLetters
from worker.broker.resender import BrokerResender
async def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
setattr({"remove": BrokerDeadLetters, "send_again": BrokerResender}[sys.argv[1]], sys.argv[1], die)
from worker.cli import main
sys.argv = ["vpn-worker", "dead", "replay", "--all"]
main()
"""


class Desk:
    """
    An operator at the command line, beside the worker and on its ledger.
    """

    def __init__(self, cli: Cli, shop: Shop, cloud: Simulator, tmp_path: Path) -> None:
        self._cli = cli
        self._shop = shop
        self._cloud = cloud
        self._folder = tmp_path

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "amqp_url": self._shop.amqp_url,
            "prefix": self._shop.prefix,
            "api_url": self._cloud.url,
            "auth": "none",
            "ledger_url": f"sqlite:///{self._folder / 'ledger.sqlite3'}",
        }

    async def __call__(self, *words: str) -> Said:
        """
        Runs one command.
        """
        return await self._cli(*words, **self.settings)

    async def killed_at(self, call: str) -> int:
        """
        Runs a replay of everything that is killed at its first such call; its status.
        """
        argv = [sys.executable, "-c", MORTAL, call]
        log_file = self._folder / "mortal.log"
        async with Child(argv, log_file=log_file, env=worker_environment(self.settings)) as child:
            return await child.wait()

    async def letters(self, count: int) -> list[dict[str, Any]]:
        """
        The dead letters, once there are so many.
        """
        while True:
            said = await self("dead", "list", "--each", "--json")
            if len(said.lines) == count:
                return [json.loads(line) for line in said.lines]


@pytest.fixture
def desk(cli: Cli, shop: Shop, cloud: Simulator, tmp_path: Path) -> Desk:
    return Desk(cli, shop, cloud, tmp_path)


async def one_dead(shop: Shop, desk: Desk, router_id: str = "router-1") -> dict[str, Any]:
    """
    Publishes order-1, and gives its letter once it has died.
    """
    await shop.publish((order(router_id), binary("order-1")))
    (letter,) = await desk.letters(1)
    return letter


def event_ids(told: list[Message]) -> list[tuple[str, str]]:
    return [(event.type, event.headers["ce-id"]) for event in told]


def id_of(kind: str, sequence: int) -> tuple[str, str]:
    return kind, event_id("/shop", "order-1", kind, sequence)


async def test_what_failed_at_its_deadline_is_created_once_when_it_is_replayed(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, desk: Desk
) -> None:
    cloud.state.faults.add(BUSY)
    worker = await start_worker(cloud.url, request_deadline_s=1, trip_after=1000)
    letter = await one_dead(shop, desk)
    cloud.state.faults.clear()
    said = await desk("dead", "replay", "--request", "order-1")
    told = await shop.outcomes(2)

    assert "failed" == letter["reason"]
    assert 0 == said.status
    assert [id_of(FAILED, 0), id_of(CREATED, 1)] == event_ids(told)
    assert 1 == cloud.state.creates == len(cloud.state.services)
    assert letter["attempts"] + 1 == told[1].data["attempts"]
    assert [] == await desk.letters(0)
    assert [] == worker.mistakes()


async def test_one_that_fails_again_is_told_again_and_dies_again(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, desk: Desk, cli: Cli
) -> None:
    cloud.state.faults.add(BUSY)
    await start_worker(cloud.url, request_deadline_s=1, trip_after=1000)
    await one_dead(shop, desk)
    said = await cli("dead", "replay", "--all", **desk.settings | {"request_deadline_s": 1})
    told = await shop.outcomes(2)
    (letter,) = await desk.letters(1)

    assert 0 == said.status
    assert [id_of(FAILED, 0), id_of(FAILED, 1)] == event_ids(told)
    assert 1 == letter["replays"]


async def test_a_dry_run_changes_nothing(shop: Shop, cloud: Simulator, start_worker: StartWorker, desk: Desk) -> None:
    cloud.state.faults.add(BUSY)
    await start_worker(cloud.url, request_deadline_s=1, trip_after=1000)
    letter = await one_dead(shop, desk)
    calls = cloud.state.calls["create"]
    cloud.state.faults.clear()
    said = await desk("dead", "replay", "--all", "--dry-run")

    assert "would be replayed" in said.out
    assert [letter] == await desk.letters(1)
    assert 1 == len(await shop.outcomes(1))
    assert calls == cloud.state.calls["create"]


async def test_the_guard_ends_a_circle_of_replays(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, desk: Desk
) -> None:
    await start_worker(cloud.url)
    await shop.publish((b"[]", binary("order-1")))
    for replays in range(3):
        (letter,) = await desk.letters(1)
        assert replays == letter["replays"]
        assert 0 == (await desk("dead", "replay", "--all")).status
        await shop.outcomes(replays + 2)
    await desk.letters(1)
    said = await desk("dead", "replay", "--all")

    assert 1 == said.status
    assert "--again" in said.out
    assert 1 == len(set(event_ids(await shop.outcomes(4))))


async def lose_the_answer(cloud: Simulator, start_worker: StartWorker) -> None:
    """
    A worker that leaves a request in doubt as soon as its answer is lost.
    """
    cloud.state.faults.add({"fault": "close", "times": 1})
    await start_worker(cloud.url, when_not_found="in_doubt", reconcile_window_s=1, api_timeout_s=5)


async def test_a_request_in_doubt_that_is_replayed_finds_its_late_service(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, desk: Desk
) -> None:
    await lose_the_answer(cloud, start_worker)
    letter = await one_dead(shop, desk)
    late = cloud.state.create({"router_id": "router-1"})
    said = await desk("dead", "replay", "--all")
    told = await shop.outcomes(2)

    assert "in_doubt" == letter["reason"]
    assert "looked for first" in said.out
    assert [id_of(IN_DOUBT, 0), id_of(CREATED, 1)] == event_ids(told)
    assert (late.id, True) == (told[1].data["service_id"], told[1].data["reconciled"])
    assert 1 == cloud.state.calls["create"] == len(cloud.state.services)


async def test_a_request_in_doubt_is_resolved_as_created(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, desk: Desk
) -> None:
    await lose_the_answer(cloud, start_worker)
    await one_dead(shop, desk)
    late = cloud.state.create({"router_id": "router-1"})
    said = await desk("resolve", "order-1", "--created", late.id)
    told = await shop.outcomes(2)
    # The request once more, from a publisher that heard nothing: the same outcome, the same event.
    await shop.publish((order("router-1"), binary("order-1")))
    again = await shop.outcomes(3)

    assert 0 == said.status
    assert [id_of(IN_DOUBT, 0), id_of(CREATED, 0)] == event_ids(told)
    assert event_ids(told)[1] == event_ids(again)[2]
    assert 1 == cloud.state.calls["create"]
    assert [] == await desk.letters(0)


async def test_a_request_in_doubt_is_resolved_as_not_created(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, desk: Desk
) -> None:
    await lose_the_answer(cloud, start_worker)
    await one_dead(shop, desk)
    said = await desk("resolve", "order-1", "--not-created")
    told = await shop.outcomes(2)
    # A new order for the same router is free to go.
    await shop.publish((order("router-1"), binary("order-2")))
    (*_, new) = await shop.outcomes(3)

    assert 0 == said.status
    assert [id_of(IN_DOUBT, 0), id_of(FAILED, 0)] == event_ids(told)
    assert (CREATED, "order-2") == (new.type, new.data["request_id"])
    assert [] == await desk.letters(0)


@pytest.mark.parametrize("call", ["send_again", "remove"])
async def test_a_replay_that_is_killed_in_the_middle_is_finished_by_the_next(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, desk: Desk, call: str
) -> None:
    """
    After the ledger and before the request went back, or after that and before its letter was removed.
    """
    cloud.state.faults.add(BUSY)
    first = await start_worker(cloud.url, request_deadline_s=1, trip_after=1000)
    await one_dead(shop, desk)
    assert 0 == await first.child.stop()
    cloud.state.faults.clear()
    status = await desk.killed_at(call)
    await desk.letters(1)
    said = await desk("dead", "replay", "--all")
    second = await start_worker(cloud.url)
    await shop.until(lambda told: CREATED in {event.type for event in told})
    # One that had been sent already was sent twice; the copies share one run, or tell the same event.
    assert 0 == await second.child.stop()
    told = await shop.until(lambda told: True)

    assert -signal.SIGKILL == status
    assert (0, "") == (said.status, (await desk("dead", "list", "--each")).out)
    assert {id_of(FAILED, 0), id_of(CREATED, 1)} == set(event_ids(told))
    assert 1 == cloud.state.creates == len(cloud.state.services)


async def test_a_replay_killed_before_the_letter_was_removed_leaves_a_letter_that_is_known_as_done(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, desk: Desk
) -> None:
    cloud.state.faults.add(BUSY)
    await start_worker(cloud.url, request_deadline_s=1, trip_after=1000)
    await one_dead(shop, desk)
    cloud.state.faults.clear()
    await desk.killed_at("remove")
    told = await shop.outcomes(2)
    await desk.letters(1)
    said = await desk("dead", "replay", "--all")

    assert 1 == said.status
    assert f"service {told[1].data['service_id']}; drop it" in said.out
    assert 1 == cloud.state.creates
    assert 0 == (await desk("dead", "drop", "--all", "--yes")).status
