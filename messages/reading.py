"""
For consumers: the event in a message that came, whatever AMQP library brought it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from messages.attributes import JSON_CONTENT, STRUCTURED, extensions_of, media_type, read_headers, text_problem
from messages.envelope import Envelope
from messages.events import OUTCOMES, EventNotReadableError, VpnServiceEvent, decode_event


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """
    An event, and what its message says about it.

    Args:
        id: the `ce-id`. The same event may come more than once, always under this id: count by it.
        source: of the worker that told it.
        subject: the service id, else the router id, where one is known.
        extensions: further CloudEvents attributes, such as those the request brought along.
        event: what happened; one of the six models, to be told apart with `match` or `isinstance`.
    """

    id: str
    source: str
    subject: str | None
    extensions: Mapping[str, str | bool | int]
    event: VpnServiceEvent

    @property
    def is_outcome(self) -> bool:
        """
        Whether this is what became of the request; after in doubt, created or failed may follow.
        """
        return isinstance(self.event, OUTCOMES)


def decode(
    body: bytes | str | Mapping[str, Any],
    headers: Mapping[str, object] | None = None,
    content_type: str | None = JSON_CONTENT,
) -> ReceivedEvent:
    """
    The event in a message, in CloudEvents' binary or structured mode. Fields that are not known are kept.

    Args:
        body: as it came; text, and JSON that a library has parsed already, are taken as well.
        headers: of the message; None is what some libraries give for none.
        content_type: of the message.

    Raises:
        EventNotReadableError: it is none of the six events, has no id, or is not what its type says. Do not ask for
            it again: it stays as it is.
    """
    envelope = Envelope(
        body=_as_bytes(body),
        headers=headers or {},
        content_type=content_type,
        message_id=None,
        app_id=None,
        correlation_id=None,
        reply_to=None,
    )
    event = decode_event(envelope)
    is_structured = media_type(content_type) == STRUCTURED
    attributes = json.loads(envelope.body) if is_structured else read_headers(envelope.headers, [])
    subject = attributes.get("subject")

    return ReceivedEvent(
        id=_text(attributes, "id"),
        source=_text(attributes, "source"),
        subject=subject if isinstance(subject, str) else None,
        extensions=extensions_of(attributes),
        event=event,
    )


def _as_bytes(body: bytes | str | Mapping[str, Any]) -> bytes:
    if isinstance(body, Mapping):
        body = json.dumps(dict(body))

    return body.encode() if isinstance(body, str) else bytes(body)


def _text(attributes: Mapping[str, object], name: str) -> str:
    value = attributes.get(name)
    problem = text_problem(value)
    if problem is not None:
        raise EventNotReadableError(f"ce-{name} {problem[1]}")

    return str(value)
