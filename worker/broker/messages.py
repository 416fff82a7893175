"""
AMQP messages to envelopes and back, and our own headers on copies.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import aio_pika
from aio_pika.abc import AbstractIncomingMessage, HeadersType
from pamqp import encode
from pamqp.common import FieldValue

from messages.envelope import Envelope

#: Our own headers on rung copies and dead letters. The attempt count is ours: 4.x ignores a client's x-death.
FIRST_SEEN = "x-vpn-first-seen"
ATTEMPTS = "x-vpn-attempts"
LAST_ERROR = "x-vpn-last-error"
CRASHES = "x-vpn-crashes"
REDELIVERED = "x-vpn-redelivered"
SENT_AT = "x-vpn-sent-at"
REASON = "x-vpn-reason"
DIED_AT = "x-vpn-died-at"
FROM_QUEUE = "x-vpn-from-queue"
USER_ID = "x-vpn-user-id"
MESSAGE_ID = "x-vpn-message-id"
LEFT_OUT = "x-vpn-headers-left-out"
REPLAYS = "x-vpn-replays"
#: RabbitMQ's own, of quorum queues: absent on the first delivery, where what a publisher forged would stand.
DELIVERY_COUNT = "x-delivery-count"

#: Headers over 131,064 bytes close the connection, so texts in them are capped (broker-facts, 6).
_TEXT_LIMIT_BYTES = 1024
#: Headers of the original on a copy, all together; the limit of a frame is 131,072 bytes, ours come on top.
_COPIED_LIMIT_BYTES = 64 * 1024
_SHORT_LIMIT_BYTES = 255  # AMQP 0-9-1, 4.2.5.3
#: What the broker adds on its way; of no use on a copy.
_BROKERS_OWN = ("x-death", "x-first-death-", "x-last-death-", DELIVERY_COUNT)
#: RabbitMQ routes a message to these as well (sender-selected distribution): each copy would multiply.
_ROUTING = frozenset({"CC", "BCC"})


def to_envelope(message: AbstractIncomingMessage, own_user: str | None = None) -> Envelope:
    """
    An arrived message, free of the client library. A copy's own message id and user are replaced by the original's.

    Args:
        message: as it came.
        own_user: as which we publish copies; the broker lets nobody else write it into `user_id`, so it proves that
            what the copy says of the original's user is our word. None: nobody's word is taken.
    """
    headers = dict(message.headers or {})
    original_id = headers.pop(MESSAGE_ID, None)
    user_id, original_user = message.user_id, headers.pop(USER_ID, None)
    is_copy = FIRST_SEEN in headers or REPLAYS in headers
    if is_copy and user_id is not None and user_id == own_user:
        user_id = original_user if isinstance(original_user, str) else None
    return Envelope(
        body=message.body,
        headers=headers,
        content_type=message.content_type,
        # Empty: the original had none, and must not come by one.
        message_id=(original_id or None) if isinstance(original_id, str) else message.message_id,
        app_id=message.app_id,
        correlation_id=message.correlation_id,
        reply_to=message.reply_to,
        user_id=user_id,
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
    message = _message(envelope, dict(envelope.headers), envelope.message_id or uuid.uuid4().hex)
    message.user_id = envelope.user_id
    return message


def to_copy(envelope: Envelope, own: Mapping[str, str | int], own_user: str | None = None) -> aio_pika.Message:
    """
    A copy of an arrived message for a rung or the dead letters, its own headers added.

    Args:
        envelope: what arrived.
        own: our headers.
        own_user: as which it is published; see `to_envelope`.
    """
    headers = _carried(envelope.headers)
    headers |= {name: _capped(value) if isinstance(value, str) else value for name, value in own.items()}
    if envelope.message_id is not None:
        headers[MESSAGE_ID] = _writable_text(envelope.message_id)
    # The original's in the property would be checked against our own user and close the channel (broker-facts, 6).
    if envelope.user_id is not None:
        headers[USER_ID] = _writable_text(envelope.user_id)
    message = _message(_writable(envelope), headers, uuid.uuid4().hex)
    message.user_id = own_user
    return message


def _carried(headers: Mapping[str, object]) -> dict[str, object]:
    """
    The original's headers as far as they can be written again; what cannot is told as text, or counted.
    """
    carried: dict[str, object] = {}
    size_bytes = left_out = 0
    for header, original in headers.items():
        if header.startswith(_BROKERS_OWN) or header in _ROUTING:
            continue
        name, value = _writable_text(header, _SHORT_LIMIT_BYTES), original
        if isinstance(value, bytes):
            value = bytearray(value)  # pamqp reads both, and writes the latter alone
        try:
            encoded = encode.field_table({name: cast("FieldValue", value)})
        except (TypeError, ValueError, ArithmeticError, struct.error):
            value = _capped(ascii(value))
            encoded = encode.field_table({name: value})
        if size_bytes + len(encoded) > _COPIED_LIMIT_BYTES:
            left_out += 1
            continue
        size_bytes += len(encoded)
        carried[name] = value
    return carried | ({LEFT_OUT: left_out} if left_out else {})


def _writable(envelope: Envelope) -> Envelope:
    def short(text: str | None) -> str | None:
        return None if text is None else _writable_text(text, _SHORT_LIMIT_BYTES)

    return replace(
        envelope,
        content_type=short(envelope.content_type),
        app_id=short(envelope.app_id),
        correlation_id=short(envelope.correlation_id),
        reply_to=short(envelope.reply_to),
    )


def _writable_text(text: str, limit_bytes: int = _TEXT_LIMIT_BYTES) -> str:
    # Bytes that were no UTF-8 arrived as lone surrogates (see decoding); they go on as text like \udcff.
    return text.encode("utf-8", "backslashreplace")[:limit_bytes].decode("utf-8", "ignore")


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


def count(value: object) -> int:
    """
    The number in one of our headers, 0 to 1,000,000; 0 for anything else, since anybody can write it.
    """
    return value if isinstance(value, int) and 0 < value <= 1_000_000 else 0


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
