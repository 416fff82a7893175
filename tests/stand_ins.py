"""
Ten-line stand-ins for ports that several tests need.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from worker.ports import Published

if TYPE_CHECKING:
    from messages.envelope import Envelope


class Now:
    """
    The machine's time, and no luck.
    """

    def now(self) -> datetime:
        return datetime.now(UTC)

    def roll(self) -> float:
        return 0.0


class Collector:
    """
    Keeps the routing keys of what is published.
    """

    def __init__(self) -> None:
        self.told: list[str] = []

    async def publish_event(self, event: Envelope, routing_key: str) -> Published:
        del event
        self.told.append(routing_key)
        return Published.ACKED

    async def reply(self, event: Envelope, reply_to: str) -> Published:
        raise NotImplementedError
