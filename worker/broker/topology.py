"""
Our exchanges and queues: what they must be, and how they are brought about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import aiormq.exceptions
from aio_pika.abc import AbstractConnection

from messages.routes import RUNGS, Routes
from worker.broker.connection import BROKER_ERRORS, CALL_TIMEOUT_S, connected, typed_errors
from worker.broker.versions import refuse_too_old, server_of
from worker.errors import BrokerRefused, BrokerUnreachable, TopologyMismatch

#: Deliveries of one message before RabbitMQ parks it. It counts for every prefetched message, so that innocent ones come
#: near it in bad weather; what kills its workers is found long before (worker.quarantine).
DELIVERY_LIMIT = 50
#: Events that nobody is bound for are kept up to this number, the oldest go first.
UNROUTED_LIMIT = 100_000
MISMATCH_REMEDY = (
    "Arguments cannot be changed: let the queue run empty, stop the workers, delete it and run "
    "`vpn-worker topology apply`; or use another VPN_WORKER_PREFIX."
)
_LOOK_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class ExchangeSpec:
    """
    An exchange as we need it; always durable.
    """

    name: str
    kind: str
    arguments: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"exchange {self.name}"


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """
    A queue as we need it; always durable and of type quorum.
    """

    name: str
    arguments: dict[str, str | int]

    def __str__(self) -> str:
        return f"queue {self.name}"


@dataclass(frozen=True, slots=True)
class BindingSpec:
    """
    A binding from an exchange to a queue.
    """

    exchange: str
    queue: str
    routing_key: str

    def __str__(self) -> str:
        return f"binding {self.exchange} -> {self.queue} [{self.routing_key}]"


@dataclass(frozen=True, slots=True)
class Topology:
    """
    Everything the product needs at the broker.
    """

    exchanges: tuple[ExchangeSpec, ...]
    queues: tuple[QueueSpec, ...]
    bindings: tuple[BindingSpec, ...]

    @property
    def things(self) -> tuple[ExchangeSpec | QueueSpec, ...]:
        """
        What bindings go between.
        """
        return (*self.exchanges, *self.queues)


def topology(routes: Routes) -> Topology:
    """
    The exchanges, queues and bindings under the names of `routes` (design: The contract, Names beside these).
    """
    # Without reject-publish, at-least-once dead-lettering loses messages (broker-facts: What RabbitMQ does).
    safe: dict[str, str | int] = {
        "x-queue-type": "quorum",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    work = safe | {"x-dead-letter-exchange": routes.dead_exchange, "x-delivery-limit": DELIVERY_LIMIT}
    rungs = tuple(
        QueueSpec(
            routes.rung_queue(rung),
            safe
            | {
                "x-message-ttl": rung.delay_s * 1000,
                "x-dead-letter-exchange": routes.requests_exchange,
                "x-dead-letter-routing-key": routes.request_routing_key,
            },
        )
        for rung in RUNGS
    )
    return Topology(
        exchanges=(
            ExchangeSpec(routes.requests_exchange, "direct"),
            ExchangeSpec(routes.unrouted_exchange, "fanout"),
            ExchangeSpec(routes.events_exchange, "topic", {"alternate-exchange": routes.unrouted_exchange}),
            ExchangeSpec(routes.retry_exchange, "direct"),
            ExchangeSpec(routes.dead_exchange, "fanout"),
        ),
        queues=(
            QueueSpec(routes.requests_queue, work),
            # A person looks at dead letters by taking and giving back; 4.x would drop them at its default limit of 20.
            QueueSpec(routes.dead_queue, {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000}),
            QueueSpec(
                routes.unrouted_queue,
                {"x-queue-type": "quorum", "x-max-length": UNROUTED_LIMIT, "x-overflow": "drop-head"},
            ),
            *rungs,
        ),
        bindings=(
            BindingSpec(routes.requests_exchange, routes.requests_queue, routes.request_routing_key),
            BindingSpec(routes.dead_exchange, routes.dead_queue, ""),
            BindingSpec(routes.unrouted_exchange, routes.unrouted_queue, ""),
            *(BindingSpec(routes.retry_exchange, routes.rung_queue(rung), rung.name) for rung in RUNGS),
        ),
    )


@dataclass(frozen=True, slots=True)
class Applied:
    """
    A thing that is there now.

    Attributes:
        thing: which.
        became: `created`, `there already`, or `made sure of` where nobody can tell.
    """

    thing: ExchangeSpec | QueueSpec | BindingSpec
    became: str

    def __str__(self) -> str:
        kind = f" ({self.thing.kind})" if isinstance(self.thing, ExchangeSpec) else ""
        return f"{self.thing}{kind}: {self.became}"


async def apply_topology(amqp_url: str, routes: Routes, tell: Callable[[Applied], None] | None = None) -> None:
    """
    Declares everything that is missing. Safe to repeat, also from several processes at once.

    Args:
        amqp_url: of a user that may configure these names.
        routes: the names.
        tell: is given each thing with whether it was there already; without it, nobody looks.

    Raises:
        TopologyMismatch: something exists with other arguments.
        BrokerRefused: no permission to declare.
        BrokerTooOld: it would lose messages.
        BrokerUnreachable: the connection went while declaring.
    """
    wanted = topology(routes)
    # A channel and a connection of its own: a refused declaration closes the channel (broker-facts, 10).
    async with connected(amqp_url, "topology") as connection:
        refuse_too_old(server_of(connection))
        there = set() if tell is None else await _there(connection, wanted)
        tell = tell or (lambda applied: None)
        differing: list[str] = []
        things: tuple[ExchangeSpec | QueueSpec, ...] = (*wanted.exchanges, *wanted.queues)
        for thing in things:
            try:
                await _declare(connection, thing)
            except TopologyMismatch as exc:
                differing.append(str(exc))  # one that is in the way must not keep the others from being made
            else:
                tell(Applied(thing, _became(thing, there)))
        await _bind(connection, wanted, lambda binding: tell(Applied(binding, _bound(binding, there))))
    if differing:
        raise TopologyMismatch("\n".join(differing))


async def _declare(connection: AbstractConnection, thing: ExchangeSpec | QueueSpec) -> None:
    # On a channel of its own: a refused declaration closes it (broker-facts, 10).
    with _named(f"{thing}".capitalize()):
        async with asyncio.timeout(CALL_TIMEOUT_S):
            channel = await connection.channel()
            if isinstance(thing, ExchangeSpec):
                await channel.declare_exchange(
                    thing.name, thing.kind, durable=True, arguments=dict(thing.arguments), timeout=CALL_TIMEOUT_S
                )
            else:
                await channel.declare_queue(
                    thing.name, durable=True, arguments=dict(thing.arguments), timeout=CALL_TIMEOUT_S
                )
            await channel.close()


async def _bind(connection: AbstractConnection, wanted: Topology, tell: Callable[[BindingSpec], None]) -> None:
    with _named("A channel"):
        async with asyncio.timeout(CALL_TIMEOUT_S):
            channel = await connection.channel()
    for binding in wanted.bindings:
        with _named(f"Binding of {binding.queue}"):
            bound = await channel.get_queue(binding.queue, ensure=False)
            await bound.bind(binding.exchange, binding.routing_key, timeout=CALL_TIMEOUT_S)
        tell(binding)


def _became(thing: ExchangeSpec | QueueSpec, there: set[str]) -> str:
    return "there already" if str(thing) in there else "created"


def _bound(binding: BindingSpec, there: set[str]) -> str:
    # AMQP does not tell which bindings there are; where one of its ends is new, the binding is as well.
    ends = {f"exchange {binding.exchange}", f"queue {binding.queue}"}
    return "made sure of" if ends <= there else "created"


async def _there(connection: AbstractConnection, wanted: Topology) -> set[str]:
    """
    Which exchanges and queues exist; looks passively, each on a channel of its own, as a missing one closes it.
    """
    found: set[str] = set()
    for thing in wanted.things:
        with _named(f"{thing}".capitalize()):
            if await exists(connection, thing):
                found.add(str(thing))
    return found


async def exists(connection: AbstractConnection, thing: ExchangeSpec | QueueSpec) -> bool:
    """
    Whether it is there, whatever its arguments are; nobody needs a permission to look.

    Raises:
        one of BROKER_ERRORS: it could not be asked.
    """
    async with asyncio.timeout(CALL_TIMEOUT_S):
        channel = await connection.channel(publisher_confirms=False)
        try:
            if isinstance(thing, ExchangeSpec):
                await channel.get_exchange(thing.name, ensure=True)
            else:
                await channel.get_queue(thing.name, ensure=True)
        except aiormq.exceptions.ChannelNotFoundEntity:
            return False
        await channel.close()
    return True


@contextmanager
def _named(what: str) -> Iterator[None]:
    try:
        with typed_errors():
            yield
    except aiormq.exceptions.ChannelPreconditionFailed as exc:
        raise TopologyMismatch(f"{what} exists with other arguments than ours: {exc}. {MISMATCH_REMEDY}") from exc
    except aiormq.exceptions.ChannelAccessRefused as exc:
        raise BrokerRefused(
            f"{what} may not be declared by this user: {exc}. "
            "Run `vpn-worker topology apply` once as a user that may configure it."
        ) from exc
    except BROKER_ERRORS as exc:
        raise BrokerUnreachable(f"{what} could not be declared: {str(exc) or type(exc).__name__}") from exc


async def is_complete(amqp_url: str, routes: Routes) -> bool:
    """
    Whether every exchange and queue is there; looks passively, so it needs no permission to configure.

    Raises:
        BrokerRefused, BrokerUnreachable: it could not be asked.
    """
    wanted = topology(routes)
    async with connected(amqp_url, "topology") as connection:
        try:
            with typed_errors():
                async with asyncio.timeout(_LOOK_TIMEOUT_S):
                    channel = await connection.channel()
                    for exchange in wanted.exchanges:
                        await channel.get_exchange(exchange.name, ensure=True)
                    for queue in wanted.queues:
                        await channel.get_queue(queue.name, ensure=True)
        except aiormq.exceptions.ChannelNotFoundEntity:
            return False
        except BROKER_ERRORS as exc:
            raise BrokerUnreachable(f"RabbitMQ could not be asked for its queues: {exc}") from exc
    return True


async def remove_topology(amqp_url: str, routes: Routes) -> None:
    """
    Deletes our queues, with what is in them, and our exchanges; for demonstrations and tests.

    Raises:
        BrokerRefused, BrokerUnreachable: it could not be done.
    """
    wanted = topology(routes)
    async with connected(amqp_url, "topology") as connection:
        channel = await connection.channel()
        for queue in wanted.queues:
            with _named(f"Queue {queue.name}"):
                await channel.queue_delete(queue.name, timeout=CALL_TIMEOUT_S)
        for exchange in wanted.exchanges:
            with _named(f"Exchange {exchange.name}"):
                await channel.exchange_delete(exchange.name, timeout=CALL_TIMEOUT_S)
