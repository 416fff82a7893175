"""
AMQP messages to envelopes and back, and our own headers on copies.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

import aio_pika
from aio_pika.abc import AbstractIncomingMessage, HeadersType

from messages.envelope import Envelope

#: Our own headers on rung copies and dead letters. The attempt count is ours: 4.x ignores a client's x-death.
FIRST_SEEN = "x-vpn-first-seen"
ATTEMPTS = "x-vpn-attempts"
LAST_ERROR = "x-vpn-last-error"
REASON = "x-vpn-reason"
DIED_AT = "x-vpn-died-at"
FROM_QUEUE = "x-vpn-from-queue"
USER_ID = "x-vpn-user-id"
MESSAGE_ID = "x-vpn-message-id"

#: Headers over 131,064 bytes close the connection, so texts in them are capped (broker-facts, 6).
_TEXT_LIMIT_BYTES = 1024
#: What the broker adds on its way; of no use on a copy.
_BROKERS_OWN = ("x-death", "x-first-death-", "x-last-death-", "x-delivery-count")


def to_envelope(message: AbstractIncomingMessage) -> Envelope:
    """
    An arrived message, free of the client library. A copy's own message id is replaced by the original's.
    """
    headers = dict(message.headers or {})
    original_id = headers.pop(MESSAGE_ID, None)
    return Envelope(
        body=message.body,
        headers=headers,
        content_type=message.content_type,
        message_id=original_id if isinstance(original_id, str) else message.message_id,
        app_id=message.app_id,
        correlation_id=message.correlation_id,
        reply_to=message.reply_to,
        user_id=message.user_id,
    )


def to_message(envelope: Envelope, headers: Mapping[str, object] | None = None) -> aio_pika.Message:
    """
    A persistent message that carries an envelope, for publishing.

    Its message id is always a new one: the same id in flight twice on a channel swaps the confirms
    (broker-facts, 4). What identifies an event is its `ce-id`.
    """
    return _message(envelope, dict(envelope.headers) | dict(headers or {}), uuid.uuid4().hex)


def to_request_message(envelope: Envelope) -> aio_pika.Message:
    """
    A persistent message that carries a request; its message id is the request's id in the plain form.
    """
    return _message(envelope, dict(envelope.headers), envelope.message_id or uuid.uuid4().hex)


def to_copy(envelope: Envelope, own: Mapping[str, str | int]) -> aio_pika.Message:
    """
    A copy of an arrived message for a rung or the dead letters, its own headers added.
    """
    headers = {name: value for name, value in envelope.headers.items() if not name.startswith(_BROKERS_OWN)}
    headers |= {name: _capped(value) if isinstance(value, str) else value for name, value in own.items()}
    if envelope.message_id is not None:
        headers[MESSAGE_ID] = envelope.message_id
    if envelope.user_id is not None:
        # The property itself would be checked against our own user and close the channel (broker-facts, 6).
        headers[USER_ID] = envelope.user_id
    return _message(envelope, headers, uuid.uuid4().hex)


def moment(value: object) -> datetime | None:
    """
    The moment in one of our headers; None for anything else.
    """
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return at if at.tzinfo else None


def _message(envelope: Envelope, headers: dict[str, object], message_id: str) -> aio_pika.Message:
    return aio_pika.Message(
        envelope.body,
        headers=cast("HeadersType", headers),  # what came over AMQP, or str and int of ours
        content_type=envelope.content_type,
        message_id=message_id,
        app_id=envelope.app_id,
        correlation_id=envelope.correlation_id,
        reply_to=envelope.reply_to,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        timestamp=datetime.now(UTC),
    )


def _capped(text: str) -> str:
    return text.encode("utf-8", "replace")[:_TEXT_LIMIT_BYTES].decode("utf-8", "ignore")
