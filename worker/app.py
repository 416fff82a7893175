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
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version

import structlog

from worker.broker.consumer import BrokerConsumer
from worker.broker.publisher import BrokerPublisher
from worker.broker.replier import BrokerReplier
from worker.broker.topology import apply_topology, is_complete
from worker.cloud.clouds import open_clouds
from worker.composing import admission_of, cloud_options, copying_user, follow_pace_of, pace_of, risks_of
from worker.console.site import PATH as CONSOLE_PATH
from worker.console.site import Console
from worker.consoling import console_of, opened_console_parts, readings_of
from worker.engine import Engine, Ports
from worker.errors import BrokerRefused
from worker.facts import hooked
from worker.follower import Follower, FollowerPorts
from worker.gate import Gate
from worker.intake import Desk, Intake
from worker.janitor import Janitor
from worker.ledger.opening import open_ledger
from worker.ledger_watch import watch_ledger
from worker.readiness import Census, Parts, checks
from worker.selfcheck import SelfCheck
from worker.settings import Settings, access_of, unknown_variables
from worker.telemetry.health import Health
from worker.telemetry.http_port import serve
from worker.telemetry.metrics import Metrics
from worker.telemetry.pulse import Pulse
from worker.telemetry.systemd import ServiceManager, supervised
from worker.teller import Teller
from worker.watchman import Watchman
from worker.working import Worker

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


async def run_worker(settings: Settings, ready: Callable[[str, str | None], None]) -> None:
    """
    Runs a worker until SIGTERM or SIGINT; a second signal ends it without draining.

    Args:
        settings: all of them.
        ready: is given the work queue's name, and the HTTP port's URL if there is one, once the broker has the consumer
            registered.

    Raises:
        VpnWorkerError: it cannot start, or cannot go on; the message says why and what to do.
    """
    for name in unknown_variables():
        log.warning("settings.unknown", name=name)
    for name, remedy in risks_of(settings):
        log.warning("settings.risky", name=name, remedy=remedy)
    log.info("worker.starting", version=version("vpn-worker"), cloud=settings.cloud)
    health, metrics = Health(SystemClock().now), Metrics()
    console = console_of(settings, health, SystemClock().now)
    with hooked(metrics.heed):
        # First of all: who starts us wants to see how far we are.
        async with _observed(settings, health, metrics, console) as url, supervised(health) as supervisor:
            health.starting("RabbitMQ: declaring exchanges and queues, or looking whether they are there")
            await _ensure_topology(settings)
            health.starting("opening the ledger, connecting, logging in")
            async with _composed(settings, health, metrics, console) as (worker, tasks):

                def started() -> None:
                    health.started()
                    supervisor.ready()
                    ready(settings.routes.requests_queue, url)

                await _worked(worker, tasks, supervisor, started)
    log.info("worker.stopped")


async def _worked(
    worker: Worker, tasks: list[asyncio.Task[None]], supervisor: ServiceManager, ready: Callable[[], None]
) -> None:
    def stop() -> None:
        supervisor.stopping()
        worker.stop()

    def drain(_: object) -> None:
        # Not `stop`: while it drains already, a second one would break off what was sent.
        supervisor.stopping()
        worker.drain()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    for task in tasks:
        # One that ends by itself is a fault of ours, or cannot be mended: stop rather than look alive without it.
        task.add_done_callback(drain)
    await worker.run(ready)
    for task in tasks:
        if task.done() and not task.cancelled():
            task.result()


@asynccontextmanager
async def _observed(
    settings: Settings, health: Health, metrics: Metrics, console: Console | None
) -> AsyncIterator[str | None]:
    pulse = Pulse(health)
    beating = asyncio.create_task(pulse.run(), name="pulse")
    metrics.read("event_loop_lag_seconds", lambda: pulse.lag_s)
    metrics.read("ready", lambda: health.is_ready)
    try:
        if settings.http_port is None:
            yield None
        else:
            parts = {} if console is None else {CONSOLE_PATH: console.app()}
            async with serve(settings.http_host, settings.http_port, health, metrics, parts) as url:
                log.info("health.served", url=url)
                yield url
    finally:
        beating.cancel()


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
async def _composed(
    settings: Settings, health: Health, metrics: Metrics, console: Console | None
) -> AsyncIterator[tuple[Worker, list[asyncio.Task[None]]]]:
    clock = SystemClock()
    access = access_of(settings)
    for warning in access.warnings:
        log.warning("settings.risky", remedy=warning)
    for account in access.accounts:
        origin = access.origins.get(account.name)
        log.info("account.read", account=account.name, login=origin, api_url=account.api_url or "told by the login")
    pace = pace_of(settings)
    gate = Gate(settings.policy, pace)
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
            follower = Follower(
                FollowerPorts(ledger.follows, cloud, teller, clock, gate, follow_pace_of(settings)),
                settings.following,
                settings.lease_s,
            )
            worker = Worker(consumer, intake, gate, settings.shutdown_grace_s)
            parts = Parts(worker, consumer, publisher, gate, pace, cloud, ledger.follows)
            health.watch(checks(parts))
            census = Census(parts, metrics)
            running = {
                "watchman": Watchman(gate, cloud, consumer, clock, settings.policy).run(),
                "logins": cloud.keep_logged_in(),
                "follower": follower.run(),
                "janitor": Janitor(ledger, clock, settings.retention_s).run(),
                "self-check": SelfCheck(
                    consumer, gate, lambda: _ensure_topology(settings), settings.self_check_s
                ).run(),
                "ledger-watch": watch_ledger(ledger, gate, clock, owner, settings.self_check_s),
                "census": census.run(),
            }
            upkeep = [asyncio.create_task(run, name=name) for name, run in running.items()]
            try:
                async with AsyncExitStack() as stack:
                    if console is not None:
                        readings = readings_of(parts, census)
                        desk = await stack.enter_async_context(
                            opened_console_parts(settings, readings, ledger, teller, cloud, clock)
                        )
                        await stack.enter_async_context(console.working(desk))
                    yield worker, [*links, *upkeep]
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
