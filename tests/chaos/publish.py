"""
The publisher: sends requests until the broker has confirmed them, under the same id each time; in a thread of its own.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from typing import TYPE_CHECKING, Self

import pika
import pika.exceptions
from pika.adapters.utils.connection_workflow import AMQPConnectorException

from tests.chaos.wire import message

if TYPE_CHECKING:
    from pika.adapters.blocking_connection import BlockingChannel

    from messages.routes import Routes
    from tests.chaos.plan import Order

_HEARTBEAT_S = 5
_BLOCKED_S = 4.0
_IDLE_S = 0.5
_AGAIN_S = 0.3
#: What pika raises when a broker goes, is blocked or does not answer; the second is no AMQPError.
_LOSSES = (pika.exceptions.AMQPError, AMQPConnectorException, OSError)


def connect(amqp_url: str) -> pika.BlockingConnection:
    """
    A connection that notices a dead or blocked broker within seconds.
    """
    parameters = pika.URLParameters(amqp_url)
    parameters.heartbeat = _HEARTBEAT_S
    parameters.blocked_connection_timeout = _BLOCKED_S
    parameters.socket_timeout = _HEARTBEAT_S
    parameters.stack_timeout = 2.0 * _HEARTBEAT_S
    return pika.BlockingConnection(parameters)


class Publisher:
    """
    Publishes what it is handed, in that order, however long it takes; a context manager.

    Attributes:
        confirmed_at_s: when each request was confirmed for the first time, seconds since the epoch, by ref.
        sent: messages handed to the broker, repeats included.
        unconfirmed: of those, the ones whose confirm never came; they may have arrived.
    """

    def __init__(self, amqp_url: str, routes: Routes) -> None:
        self.confirmed_at_s: dict[str, float] = {}
        self.sent = 0
        self.unconfirmed = 0
        self._amqp_url = amqp_url
        self._routes = routes
        self._orders: queue.Queue[Order | None] = queue.Queue()
        self._stopping = threading.Event()
        self._connection: pika.BlockingConnection | None = None
        self._channel: BlockingChannel | None = None
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._orders.put(None)
        self._thread.join(6.0 * _HEARTBEAT_S)

    def publish(self, order: Order) -> None:
        """
        Has it published; returns at once.
        """
        self._orders.put(order)

    @property
    def has_ended(self) -> bool:
        """
        Whether the thread is no more, which is a fault of the harness.
        """
        return not self._thread.is_alive()

    @property
    def backlog(self) -> int:
        """
        How many of those handed over are not confirmed yet.
        """
        return self._orders.unfinished_tasks

    def _run(self) -> None:
        while (order := self._next()) is not None:
            while not self._stopping.is_set() and not self._once(order):
                self._stopping.wait(_AGAIN_S)
            self._orders.task_done()
        self._drop()

    def _next(self) -> Order | None:
        while True:
            try:
                return self._orders.get(timeout=_IDLE_S)
            except queue.Empty:
                self._beat()

    def _beat(self) -> None:
        try:
            if self._connection is not None:
                self._connection.process_data_events(0)
        except _LOSSES:
            self._drop()

    def _once(self, order: Order) -> bool:
        body, properties = message(order)
        try:
            channel = self._open()
            self.sent += 1
            channel.basic_publish(
                self._routes.requests_exchange, self._routes.request_routing_key, body, properties, mandatory=True
            )
        except _LOSSES:
            self.unconfirmed += self._channel is not None
            self._drop()
            return False
        self.confirmed_at_s.setdefault(order.ref, time.time())
        return True

    def _open(self) -> BlockingChannel:
        if self._channel is None:
            self._connection = connect(self._amqp_url)
            self._channel = self._connection.channel()
            self._channel.confirm_delivery()
        return self._channel

    def _drop(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None and connection.is_open:
            with contextlib.suppress(*_LOSSES):
                connection.close()
