"""
What came back of a call: an HTTP answer, read to its end, or none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from worker.cloud.call import Call
from worker.cloud.masking import masked
from worker.cloud.wire import read_fault, to_code
from worker.core.meanings import Fault

#: The longest wait that is believed: a date in the wrong century must not stop the worker.
_RETRY_AFTER_LIMIT_S = 3600.0
#: What the clouds call it in their answers (cloud API family, Errors).
_REQUEST_ID_HEADERS = ("X-Request-Id", "X-Openstack-Request-Id")


@dataclass(frozen=True, slots=True)
class Reply:
    """
    An HTTP answer, read to its end; to `call`, whose secrets it may repeat.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    call: Call | None = field(default=None, repr=False)

    @property
    def request_id(self) -> str | None:
        """
        The cloud's request id, for its support desk.
        """
        return to_code(next((self.headers[name] for name in _REQUEST_ID_HEADERS if name in self.headers), None))

    def fault(self) -> Fault:
        """
        The error in it, whatever its dialect.
        """
        return read_fault(self.status, self.body, self.request_id, lambda text: masked(text, self.call))

    @property
    def cloud_time(self) -> datetime | None:
        """
        The cloud's time when it answered, aware UTC (RFC 9110, 6.6.1, Date); None when it told none that can be read.
        """
        return _date(self.headers.get("Date", ""))

    @property
    def retry_after_s(self) -> float | None:
        """
        Seconds that the cloud asks to wait; a date counts by the cloud's own clock.
        """
        text = self.headers.get("Retry-After")
        return None if text is None else retry_after_s(text, self.cloud_time)


@dataclass(frozen=True, slots=True)
class NoReply:
    """
    No HTTP answer.

    Attributes:
        is_sent: whether the cloud can have seen the request.
        words: why there is none.
        config_fault: our code, when every request would fare alike until somebody mends a setting.
        request_id: the one that we sent, by which the cloud's support may find what became of it; None: none was sent.
    """

    is_sent: bool
    words: str
    config_fault: str | None = None
    request_id: str | None = None


def retry_after_s(text: str | None, now: datetime | None = None) -> float | None:
    """
    Seconds that a Retry-After header asks for, in either of its forms (RFC 9110, 10.2.3).

    Returns:
        0 to 3600; None when there is no header or it makes no sense.
    """
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        asked_s = float(text)
    elif (at := _date(text)) is not None:
        asked_s = (at - (now or datetime.now(UTC))).total_seconds()
    else:
        return None
    return min(max(0.0, asked_s), _RETRY_AFTER_LIMIT_S)


def _date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
