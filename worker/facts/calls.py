"""
Facts about the cloud: calls, logins, and when it must be left in peace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from worker.facts.noting import Fact, Level


@dataclass(frozen=True, slots=True)
class ApiRequestEnded(Fact):
    """
    One HTTP request to the cloud is over.

    Attributes:
        target: api, or identity for the service that gives tokens.
        method: of HTTP.
        status: of HTTP; None when there was no answer, or not all of it.
        duration_s: from its start to the last byte of the answer.
        error: class of the exception, when there was no answer, or not all of it.
    """

    target: str
    method: str
    status: int | None
    duration_s: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ApiAnswered(Fact):
    """
    What a call for a request came to: `answer` is the name of one of worker.core.answers, `attempts` counts its POSTs.
    """

    call: str
    answer: str
    attempts: int
    duration_s: float
    http_status: int | None
    api_request_id: str | None
    code: str | None

    EVENT: ClassVar[str | None] = "api.answered"


@dataclass(frozen=True, slots=True)
class LoginSucceeded(Fact):
    """
    An account has a new token, or its signatures are accepted.
    """

    account: str
    lifetime_s: int | None = None

    EVENT: ClassVar[str | None] = "login.succeeded"


@dataclass(frozen=True, slots=True)
class LoginUnsuccessful(Fact):
    """
    A login did not work. `is_refused`: an operator must mend something; else it is an outage. `is_news`: the one before
    it did not fail in the same way, so that it is worth a line.
    """

    account: str
    reason: str
    is_refused: bool
    is_news: bool
    code: str | None = None
    http_status: int | None = None

    UNLOGGED: ClassVar[frozenset[str]] = frozenset({"is_refused", "is_news"})
    LEVEL: ClassVar[Level] = "warning"

    @property
    def event(self) -> str | None:
        """
        See Fact.
        """
        if not self.is_news:
            return None
        return "login.refused" if self.is_refused else "login.failed"


@dataclass(frozen=True, slots=True)
class CalmBegun(Fact):
    """
    The cloud asked everybody to slow down: nothing is sent for so long.
    """

    pause_s: float
    reason: str

    EVENT: ClassVar[str | None] = "worker.paused"
    LEVEL: ClassVar[Level] = "warning"


@dataclass(frozen=True, slots=True)
class CalmLengthened(Fact):
    """
    It asked again while nothing was sent: so many seconds come on top.
    """

    pause_s: float


@dataclass(frozen=True, slots=True)
class TakingStopped(Fact):
    """
    No requests are taken any more until it is over.

    Attributes:
        cause: cloud_down, settings, throttled or ledger.
        reason: in words.
    """

    cause: str
    reason: str

    EVENT: ClassVar[str | None] = "worker.stopped_taking"
    LEVEL: ClassVar[Level] = "warning"


@dataclass(frozen=True, slots=True)
class TakingResumed(Fact):
    """
    Requests are taken again.
    """

    EVENT: ClassVar[str | None] = "worker.takes_again"
