"""
What the broker holds after the storm: the events of the audit queue, and what still lies in the other queues.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pika

from messages.routes import RUNGS
from tests.chaos.evidence import Changed, Told
from tests.chaos.publish import connect
from tests.chaos.wire import event

if TYPE_CHECKING:
    from messages.routes import Routes

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
    Takes the events out of the audit queue; outcomes and status events it keeps.
    """

    def __init__(self, amqp_url: str, routes: Routes) -> None:
        self._amqp_url = amqp_url
        self._queue = audit_queue(routes)
        self._places = itertools.count()
        self._kept: dict[str, Told | Changed] = {}

    @property
    def told(self) -> tuple[Told, ...]:
        """
        Every copy of an outcome so far, each once, in the order of the queue.
        """
        return tuple(one for one in self._kept.values() if isinstance(one, Told))

    @property
    def changed(self) -> tuple[Changed, ...]:
        """
        Every copy of a status event so far, each once, in the order of the queue.
        """
        return tuple(one for one in self._kept.values() if isinstance(one, Changed))

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
                    one = event(body, properties, next(self._places))
                    if one is not None:
                        # Whatever the broker hands out twice keeps its first place.
                        self._kept.setdefault(one.copy, one)
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
