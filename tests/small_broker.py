"""
A broker in a few lines: one queue that redelivers what was not acked, rungs, dead letters, and events that may get lost.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from messages.envelope import Envelope
from worker.core.backoff import rung_for
from worker.ports import Ack, Dead, Delivery, GiveBack, Later, Published, Verdict


class Taker(Protocol):
    """
    A worker, as the broker sees it.
    """

    @property
    def has_room(self) -> bool: ...
    def receive(self, delivery: Delivery) -> None: ...


@dataclass(frozen=True, slots=True)
class Message:
    """
    What a queue holds.
    """

    envelope: Envelope
    published_at: datetime
    is_redelivered: bool = False
    first_seen_at: datetime | None = None
    attempts: int = 0
    crashes: int = 0
    returns: int = 0


@dataclass(frozen=True, slots=True)
class Weather:
    """
    What becomes of a publish: whether the broker has the message, and what it says.
    """

    says: Published
    is_kept: bool


FAIR = Weather(Published.ACKED, is_kept=True)


class SmallBroker:
    """
    Delivers at least once, in no promised order, to whoever has room.

    Attributes:
        queue: what waits for a taker.
        unacked: what was delivered, by its token, with its taker.
        on_rungs: what waits on rungs.
        dead: the dead letters.
        events: ids and types of the events that were kept, in order.
        weather: what becomes of the next publishes; then all is fair.
    """

    def __init__(self) -> None:
        self.queue: deque[Message] = deque()
        self.unacked: dict[int, tuple[Message, Taker]] = {}
        self.on_rungs: list[Message] = []
        self.dead: list[tuple[Message, Dead]] = []
        self.events: list[Envelope] = []
        self.weather: deque[Weather] = deque()
        self._takers: list[Taker] = []
        self._tokens = itertools.count()
        self._news = asyncio.Event()

    @property
    def is_idle(self) -> bool:
        """
        Whether every message that was ever published is settled for good.
        """
        return not self.on_their_way

    @property
    def on_their_way(self) -> list[Message]:
        """
        Every message that is not settled for good.
        """
        return [*self.queue, *self.on_rungs, *(message for message, _ in self.unacked.values())]

    async def idle(self) -> None:
        """
        Returns when everything is settled.
        """
        while not self.is_idle:
            self._news.clear()
            await self._news.wait()

    def publish(self, message: Message) -> None:
        """
        A message for the queue.
        """
        self.queue.append(message)
        self.pump()

    def join(self, taker: Taker) -> None:
        """
        From now on the taker is delivered to.
        """
        self._takers.append(taker)
        self.pump()

    def leave(self, taker: Taker) -> None:
        """
        The taker's connection is gone: what it had not acked goes back, and is marked.
        """
        self._takers = [one for one in self._takers if one is not taker]
        for token, (message, holder) in list(self.unacked.items()):
            if holder is taker:
                del self.unacked[token]
                self.queue.appendleft(replace(message, is_redelivered=True, returns=message.returns + 1))
        self.pump()

    def pump(self) -> None:
        """
        Delivers what can be delivered.
        """
        while self.queue and (taker := next((one for one in self._takers if one.has_room), None)):
            # Everybody in turn.
            self._takers = [*(one for one in self._takers if one is not taker), taker]
            message, token = self.queue.popleft(), next(self._tokens)
            self.unacked[token] = message, taker
            taker.receive(_delivery(message, token))
        self._news.set()

    def settle(self, delivery: Delivery, verdict: Verdict) -> None:
        """
        Carries a verdict out: first the copy, then the ack. Does nothing when the connection has gone meanwhile.
        """
        if not isinstance(delivery.token, int) or delivery.token not in self.unacked:
            return
        message, _ = self.unacked[delivery.token]
        match verdict:
            case GiveBack():
                return
            case Later():
                self._put_on_rung(message, verdict)
            case Dead():
                self.dead.append((message, verdict))
            case Ack():
                pass
        del self.unacked[delivery.token]
        self.pump()

    def _put_on_rung(self, message: Message, later: Later) -> None:
        copy = Message(
            message.envelope,
            message.published_at,
            is_redelivered=later.is_redelivered,
            first_seen_at=later.first_seen_at,
            attempts=later.attempts,
            crashes=later.crashes,
        )
        self.on_rungs.append(copy)
        asyncio.get_running_loop().call_later(rung_for(later.delay_s).delay_s, self._come_back, copy)

    def _come_back(self, message: Message) -> None:
        self.on_rungs = [one for one in self.on_rungs if one is not message]
        self.publish(message)

    async def publish_event(self, event: Envelope, routing_key: str) -> Published:
        """
        See Publisher.
        """
        del routing_key
        weather = self.weather.popleft() if self.weather else FAIR
        if weather.is_kept:
            self.events.append(event)
        return weather.says

    async def reply(self, event: Envelope, reply_to: str) -> Published:
        """
        See Replier.
        """
        del event, reply_to
        return Published.RETURNED


def _delivery(message: Message, token: int) -> Delivery:
    return Delivery(
        message.envelope,
        is_redelivered=message.is_redelivered,
        token=token,
        published_at=message.published_at,
        first_seen_at=message.first_seen_at,
        attempts=message.attempts,
        crashes=message.crashes,
        returns=message.returns,
    )
