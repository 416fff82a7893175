"""
A request as the command line builds it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from messages.attributes import text_problem
from messages.envelope import Envelope, Rejection, decode_request, encode_request
from worker.errors import VpnWorkerError

Mode = Literal["binary", "structured", "plain"]


class InvalidOrder(VpnWorkerError):  # noqa: N818 - named for what the user sees
    """
    The request is invalid, nothing was sent; correct what is listed, or send it anyway with --unchecked.
    """

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Order:
    """
    What to ask for, and under which identity.
    """

    body: bytes
    source: str
    mode: Mode = "binary"
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    correlation_id: str | None = None
    expires_in_s: float | None = None
    follow: str | None = None

    def envelope(self) -> Envelope:
        """
        The message to send. A body that is no JSON goes out as it is, in binary or plain mode.
        """
        problem = None if self.correlation_id is None else text_problem(self.correlation_id)
        if problem is not None:
            raise InvalidOrder(f"The correlation id {problem[1]}.")
        try:
            envelope = encode_request(
                self._data(),
                id=self.id,
                source=self.source,
                mode=self.mode,
                correlation_id=self.correlation_id,
                expires_at=self.expires_at(),
                extensions={} if self.follow is None else {"follow": self.follow},
            )
        except (ValueError, RecursionError) as exc:
            raise InvalidOrder(f"This cannot be sent: {exc}.") from exc
        if self.mode == "structured":
            return envelope
        # Byte for byte what the user gave, so that duplicate keys and the like reach the worker's own check.
        return Envelope(
            body=self.body,
            headers=envelope.headers,
            content_type=envelope.content_type,
            message_id=envelope.message_id,
            app_id=envelope.app_id,
            correlation_id=envelope.correlation_id,
            reply_to=envelope.reply_to,
        )

    def _data(self) -> dict[str, Any]:
        if self.mode != "structured":
            return {}  # the body goes out as it is
        try:
            read: Any = json.loads(self.body)
        except (ValueError, RecursionError):
            raise InvalidOrder("A body that is not JSON cannot be sent in structured mode.") from None
        return cast("dict[str, Any]", read)  # with --unchecked it may be anything

    def expires_at(self) -> datetime | None:
        """
        After which moment it must not be created.
        """
        if self.expires_in_s is None:
            return None
        try:
            return datetime.now(UTC) + timedelta(seconds=self.expires_in_s)
        except (ValueError, OverflowError):
            raise InvalidOrder("--expires-in-s must be a number of seconds from now, not so many.") from None


def check_sources(files: Sequence[str] | None, spec: Mapping[str, object]) -> None:
    """
    Raises InvalidOrder unless either files or flags say what to ask for.
    """
    if bool(files) == bool(spec):
        raise InvalidOrder(
            "Give either --router-id (and other flags) or files: the API's body as JSON, or many orders."
        )


def body_of(spec: Mapping[str, object]) -> bytes:
    """
    The API's body with these fields.
    """
    return json.dumps({"vpnservice": spec}).encode()


def check(envelope: Envelope) -> None:
    """
    Raises InvalidOrder, with every fault, for a message that the worker would reject.
    """
    decoded = decode_request(envelope)
    if isinstance(decoded, Rejection):
        faults = "\n".join(f"  {error.path}: {error.message}" for error in decoded.errors)
        raise InvalidOrder(f"The request is invalid, nothing was sent:\n{faults}\n(--unchecked sends it anyway)")
