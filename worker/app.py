"""
The composition root: picks the concrete parts, owns their lifetimes, runs the tasks.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import structlog

from worker.broker.consumer import BrokerConsumer
from worker.broker.publisher import BrokerPublisher
from worker.broker.replier import BrokerReplier
from worker.broker.topology import apply_topology, is_complete
from worker.cloud.clouds import Clouds, open_clouds
from worker.composing import admission_of, cloud_options, copying_user, follow_pace_of, pace_of
from worker.core.killswitch import Mode
from worker.engine import Engine, Ports
from worker.errors import BrokerRefused
from worker.follower import Follower, FollowerPorts
from worker.gate import Gate
from worker.intake import Desk, Intake
from worker.janitor import Janitor
from worker.ledger.opening import open_ledger
from worker.ports import Delivery
from worker.settings import Settings, access_of, unknown_variables
from worker.telemetry.health import Check, serve_health
from worker.teller import Teller
from worker.watchman import Watchman

log = structlog.get_logger()


class SystemClock:
    """
    The machine's time and luck.
    """

    def now(self) -> datetime:
        """
        See Clock.now.
        """
        return datetime.now(UTC)

    def roll(self) -> float:
        """
        See Clock.roll.
        """
        return random.random()  # noqa: S311 - jitter, no secret


class Worker:
    """
    One worker: takes deliveries, runs them, settles them, until it is told to stop.
    """

    def __init__(self, consumer: BrokerConsumer, intake: Intake, gate: Gate, shutdown_grace_s: float) -> None:
        self._consumer = consumer
        self._intake = intake
        self._gate = gate
        self._shutdown_grace_s = shutdown_grace_s
        self._stop = asyncio.Event()
        self._at_once = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """
        First call: drain. Second call: leave what is under way to the broker, which delivers it again.
        """
        if self._stop.is_set():
            self._at_once.set()
        self._stop.set()

    async def run(self, ready: Callable[[], None]) -> None:
        """
        Works until `stop`, then drains. Calls `ready` once it is consuming.
        """
        taking = asyncio.create_task(self._take(ready))
        stopped = asyncio.create_task(self._wait_for_stop())
        try:
            await asyncio.wait({taking, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if taking.done():
                # It never ends by itself: whatever ended it ends the worker, rather than let it look alive.
                taking.result()
            taking.cancel()
            await self._drain()
        finally:
            taking.cancel()
            stopped.cancel()
            await self._abandon()

    async def _wait_for_stop(self) -> None:
        await self._stop.wait()

    async def _take(self, ready: Callable[[], None]) -> None:
        await self._consumer.registered()
        ready()
        while True:
            self._start(await self._consumer.take())

    def _start(self, delivery: Delivery) -> None:
        # Our own task, not the broker callback's: it outlives the connection.
        task = asyncio.create_task(self._process(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _process(self, delivery: Delivery) -> None:
        await self._consumer.settle(delivery, await self._intake.handle(delivery))

    async def _drain(self) -> None:
        log.info("worker.draining", in_flight=len(self._tasks), grace_s=self._shutdown_grace_s)
        self._gate.stop()
        await self._consumer.stop_taking()
        while self._consumer.has_arrivals:
            self._start(await self._consumer.take())
        if not self._tasks:
            return
        waits: set[asyncio.Future[Any]] = {
            asyncio.ensure_future(asyncio.wait(self._tasks)),
            asyncio.ensure_future(self._at_once.wait()),
        }
        await asyncio.wait(waits, timeout=self._shutdown_grace_s, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    async def _abandon(self) -> None:
        if not self._tasks:
            return
        log.warning("worker.abandoned", in_flight=len(self._tasks))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def run_worker(settings: Settings, ready: Callable[[str], None]) -> None:
    """
    Runs a worker until SIGTERM or SIGINT; a second signal ends it without draining.

    Args:
        settings: all of them.
        ready: is given the work queue's name once the broker has the consumer registered.

    Raises:
        VpnWorkerError: it cannot start; the message says why and what to do.
    """
    for name in unknown_variables():
        log.warning("settings.unknown", name=name)
    if settings.stranger_window_s <= settings.api_timeout_s:
        # A redelivered request may still be on its way to the cloud from a worker that lost its broker.
        log.warning("settings.risky", name="VPN_WORKER_STRANGER_WINDOW_S", remedy="more than VPN_WORKER_API_TIMEOUT_S")
    log.info("worker.starting", version=version("vpn-worker"), cloud=settings.cloud)
    await _ensure_topology(settings)
    async with _composed(settings) as (worker, tasks):
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, worker.stop)
        for task in tasks:
            # One that ends by itself is a fault of ours: stop rather than look alive without it.
            task.add_done_callback(lambda _: worker.stop())
        await worker.run(lambda: ready(settings.routes.requests_queue))
        for task in tasks:
            if task.done() and not task.cancelled():
                task.result()
    log.info("worker.stopped")


async def _ensure_topology(settings: Settings) -> None:
    url = settings.amqp_url.get_secret_value()
    # Declaring compares arguments and brings back bindings; only looking would work on beside a wrong queue.
    try:
        await apply_topology(url, settings.routes)
    except BrokerRefused:
        # Least privilege: without the right to configure, looking is all we can do (broker-facts: What RabbitMQ does).
        if not await is_complete(url, settings.routes):
            raise


@asynccontextmanager
async def _composed(settings: Settings) -> AsyncIterator[tuple[Worker, list[asyncio.Task[None]]]]:
    clock = SystemClock()
    access = access_of(settings)
    for warning in access.warnings:
        log.warning("settings.risky", remedy=warning)
    for account in access.accounts:
        origin = access.origins.get(account.name)
        log.info("account.read", account=account.name, login=origin, api_url=account.api_url or "told by the login")
    gate = Gate(settings.policy, pace_of(settings))
    url = settings.amqp_url.get_secret_value()
    owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    ledger = await open_ledger(settings.ledger_url.get_secret_value(), owner, settings.lease_s)
    own_user = copying_user(settings)
    publisher = BrokerPublisher(url, settings.routes, settings.publish_timeout_s, own_user=own_user)
    replier = BrokerReplier(url, settings.routes, settings.publish_timeout_s)
    consumer = BrokerConsumer(url, settings.routes, settings.concurrency, publisher, own_user=own_user)
    links = [
        asyncio.create_task(publisher.run(), name="publisher"),
        asyncio.create_task(consumer.run(), name="consumer"),
    ]
    try:
        async with open_clouds(cloud_options(settings, access)) as cloud:
            # Readiness knows of a wrong password before the first request does.
            await cloud.log_in()
            teller = Teller(publisher, replier, clock, settings.event_source)
            engine = Engine(Ports(ledger, ledger.follows, cloud, teller, clock, gate), settings.policy)
            intake = Intake(
                Desk(ledger, engine, teller, clock, gate, admission_of(settings, access.accounts)), settings.policy
            )
            watchman = Watchman(gate, cloud, consumer, clock, settings.policy)
            follower = Follower(
                FollowerPorts(ledger.follows, cloud, teller, clock, gate, follow_pace_of(settings)),
                settings.following,
                settings.lease_s,
            )
            upkeep = [
                asyncio.create_task(watchman.run(), name="watchman"),
                asyncio.create_task(cloud.keep_logged_in(), name="logins"),
                asyncio.create_task(follower.run(), name="follower"),
                asyncio.create_task(Janitor(ledger, clock, settings.retention_s).run(), name="janitor"),
            ]
            try:
                async with _health(settings, _checks(consumer, publisher, gate, cloud)):
                    yield Worker(consumer, intake, gate, settings.shutdown_grace_s), [*links, *upkeep]
            finally:
                for task in upkeep:
                    task.cancel()
                await asyncio.gather(*upkeep, return_exceptions=True)
    finally:
        consumer.close()
        publisher.close()
        await asyncio.gather(*links, return_exceptions=True)
        await replier.close()
        await ledger.close()


@asynccontextmanager
async def _health(settings: Settings, checks: Callable[[], dict[str, Check]]) -> AsyncIterator[None]:
    if settings.http_port is None:
        yield
        return
    async with serve_health(settings.http_host, settings.http_port, checks) as url:
        log.info("health.served", url=url)
        yield


def _checks(
    consumer: BrokerConsumer, publisher: BrokerPublisher, gate: Gate, cloud: Clouds
) -> Callable[[], dict[str, Check]]:
    def checks() -> dict[str, Check]:
        return {
            "consumer": Check(consumer.is_registered, "registered" if consumer.is_registered else "not registered"),
            "publisher": Check(publisher.is_open, "open" if publisher.is_open else "closed, or blocked by an alarm"),
            "cloud": _cloud_check(gate),
            "credentials": _credentials_check(cloud),
            "ledger": Check(gate.ledger_trouble is None, gate.ledger_trouble or "writable, as far as it was asked"),
            "draining": Check(not gate.is_stopping, "draining" if gate.is_stopping else "no"),
        }

    return checks


def _cloud_check(gate: Gate) -> Check:
    match gate.switch.mode:
        case Mode.STOPPED:
            return Check(is_well=False, words=f"no requests are taken: {gate.trouble}")
        case Mode.TRYING:
            return Check(is_well=True, words="answers again; one request at a time is sent until one is decided")
        case Mode.RUNNING:
            return Check(gate.pause is None, gate.pause or "running")


def _credentials_check(cloud: Clouds) -> Check:
    logins = cloud.logins
    words = "; ".join(f"{name}: {login.words}" for name, login in logins.items())
    # One account of several that is refused keeps its own requests waiting, and nobody else's.
    return Check(any(login.is_well for login in logins.values()), words)
