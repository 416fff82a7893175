"""
Dead letters as they lie in the queue, and their requests as they were first published.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from messages.attributes import time_of
from messages.envelope import Envelope
from worker.broker.messages import (
    ATTEMPTS,
    CRASHES,
    DELIVERY_COUNT,
    DIED_AT,
    FIRST_SEEN,
    FROM_QUEUE,
    LAST_ERROR,
    LEFT_OUT,
    MESSAGE_ID,
    REASON,
    REDELIVERED,
    REPLAYS,
    SENT_AT,
    count,
    moment,
    to_copy,
    to_envelope,
)
from worker.core.letters import DELIVERY_LIMIT, FOREIGN, DeadLetter

#: What a copy says about its own way; the request did not have it when it was first published.
_OF_THE_COPY = frozenset(
    {ATTEMPTS, CRASHES, DIED_AT, FIRST_SEEN, FROM_QUEUE, LAST_ERROR, LEFT_OUT, REASON, REDELIVERED, REPLAYS, SENT_AT}
)
_SHORT_LIMIT_BYTES = 255  # AMQP 0-9-1, 4.2.5.3
_NO_ID = ""


def to_letter(message: AbstractIncomingMessage, requests_queue: str, own_user: str | None) -> DeadLetter:
    """
    A message of the dead-letter queue, whatever it is. Never raises.

    Args:
        message: as it came; its delivery tag becomes the token.
        requests_queue: what RabbitMQ parks from there was a request.
        own_user: the workers' user; what a copy says of the original's user counts when they wrote it.
    """
    headers: dict[str, object] = dict(message.headers or {})
    death = _death(headers, requests_queue)
    reason = headers.get(REASON)
    died_at, from_queue = headers.get(DIED_AT), headers.get(FROM_QUEUE)
    last_error = headers.get(LAST_ERROR)
    return DeadLetter(
        id=_letter_id(message),
        reason=reason if isinstance(reason, str) else FOREIGN if death is None else _broker_reason(death),
        envelope=_original(message, headers, own_user),
        headers=headers,
        token=message.delivery_tag,
        died_at=moment(died_at) or (time_of(death.get("time")) if death else None),
        first_seen_at=moment(headers.get(FIRST_SEEN)),
        attempts=count(headers.get(ATTEMPTS)),
        last_error=last_error if isinstance(last_error, str) else "",
        from_queue=from_queue if isinstance(from_queue, str) else requests_queue if death else None,
        replays=count(headers.get(REPLAYS)),
    )


def to_replay(letter: DeadLetter, replays: int, own_user: str | None, *, is_suspect: bool) -> aio_pika.Message:
    """
    The request of a letter as it was first published, with the count of its replays.

    Args:
        letter: whose request it is.
        replays: how often it has been replayed, this one included.
        own_user: as which it is published.
        is_suspect: it may have been sent: a ledger that does not know it must look before it sends.
    """
    message = to_copy(letter.envelope, {REPLAYS: replays, REDELIVERED: int(is_suspect)}, own_user)
    # A service of ours may be older than the replay: a time of publishing would make it look like somebody else's.
    message.timestamp = None
    original_id = letter.envelope.message_id or _NO_ID
    if 0 < len(original_id.encode("utf-8", "backslashreplace")) <= _SHORT_LIMIT_BYTES:
        message.message_id = str(message.headers.pop(MESSAGE_ID))
    else:
        # The library gives a message without an id one of its own, and a request must not come by an id that way.
        message.headers[MESSAGE_ID] = original_id if letter.envelope.message_id else _NO_ID
    return message


def _original(message: AbstractIncomingMessage, headers: Mapping[str, object], own_user: str | None) -> Envelope:
    envelope = to_envelope(message, own_user)
    is_copy = REASON in headers or FIRST_SEEN in headers
    if is_copy and MESSAGE_ID not in headers:
        envelope = replace(envelope, message_id=None)  # what it has is the copy's own
    kept = {name: value for name, value in envelope.headers.items() if name not in _OF_THE_COPY}
    return replace(envelope, headers=kept)


def _letter_id(message: AbstractIncomingMessage) -> str:
    if message.message_id:
        return message.message_id
    # Somebody else's; as long as it lies there it stays the same, but for RabbitMQ's count of its returns.
    headers = sorted((name, repr(value)) for name, value in (message.headers or {}).items() if name != DELIVERY_COUNT)
    shown = repr((headers, message.app_id, message.correlation_id))
    return hashlib.sha256(shown.encode("utf-8", "surrogatepass") + b"\n" + message.body).hexdigest()[:32]


def _death(headers: Mapping[str, object], requests_queue: str) -> Mapping[str, object] | None:
    """
    RabbitMQ's own note that it parked a request; the latest comes first.
    """
    deaths = headers.get("x-death")
    if not isinstance(deaths, list):
        return None
    for death in deaths:
        if isinstance(death, dict) and death.get("queue") == requests_queue:
            return death
    return None


def _broker_reason(death: Mapping[str, object]) -> str:
    reason = death.get("reason")
    # `rejected` is a word of the worker's own for something else.
    return DELIVERY_LIMIT if reason == DELIVERY_LIMIT else f"broker_{reason}"
