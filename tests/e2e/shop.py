"""
A publisher and reader of events on pika: a client nobody wrote the worker for, with no code of the project but names.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import pika
import pika.exceptions

from messages.routes import RUNGS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from pika.adapters.blocking_connection import BlockingChannel

T = TypeVar("T")
TYPE = "vpn.vpnservice.create.v1"
CREATED = "vpn.vpnservice.created.v1"
OUTCOMES = frozenset(
    f"vpn.vpnservice.{what}.v1" for what in ("created", "create-failed", "create-rejected", "create-in-doubt")
)


@dataclass(frozen=True)
class Message:
    """
    One message as pika shows it.
    """

    body: bytes
    routing_key: str
    properties: pika.BasicProperties

    @property
    def headers(self) -> dict[str, Any]:
        return dict(self.properties.headers or {})

    @property
    def data(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.body)
        return read

    @property
    def type(self) -> str:
        return str(self.headers.get("ce-type"))

    @property
    def is_outcome(self) -> bool:
        return self.type in OUTCOMES


def order(router_id: str | None = None, **fields: object) -> bytes:
    """
    A request's body, the API's own.
    """
    return json.dumps({"vpnservice": {"router_id": router_id or str(uuid.uuid4()), **fields}}).encode()


def orders(count: int) -> list[tuple[bytes, pika.BasicProperties]]:
    """
    So many requests, each with an id and a router of its own.
    """
    return [(order(), binary()) for _ in range(count)]


def binary(identity: str | None = None, source: str = "/shop", **more: object) -> pika.BasicProperties:
    """
    Properties of a request in CloudEvents binary mode; `more` are further headers, without `ce-`.
    """
    attributes = {"specversion": "1.0", "id": identity or str(uuid.uuid4()), "source": source, "type": TYPE, **more}
    headers: dict[str, Any] = {f"ce-{name}": value for name, value in attributes.items() if value is not None}
    return pika.BasicProperties(content_type="application/json", delivery_mode=2, headers=headers)


@dataclass
class Shop:
    """
    One pika connection, in a thread of its own so that the test's event loop goes on.

    Attributes:
        amqp_url: of the broker.
        prefix: of the names.
        told: every event that came, in the order it came.
    """

    amqp_url: str
    prefix: str
    told: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="shop")

    async def open(self, binding_key: str = "#") -> None:
        """
        Connects, and binds a queue of its own to the events.
        """
        await self._do(self._open, binding_key)

    async def close(self) -> None:
        """
        Ends the connection and the thread.
        """
        await self._do(self._close)
        self._thread.shutdown()

    async def publish(self, *messages: tuple[bytes, pika.BasicProperties]) -> None:
        """
        Sends requests; returns when the broker has confirmed each.
        """
        await self._do(self._publish, messages)

    async def until(self, claim: Callable[[list[Message]], bool], timeout_s: float = 20.0) -> list[Message]:
        """
        Every event so far, once the claim holds about them.
        """
        return await self._do(self._until, claim, timeout_s)

    async def outcomes(self, count: int, timeout_s: float = 20.0) -> list[Message]:
        """
        The outcome events, once there are so many; more are an error.
        """
        await self.until(lambda told: len(_outcomes(told)) >= count, timeout_s)
        assert count == len(_outcomes(self.told))
        return _outcomes(self.told)

    async def created(self, count: int, timeout_s: float = 20.0) -> list[Message]:
        """
        The outcomes, once there are so many; each must be a service of its own.
        """
        told = await self.outcomes(count, timeout_s)
        assert {CREATED} == {event.type for event in told}
        assert count == len({event.data["request_id"] for event in told})
        assert count == len({event.data["service_id"] for event in told})
        return told

    async def check_nothing_was_spent(self) -> None:
        """
        Every request is where it was: none on a rung, none dead, none told.
        """
        assert [] == self.told
        for rung in RUNGS:
            assert 0 == await self.ready(f"{self.prefix}.retry.{rung.name}")
        assert 0 == await self.ready(f"{self.prefix}.dead")

    async def ready(self, queue: str) -> int:
        """
        How many messages wait in the queue, those under way not counted.
        """
        return await self._do(self._ready, queue)

    async def empty(self, queue: str) -> list[Message]:
        """
        Takes every message out of the queue.
        """
        return await self._do(self._empty, queue)

    async def dead(self, count: int, timeout_s: float = 10.0) -> list[Message]:
        """
        Takes the dead letters, once there are so many; more are an error.
        """
        return await self.taken(f"{self.prefix}.dead", count, timeout_s)

    async def taken(self, queue: str, count: int, timeout_s: float = 10.0) -> list[Message]:
        """
        Takes the messages of a queue, once there are so many; more are an error.
        """
        taken = await self._do(self._taken, queue, count, timeout_s)
        assert count == len(taken)
        return taken

    async def declare(self, queue: str, arguments: Mapping[str, object] | None = None) -> None:
        """
        Makes a queue that lives as long as the connection.
        """
        await self._do(lambda: self._channel.queue_declare(queue, exclusive=True, arguments=dict(arguments or {})))

    async def with_channel(self, act: Callable[[BlockingChannel], T]) -> T:
        """
        Does something else on the connection.
        """
        return await self._do(lambda: act(self._channel))

    async def _do(self, act: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, act, *args)

    def _open(self, binding_key: str) -> None:
        parameters = pika.URLParameters(self.amqp_url)
        parameters.heartbeat = 0
        self._connection = pika.BlockingConnection(parameters)
        self._channel = self._connection.channel()
        self._channel.confirm_delivery()
        self._queue = self._channel.queue_declare("", exclusive=True).method.queue
        self._channel.queue_bind(self._queue, f"{self.prefix}.events", binding_key)
        reader = self._connection.channel()
        reader.basic_consume(self._queue, self._arrived, auto_ack=True)

    def _arrived(self, _: object, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        self.told.append(Message(body, method.routing_key, properties))

    def _close(self) -> None:
        with contextlib.suppress(pika.exceptions.AMQPError):  # the broker may be gone
            self._connection.process_data_events(0)
            self._connection.close()

    def _publish(self, messages: tuple[tuple[bytes, pika.BasicProperties], ...]) -> None:
        for body, properties in messages:
            self._channel.basic_publish(
                f"{self.prefix}.requests", "vpnservice.create", body, properties, mandatory=True
            )

    def _until(self, claim: Callable[[list[Message]], bool], timeout_s: float) -> list[Message]:
        end = time.monotonic() + timeout_s
        while not claim(self.told):
            if time.monotonic() > end:
                types = [message.type for message in self.told][-20:]
                raise TimeoutError(f"not within {timeout_s:g} s; {len(self.told)} events, the last: {types}")
            self._connection.process_data_events(0.05)
        self._connection.process_data_events(0)
        return list(self.told)

    def _ready(self, queue: str) -> int:
        return int(self._channel.queue_declare(queue, passive=True).method.message_count)

    def _taken(self, queue: str, count: int, timeout_s: float) -> list[Message]:
        end = time.monotonic() + timeout_s
        while self._ready(queue) < count and time.monotonic() < end:
            self._connection.process_data_events(0.02)
        return self._empty(queue)

    def _empty(self, queue: str) -> list[Message]:
        taken: list[Message] = []
        while True:
            method, properties, body = self._channel.basic_get(queue, auto_ack=True)
            if method is None or properties is None or body is None:
                return taken
            taken.append(Message(body, method.routing_key or "", properties))


@contextlib.asynccontextmanager
async def open_shop(amqp_url: str, prefix: str, binding_key: str = "#") -> AsyncIterator[Shop]:
    """
    A shop that is closed at the end, also after a failure.
    """
    shop = Shop(amqp_url, prefix)
    await shop.open(binding_key)
    try:
        yield shop
    finally:
        await shop.close()


def _outcomes(told: list[Message]) -> list[Message]:
    return [message for message in told if message.is_outcome]
