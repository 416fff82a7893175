"""
What the broker holds after the storm: the events of the audit queue, and what still lies in the other queues.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pika

from messages.routes import RUNGS
from tests.chaos.publish import connect
from tests.chaos.wire import told

if TYPE_CHECKING:
    from messages.routes import Routes
    from tests.chaos.audit import Told

_BATCH = 500
_PAUSE_S = 0.2


def audit_queue(routes: Routes) -> str:
    """
    The harness's own queue for every event, which outlives the broker's process.
    """
    return f"{routes.prefix}.chaos.events"


def declare_audit_queue(amqp_url: str, routes: Routes) -> None:
    """
    Makes the audit queue; returns when it has a leader (broker-facts: What RabbitMQ does).
    """
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        name = audit_queue(routes)
        channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_bind(name, routes.events_exchange, "#")
        for queue in (name, routes.requests_queue, routes.dead_queue, *map(routes.rung_queue, RUNGS)):
            channel.queue_declare(queue, passive=True)
            assert channel.basic_get(queue)[0] is None
    finally:
        connection.close()


class EventReader:
    """
    Takes the outcomes out of the audit queue; what it took it keeps.
    """

    def __init__(self, amqp_url: str, routes: Routes) -> None:
        self._amqp_url = amqp_url
        self._queue = audit_queue(routes)
        self._told: dict[str, Told] = {}

    @property
    def told(self) -> tuple[Told, ...]:
        """
        Every copy of an outcome so far, each once.
        """
        return tuple(self._told.values())

    async def until(self, claim: Callable[[], bool], timeout_s: float) -> bool:
        """
        Reads until the claim holds, and then what else is there; False when it did not hold in time.
        """
        return await asyncio.to_thread(self._until, claim, timeout_s)

    def _until(self, claim: Callable[[], bool], timeout_s: float) -> bool:
        end = time.monotonic() + timeout_s
        connection = connect(self._amqp_url)
        try:
            channel = connection.channel()
            while True:
                for body, properties in _taken(channel, self._queue):
                    event = told(body, properties)
                    if event is not None:
                        self._told.setdefault(event.copy, event)
                if claim():
                    return True
                if time.monotonic() > end:
                    return False
                connection.sleep(_PAUSE_S)
        finally:
            connection.close()


async def waiting(amqp_url: str, routes: Routes) -> dict[str, int]:
    """
    How many messages are ready in the work queue and on the rungs; empty ones left out.
    """
    return await asyncio.to_thread(_counts, amqp_url, _work_queues(routes))


async def left(amqp_url: str, routes: Routes) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """
    Takes what is left: the refs in work queue and rungs, by queue, and those of the dead letters.
    """
    return await asyncio.to_thread(_left, amqp_url, routes)


def _work_queues(routes: Routes) -> list[str]:
    return [routes.requests_queue, *map(routes.rung_queue, RUNGS)]


def _counts(amqp_url: str, queues: list[str]) -> dict[str, int]:
    connection = connect(amqp_url)
    try:
        channel = connection.channel()
        counts = {queue: channel.queue_declare(queue, passive=True).method.message_count for queue in queues}
        return {queue: count for queue, count in counts.items() if count}
    finally:
        connection.close()


def _left(amqp_url: str, routes: Routes) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    connection = connect(amqp_url)
    try:
        channel = connection.channel()
        found = {
            queue: tuple(str(properties.correlation_id) for _, properties in _taken(channel, queue))
            for queue in [*_work_queues(routes), routes.dead_queue]
        }
        dead = found.pop(routes.dead_queue)
        return {queue: refs for queue, refs in found.items() if refs}, dead
    finally:
        connection.close()


def _taken(
    channel: pika.adapters.blocking_connection.BlockingChannel, queue: str
) -> Iterator[tuple[bytes, pika.BasicProperties]]:
    while True:
        method, properties, body = channel.basic_get(queue, auto_ack=False)
        if method is None or properties is None or body is None:
            return
        yield body, properties
        channel.basic_ack(method.delivery_tag or 0)
