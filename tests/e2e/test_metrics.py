"""
Real workers, and what their metrics say of real events; in the end, that each metric there is has moved.
"""

from __future__ import annotations

import asyncio
import os
import platform
import resource
import signal
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest
from pamqp import commands

from messages.routes import Routes
from tests.broker.conftest import alarm
from tests.e2e.conftest import eventually
from tests.e2e.meter import metered, names
from tests.e2e.proxy import AmqpProxy
from tests.e2e.shop import Shop, binary, order, orders
from tests.e2e.test_logins import USER, password_login
from worker.broker.topology import apply_topology
from worker.sandbox.rabbitmq import PrivateBroker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pika

    from tests.e2e.conftest import StartCloud, StartWorker
    from worker.sandbox.rabbitmq import Broker
    from worker.simulator import Simulator

#: Metrics that moved as claimed, and the tests that came to their end; of this file, in this process.
SEEN: set[str] = set()
DONE: set[str] = set()
#: Looks at the queue, the connection and the ledger follow each other closely.
LOOKING = {"http_port": 0, "self_check_s": 0.3}


@pytest.fixture(autouse=True)
def _ended(request: pytest.FixtureRequest) -> Iterator[None]:
    before = request.session.testsfailed
    yield
    if request.session.testsfailed == before:
        DONE.add(request.node.name)


def named(router_id: str, **more: Any) -> tuple[bytes, pika.BasicProperties]:
    """
    A request that has its router's name.
    """
    return order(router_id), binary(router_id, **more)


def replying(name: str, reply_to: str) -> tuple[bytes, pika.BasicProperties]:
    """
    A request whose publisher wants the outcome in a queue.
    """
    body, properties = named(name)
    properties.reply_to = reply_to
    return body, properties


async def test_each_outcome_and_how_long_it_took(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker
) -> None:
    cloud = await start_cloud()
    add = cloud.state.faults.add
    add({"fault": "error", "match": {"router_id": "refused"}, "status": 400, "code": "BadRequest"})
    add({"fault": "close", "match": {"router_id": "lost"}})
    add({"fault": "commit_then_close", "match": {"router_id": "found"}})
    add({"fault": "truncated", "match": {"router_id": "torn"}})
    worker = await start_worker(cloud.url, reconcile_window_s=0.2, when_not_found="in_doubt", **LOOKING)
    meter = await metered(worker, SEEN)
    await meter.shows("build_info", 1, version=version("vpn-worker"), python=platform.python_version())
    await meter.rises("self_checks_total", 1, result="well")  # from then on all samples are there
    before = await meter.values()
    long_ago = (datetime.now(UTC) - timedelta(seconds=30)).isoformat()
    await shop.publish(
        named("made", time=long_ago),
        named("refused"),
        named("lost"),
        named("found"),
        named("torn"),
        (b"no json", binary("bad")),
    )

    await shop.outcomes(6)
    await meter.rises("requests_received_total", 6, redelivered="false")
    for outcome, count in (("created", 3), ("failed", 1), ("in_doubt", 1), ("rejected", 1)):
        await meter.rises("outcomes_total", count, outcome=outcome)
        await meter.rises("critical_seconds", count, outcome=outcome)
    await meter.rises("processing_seconds", 4, verdict="ack")
    await meter.rises("processing_seconds", 2, verdict="dead")
    await meter.rises("dead_letters_total", reason="rejected")
    await meter.rises("dead_letters_total", reason="in_doubt")
    await meter.rises("unknown_answers_total", 3)
    await meter.rises("unknown_resolved_total", 2, resolution="found")
    await meter.rises("unknown_resolved_total", resolution="in_doubt")
    await meter.rises("api_requests_total", 1, target="api", method="POST", status="2xx")
    await meter.rises("api_requests_total", 1, target="api", method="POST", status="4xx")
    await meter.rises("api_requests_total", 3, target="api", method="POST", status="none")
    await meter.rises("api_requests_total", 3, target="api", method="GET", status="2xx")
    await meter.rises("api_request_seconds", 5, target="api", method="POST")
    await meter.rises("publishes_total", 6, kind="events", result="acked")
    await meter.rises("publishes_total", 2, kind="dead", result="acked")
    await meter.rises("publish_seconds", 6, kind="events")
    await meter.rises("ledger_commit_seconds", 4)
    await meter.rises("ledger_commit_writes", 4)
    now = await meter.values()
    created = ("vpn_worker_critical_seconds_sum", frozenset({("outcome", "created")}))
    assert 30 <= now[created] - before[created] < 60
    assert set(before) == set(now), "samples came or went"


async def test_logins_and_their_calls(shop: Shop, start_cloud: StartCloud, start_worker: StartWorker) -> None:
    cloud = await start_cloud(users=(USER,))
    worker = await start_worker(None, **password_login(cloud.url, **LOOKING))
    meter = await metered(worker, SEEN)
    await shop.publish(named("first"))  # a new token is given up for another only when it was accepted before
    await shop.created(1)
    cloud.state.faults.add({"fault": "error_503", "on": "token"})
    cloud.state.accounts.revoke()
    await shop.publish(named("second"))

    await shop.created(2)
    await meter.rises("logins_total", result="failed")
    await meter.rises("logins_total", result="succeeded")
    await meter.rises("api_requests_total", target="identity", method="POST", status="5xx")
    await meter.rises("api_requests_total", target="identity", method="POST", status="2xx")
    await meter.rises("api_request_seconds", 2, target="identity", method="POST")


async def test_an_account_that_cannot_log_in(
    topology: None, start_cloud: StartCloud, start_worker: StartWorker
) -> None:
    cloud = await start_cloud(users=(USER,))
    worker = await start_worker(None, **password_login(cloud.url, password="wrong"))
    meter = await metered(worker, SEEN)
    await meter.shows("logins_failing", 1)

    cloud.state.accounts.change_password(USER.name, "wrong")
    await meter.shows("logins_failing", 0)


async def test_replies_are_counted_by_what_became_of_them(
    shop: Shop, cloud: Simulator, start_worker: StartWorker
) -> None:
    worker = await start_worker(cloud.url, **LOOKING)
    meter = await metered(worker, SEEN)
    inbox = f"{shop.prefix}-inbox"
    await shop.declare(inbox, {"x-max-length": 1, "x-overflow": "reject-publish"})
    await shop.publish(replying("first", inbox))
    await shop.created(1)
    await meter.rises("publishes_total", kind="reply", result="acked")
    await shop.publish(replying("second", inbox), replying("third", f"{shop.prefix}-nowhere"))

    await meter.rises("publishes_total", kind="reply", result="nacked")
    await meter.rises("publishes_total", kind="reply", result="returned")
    await meter.rises("publish_seconds", 3, kind="reply")


async def test_rungs_by_their_cause(shop: Shop, cloud: Simulator, start_worker: StartWorker) -> None:
    add = cloud.state.faults.add
    add({"fault": "error", "match": {"router_id": "busy"}, "status": 425, "retry_after": 150})
    add({"fault": "error", "match": {"router_id": "taken"}, "status": 409})
    add({"fault": "close", "match": {"router_id": "lost"}})
    worker = await start_worker(cloud.url, quick_wait_s=0, **LOOKING)
    meter = await metered(worker, SEEN)
    await shop.publish(named("busy"), named("taken"), named("lost"))

    await meter.rises("retries_total", rung="2m", cause="busy")
    await meter.rises("retries_total", rung="5s", cause="unknown")
    await meter.rises("retries_total", rung="5s", cause="conflict")
    await meter.rises("publishes_total", 3, kind="retries", result="acked")
    await meter.rises("processing_seconds", 3, verdict="later")


async def test_a_killed_worker_leaves_a_stranger_to_one_with_another_ledger(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker, tmp_path: Path
) -> None:
    cloud = await start_cloud()
    cloud.state.faults.add({"fault": "hang", "match": {"router_id": "stranger"}})
    first = await start_worker(cloud.url)
    await shop.publish(named("stranger"))
    await cloud.until(lambda state: state.calls["create"] == 1)
    await first.child.kill()
    other = {"ledger_url": f"sqlite:///{tmp_path / 'other.sqlite3'}", "stranger_window_s": 0.5, "quick_wait_s": 0}
    second = await start_worker(cloud.url, **other, **LOOKING)
    meter = await metered(second, SEEN, is_new=True)

    await meter.rises("requests_received_total", redelivered="true")
    await meter.rises("strangers_total")
    await meter.rises("retries_total", rung="5s", cause="stranger")


async def test_a_cut_connection_and_what_comes_of_it(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, amqp_url: str
) -> None:
    cloud.state.faults.add({"fault": "slow", "match": {"router_id": "slow"}, "delay_s": 3})
    async with AmqpProxy(amqp_url) as proxy:
        worker = await start_worker(
            cloud.url, amqp_url=proxy.amqp_url, concurrency=2, publish_timeout_s=0.5, stranger_window_s=0.2, **LOOKING
        )
        meter = await metered(worker, SEEN)
        await shop.publish(named("slow"), named("slow"), *orders(3))
        await meter.shows("in_flight", 2)
        await meter.shows("api_in_flight", 1)
        await meter.rises("joined_total", redelivered="false")
        await meter.rises("self_checks_total", result="well")
        await meter.shows("queue_messages", 3)

        proxy.hold(is_from_client=False)  # so that no new connection comes about
        proxy.cut()
        for role in ("consume", "publish"):
            await meter.shows("broker_connected", 0, role=role)
        await meter.shows("consumer_registered", 0)
        await meter.shows("ready", 0)
        await meter.rises("self_checks_total", result="unanswered")
        await meter.rises("publishes_total", kind="events", result="lost")

        proxy.release()
        for role in ("consume", "publish"):
            await meter.rises("broker_reconnects_total", role=role)
        await meter.rises("requests_received_total", redelivered="true")
        await meter.rises("joined_total", redelivered="true")
        await meter.rises("stale_acks_total", 2)
        await shop.until(lambda told: len({event.data["request_id"] for event in told}) == 4)

        cloud.state.faults.add({"fault": "slow", "match": {"router_id": "held"}, "delay_s": 0.5})
        await shop.publish(named("held"))
        await cloud.until(lambda state: state.calls["create"] == 5)
        proxy.hold(is_from_client=False)
        await meter.rises("publishes_total", kind="events", result="timed_out")
        proxy.release()
        await meter.rises("outcomes_total", 5, outcome="created")


async def test_a_consumer_that_vanished_without_a_word(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, amqp_url: str
) -> None:
    """
    Whoever deletes a queue has its consumers told; here the word is lost on its way.
    """
    async with AmqpProxy(amqp_url) as proxy:
        worker = await start_worker(cloud.url, amqp_url=proxy.amqp_url, **LOOKING)
        meter = await metered(worker, SEEN)
        proxy.swallowed = (commands.Basic.Cancel,)
        queue = f"{shop.prefix}.requests.create"
        await shop.with_channel(lambda channel: channel.queue_delete(queue))
        await eventually(lambda: any(isinstance(one.frame, commands.Basic.Cancel) for one in proxy.passed), "cancel")
        await apply_topology(amqp_url, Routes(shop.prefix))
        await shop.publish(named("waiting"))
        await meter.rises("self_checks_total", result="vanished")
        await meter.rises("broker_reconnects_total", role="consume")

        await shop.created(1)
        await meter.rises("outcomes_total", outcome="created")
    assert worker.logged("consumer.vanished")


async def test_an_alarm_of_the_broker(shop: Shop, cloud: Simulator, start_worker: StartWorker, broker: Broker) -> None:
    if not isinstance(broker, PrivateBroker):
        pytest.skip("only a broker of our own is brought into an alarm")
    cloud.state.faults.add({"fault": "slow", "match": {"router_id": "slow"}, "delay_s": 4})
    worker = await start_worker(cloud.url, **LOOKING)
    meter = await metered(worker, SEEN)
    await shop.publish(named("slow"))
    await cloud.until(lambda state: state.calls["create"] == 1)
    async with alarm(broker):
        await meter.shows("broker_blocked", 1)
        await meter.shows("ready", 0)
    await shop.created(1)
    await meter.rises("outcomes_total", outcome="created")


async def test_pauses_by_their_reason(shop: Shop, start_cloud: StartCloud, start_worker: StartWorker) -> None:
    cloud = await start_cloud()
    worker = await start_worker(cloud.url, pause_s=0.3, trip_after=1, **LOOKING)
    meter = await metered(worker, SEEN)
    wrong = cloud.state.faults.add({"fault": "answer", "on": "any", "status": 401, "body": "who?", "times": None})
    await shop.publish(named("first"))
    await meter.rises("pauses_total", reason="settings")
    await meter.shows("paused", 1)
    cloud.state.faults.remove(wrong.number)
    await shop.created(1)

    await cloud.close()
    await shop.publish(named("second"))
    await meter.rises("pauses_total", reason="cloud_down")
    again = await start_cloud(port=int(cloud.url.rpartition(":")[2]))
    again.state.faults.add({"fault": "throttle", "match": {"router_id": "third"}, "retry_after": 20})
    await shop.created(2)

    await shop.publish(named("third"))
    await meter.rises("throttle_waits_total")
    await meter.rises("throttle_wait_seconds_total", 20)
    await meter.falls("concurrency_limit")
    await meter.rises("pauses_total", reason="throttled")


@pytest.mark.skipif(sys.platform != "linux", reason="needs prlimit")
async def test_following_and_a_ledger_that_cannot_grow_and_a_worker_that_stood_still(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker, tmp_path: Path
) -> None:
    cloud = await start_cloud(journey=((0.0, "PENDING_CREATE"), (1.0, "BUILD")))
    worker = await start_worker(cloud.url, follow="settled", follow_interval_s=0.3, **LOOKING)
    meter = await metered(worker, SEEN)
    await shop.publish(named("followed"))
    await meter.rises("follow_rounds_total", 2)
    await meter.rises("status_changes_total")

    os.kill(worker.child.pid, signal.SIGSTOP)
    await asyncio.sleep(1.5)
    os.kill(worker.child.pid, signal.SIGCONT)
    await meter.exceeds("event_loop_lag_seconds", 0.8)

    size_bytes = (tmp_path / "ledger.sqlite3-wal").stat().st_size
    resource.prlimit(worker.child.pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))
    await meter.rises("ledger_errors_total")
    await meter.shows("ready", 0)
    await meter.rises("pauses_total", reason="ledger")
    resource.prlimit(worker.child.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await meter.shows("paused", 0)
    await meter.shows("followed_services", 1)


@pytest.mark.skipif(sys.platform != "linux", reason="needs prlimit")
async def test_every_metric_has_moved(request: pytest.FixtureRequest, broker: Broker) -> None:
    others = {name for name in globals() if name.startswith("test_")} - {request.node.name}
    if not (others <= DONE and isinstance(broker, PrivateBroker)):
        pytest.skip("looks at what all tests of this file have seen, and not all have come to their end")

    assert set() == names() - SEEN
