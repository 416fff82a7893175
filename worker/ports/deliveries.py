"""
What arrives, and what becomes of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from messages.envelope import Envelope
from worker.core.causes import Cause


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    One arrival of a message.

    Attributes:
        envelope: body, headers and properties.
        is_redelivered: an earlier delivery of it, or of the original it is a copy of, cannot be ruled out.
        token: what the broker room needs to settle it; opaque to everybody else.
        published_at: the publisher's timestamp, if it set one.
        first_seen_at: when the first worker saw it, if it has been on a rung.
        attempts: POSTs made for it before it went on a rung.
        crashes: how often in a row it ended in an unforeseen error of ours.
        returns: how often the broker has taken it back from somebody who had it (x-delivery-count).
        replays: how often a person has put it back from the dead letters.
        sent_at: when its publisher sent it, if that is known; kept on copies.
        exchange: through which it came.
        routing_key: with which it came.
        tag: the broker's number for it on its channel.
    """

    envelope: Envelope
    is_redelivered: bool
    token: object
    published_at: datetime | None = None
    first_seen_at: datetime | None = None
    attempts: int = 0
    crashes: int = 0
    returns: int = 0
    replays: int = 0
    sent_at: datetime | None = None
    exchange: str = ""
    routing_key: str = ""
    tag: int = 0


@dataclass(frozen=True, slots=True)
class Ack:
    """
    Verdict: everything is said, forget the delivery.
    """


@dataclass(frozen=True, slots=True)
class Later:
    """
    Verdict: a copy goes to the rung nearest to `delay_s`, then the delivery is acked.

    Attributes:
        delay_s: about how long to wait.
        first_seen_at: when the first delivery arrived.
        attempts: POSTs made so far.
        last_error: why it waits, in words.
        crashes: how often in a row it ended in an unforeseen error of ours.
        is_redelivered: whether a ledger that does not know the copy must suspect that it was sent.
        cause: why it waits, for counting.
    """

    delay_s: float
    first_seen_at: datetime
    attempts: int
    last_error: str
    crashes: int = 0
    is_redelivered: bool = True
    cause: Cause = Cause.BUSY


@dataclass(frozen=True, slots=True)
class Dead:
    """
    Verdict: a copy goes to the dead letters with its reason, then the delivery is acked.
    """

    reason: str
    first_seen_at: datetime
    attempts: int
    last_error: str


@dataclass(frozen=True, slots=True)
class GiveBack:
    """
    Verdict: leave the delivery unacked; the broker redelivers it when the connection closes (drain).
    """


Verdict = Ack | Later | Dead | GiveBack


class Taking(Protocol):
    """
    The stream of deliveries, which can be stopped and started. What was delivered before stays ours to settle.
    """

    async def pause(self) -> None:
        """
        Returns when the broker delivers no more, or cannot be asked; also new connections deliver nothing. Safe to repeat.
        """
        ...

    async def resume(self) -> None:
        """
        Lets the broker deliver again, at once or as soon as there is a connection. Safe to repeat.
        """
        ...
