"""
What must be well for a worker to be ready, and the numbers it can be asked for at any moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from worker.broker.consumer import BrokerConsumer
from worker.broker.publisher import BrokerPublisher
from worker.cloud.clouds import Clouds
from worker.core.killswitch import Mode
from worker.errors import LedgerError
from worker.gate import Gate
from worker.pace import Pace
from worker.ports import Follows
from worker.telemetry.health import Check, Look
from worker.telemetry.metrics import Metrics
from worker.working import Worker

log = structlog.get_logger()

_CENSUS_S = 15.0
_CONSUMER = "RabbitMQ has no consumer of ours: see the check `publisher`, the log (broker.lost), or `vpn-worker check`"
_BLOCKED = (
    "RabbitMQ has an alarm for memory or disk: free some (`rabbitmq-diagnostics alarms`); publishing goes on by itself"
)
_CLOSED = "check that RabbitMQ runs and that VPN_WORKER_AMQP_URL names it; it is tried again and again"
_CLOUD = (
    "the queue waits meanwhile, and nothing is lost: mend what the words say; requests are taken again by themselves"
)
_LEDGER = "check free disk space, permissions and VPN_WORKER_LEDGER_URL; it is tried again every second"
_CREDENTIALS = "correct the login: docs/how-to/clouds.md; a secret from a file is read again by itself"


@dataclass(frozen=True, slots=True)
class Parts:
    """
    What can be asked how it is.
    """

    worker: Worker
    consumer: BrokerConsumer
    publisher: BrokerPublisher
    gate: Gate
    pace: Pace
    cloud: Clouds
    follows: Follows


def checks(parts: Parts) -> Mapping[str, Look]:
    """
    The checks behind `/ready`.
    """
    gate = parts.gate
    return {
        "consumer": lambda: _consumer(parts),
        "publisher": lambda: _publisher(parts.publisher),
        "cloud": lambda: _cloud(gate),
        "credentials": lambda: _credentials(parts.cloud),
        "ledger": lambda: Check(gate.ledger_trouble is None, gate.ledger_trouble or "writable", _LEDGER),
        "draining": lambda: Check(
            not gate.is_stopping,
            "draining: what is under way is finished, nothing is taken" if gate.is_stopping else "no",
            "it ends by itself; another worker takes the rest",
        ),
    }


def _consumer(parts: Parts) -> Check:
    is_registered = parts.consumer.is_registered
    if not is_registered and parts.gate.trouble is not None:
        return Check(is_well=False, words="paused: no requests are taken", remedy="see the checks `cloud` and `ledger`")
    return Check(is_registered, "registered" if is_registered else "not registered", _CONSUMER)


def _publisher(publisher: BrokerPublisher) -> Check:
    if publisher.is_blocked:
        return Check(is_well=False, words="blocked: RabbitMQ takes no publishes", remedy=_BLOCKED)
    return Check(publisher.is_open, "open" if publisher.is_open else "closed", _CLOSED)


def _cloud(gate: Gate) -> Check:
    match gate.switch.mode:
        case Mode.STOPPED:
            return Check(is_well=False, words=f"no requests are taken: {gate.trouble}", remedy=_CLOUD)
        case Mode.TRYING:
            return Check(is_well=True, words="answers again; one request at a time is sent until one is decided")
        case Mode.RUNNING:
            return Check(gate.pause is None, gate.pause or "running", _CLOUD)


def _credentials(cloud: Clouds) -> Check:
    logins = cloud.logins
    words = "; ".join(f"{name}: {login.words}" for name, login in logins.items())
    # One account of several that is refused keeps its own requests waiting, and nobody else's.
    return Check(any(login.is_well for login in logins.values()), words, _CREDENTIALS)


class Census:
    """
    Gives the metrics what can only be read: what is at once at hand when they are asked for, and what the ledger
    must be asked for now and then.

    Args:
        parts: to read.
        metrics: to tell.
    """

    def __init__(self, parts: Parts, metrics: Metrics) -> None:
        self._follows = parts.follows
        self._followed: float | None = None
        gate, pace, consumer, publisher = parts.gate, parts.pace, parts.consumer, parts.publisher
        metrics.read("in_flight", lambda: parts.worker.in_flight)
        metrics.read("concurrency_limit", lambda: pace.limit)
        metrics.read("api_in_flight", lambda: pace.in_flight)
        metrics.read("paused", lambda: gate.trouble is not None)
        metrics.read("consumer_registered", lambda: consumer.is_registered)
        metrics.read("broker_blocked", lambda: publisher.is_blocked)
        metrics.read("broker_connected", lambda: {"consume": consumer.is_connected, "publish": publisher.is_connected})
        metrics.read("logins_failing", lambda: sum(not login.is_well for login in parts.cloud.logins.values()))
        metrics.read("followed_services", lambda: self._followed)

    @property
    def followed(self) -> float | None:
        """
        Services that are followed, as the ledger last said; None when it did not.
        """
        return self._followed

    async def run(self) -> None:
        """
        Goes on until it is cancelled.
        """
        while True:
            try:
                self._followed = await self._follows.count()
            except LedgerError as exc:
                self._followed = None
                log.debug("census.not_taken", error=str(exc))
            await asyncio.sleep(_CENSUS_S)
