"""
Tells events: encodes them with their stable ids, and publishes until the broker has them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

import structlog

from messages.attributes import MAX_HEADERS_BYTES
from messages.envelope import Envelope
from messages.events import VpnServiceEvent, encode_event, event_id, routing_key
from worker.ports import Clock, Published, Publisher, Replier

log = structlog.get_logger()

_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 5.0


class Asked(Protocol):
    """
    What an event takes over from the message it answers: a Request or a Rejection.
    """

    @property
    def source(self) -> str | None: ...
    @property
    def id(self) -> str | None: ...
    @property
    def digest(self) -> str: ...
    @property
    def correlation_id(self) -> str | None: ...
    @property
    def reply_to(self) -> str | None: ...
    @property
    def extensions(self) -> Mapping[str, str | bool | int]: ...
    @property
    def traceparent(self) -> str | None: ...
    @property
    def tracestate(self) -> str | None: ...


class Teller:
    """
    Publishes events about requests.

    Args:
        publisher: for the events.
        replier: for the copies to `reply_to`.
        clock: luck for the waits between tries.
        event_source: `ce-source` of all our events.
    """

    def __init__(self, publisher: Publisher, replier: Replier, clock: Clock, event_source: str) -> None:
        self._publisher = publisher
        self._replier = replier
        self._clock = clock
        self._event_source = event_source

    async def tell(
        self, asked: Asked, event: VpnServiceEvent, subject: str | None, *, sequence: int = 0, is_outcome: bool = False
    ) -> None:
        """
        Returns when the broker has confirmed the event, however long that takes. Safe to repeat.

        Args:
            asked: the request it is about.
            event: what to tell.
            subject: service id or router id.
            sequence: tells apart events of one type for one request.
            is_outcome: send it to the requester's `reply_to` as well.
        """
        envelope = encode_event(
            event,
            id=event_id(asked.source, asked.id or asked.digest, event.type, sequence),
            source=self._event_source,
            subject=subject,
            correlation_id=asked.correlation_id or asked.id,
            extensions=_bounded(asked.extensions),
            traceparent=asked.traceparent,
            tracestate=asked.tracestate,
        )
        await self._until_confirmed(envelope, routing_key(event))
        if is_outcome and asked.reply_to:
            await self._reply(envelope, asked.reply_to)

    async def _until_confirmed(self, envelope: Envelope, key: str) -> None:
        wait_s = _FIRST_WAIT_S
        while (result := await self._publisher.publish_event(envelope, key)) is not Published.ACKED:
            log.warning("event.not_confirmed", result=result.value, routing_key=key, retry_in_s=round(wait_s, 2))
            await asyncio.sleep(wait_s * (0.5 + self._clock.roll() / 2))
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)

    async def _reply(self, envelope: Envelope, reply_to: str) -> None:
        # The event is kept already; a requester who has gone must not hold anything up.
        result = await self._replier.reply(envelope, reply_to)
        if result is not Published.ACKED:
            log.warning("reply.not_delivered", result=result.value, reply_to=reply_to)


def _bounded(extensions: Mapping[str, str | bool | int]) -> Mapping[str, str | bool | int]:
    # A message is rejected for headers that are too large; its event must not be too large as well.
    size_bytes = sum(len(name) + len(str(value).encode("utf-8", "replace")) for name, value in extensions.items())
    return extensions if size_bytes <= MAX_HEADERS_BYTES else {}
