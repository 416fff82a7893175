"""
A request as the command line builds it.
"""

from __future__ import annotations

import json
import sys
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

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

    def envelope(self) -> Envelope:
        """
        The message to send. A body that is no JSON goes out as it is, in binary or plain mode.
        """
        expires_at = None
        if self.expires_in_s is not None:
            expires_at = datetime.now(UTC) + timedelta(seconds=self.expires_in_s)
        read: Any = {}
        try:
            read = json.loads(self.body)
        except ValueError:
            if self.mode == "structured":
                raise InvalidOrder("A body that is not JSON cannot be sent in structured mode.") from None
        envelope = encode_request(
            read if isinstance(read, dict) else {},
            id=self.id,
            source=self.source,
            mode=self.mode,
            correlation_id=self.correlation_id,
            expires_at=expires_at,
        )
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


def read_body(file: str | None, spec: dict[str, object]) -> bytes:
    """
    The body from a file (`-`: standard input) or from flags.

    Raises:
        InvalidOrder: neither or both are given, or the file cannot be read.
    """
    if (file is None) == (not spec):
        raise InvalidOrder("Give either --router-id (and other flags) or a JSON file with the API's body.")
    if file is None:
        return json.dumps({"vpnservice": spec}).encode()
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as exc:
        raise InvalidOrder(f"The file {file} cannot be read: {exc.strerror}.") from exc


def check(envelope: Envelope) -> None:
    """
    Raises InvalidOrder, with every fault, for a message that the worker would reject.
    """
    decoded = decode_request(envelope)
    if isinstance(decoded, Rejection):
        faults = "\n".join(f"  {error.path}: {error.message}" for error in decoded.errors)
        raise InvalidOrder(f"The request is invalid, nothing was sent:\n{faults}\n(--unchecked sends it anyway)")
