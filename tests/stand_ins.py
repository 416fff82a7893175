"""
Ten-line stand-ins for ports that several tests need.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from worker.ports import Published

if TYPE_CHECKING:
    from messages.envelope import Envelope
    from worker.ports import Follows


#: For what follows nothing.
NO_FOLLOWS = cast("Follows", object())


class Now:
    """
    The machine's time, and always the same luck.
    """

    def __init__(self, luck: float = 0.0) -> None:
        self._luck = luck

    def now(self) -> datetime:
        return datetime.now(UTC)

    def roll(self) -> float:
        return self._luck


class Collector:
    """
    Keeps what is published, and its routing keys.
    """

    def __init__(self) -> None:
        self.events: list[Envelope] = []
        self.told: list[str] = []

    async def publish_event(self, event: Envelope, routing_key: str) -> Published:
        self.events.append(event)
        self.told.append(routing_key)
        return Published.ACKED

    async def reply(self, event: Envelope, reply_to: str) -> Published:
        raise NotImplementedError
