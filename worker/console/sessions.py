"""
Who may use the console: the login token, sessions, and how often somebody may try.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

#: A working day and a bit; and how many are kept, the least recently made go first.
SESSION_S = 12 * 3600.0
_SESSIONS = 100
#: Wrong tokens from one address, and from all together, until the next try must wait.
_TRIES, _TRIES_OF_ALL = 5, 100
_TRIES_S = 60.0
_ADDRESSES = 1_000


@dataclass(frozen=True, slots=True)
class Session:
    """
    Somebody who logged in.

    Attributes:
        name: to tell sessions apart in the log; no secret.
        csrf: what a page of this session must send with every action.
        ends_at: by the clock that Sessions was given.
    """

    name: str
    csrf: str
    ends_at: float


@dataclass(frozen=True, slots=True)
class TooManyTries:
    """
    Nobody looks at a token from there before so many seconds.
    """

    retry_after_s: float


class Sessions:
    """
    The sessions of a process; a restart ends them all. Memory is bounded, whoever tries what.

    Args:
        token: who has it may log in; None lets everybody in that reaches the port.
        clock: seconds that only grow.
    """

    def __init__(self, token: str | None, clock: Callable[[], float]) -> None:
        self._digest = None if token is None else _digest(token)
        self._clock = clock
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._tries: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._anybody = self._new()

    @property
    def needs_login(self) -> bool:
        """
        Whether there is a token.
        """
        return self._digest is not None

    def log_in(self, token: str, address: str) -> tuple[str, Session] | TooManyTries | None:
        """
        A new session with the secret that its cookie carries; None when the token is wrong.

        Args:
            token: as it was typed.
            address: where it came from.
        """
        if (wait := self._wait(address)) is not None:
            return wait
        if not self.is_token(token):
            self._count(address)
            self._count("")
            return None
        secret, session = secrets.token_urlsafe(32), self._new()
        self._sessions[_digest(secret).hex()] = session
        while len(self._sessions) > _SESSIONS:
            self._sessions.popitem(last=False)
        return secret, session

    def is_token(self, token: str) -> bool:
        """
        Whether it is the token; takes as long for one wrong token as for another.
        """
        return self._digest is not None and hmac.compare_digest(_digest(token), self._digest)

    def of(self, secret: str | None) -> Session | None:
        """
        The session of a cookie; without a token everybody has the same one.
        """
        if self._digest is None:
            return self._anybody
        session = None if secret is None else self._sessions.get(_digest(secret).hex())
        return None if session is None or session.ends_at <= self._clock() else session

    def of_program(self, token: str, address: str) -> Session | TooManyTries | None:
        """
        The session of a program that sends the token itself with every call.
        """
        if (wait := self._wait(address)) is not None:
            return wait
        if self.is_token(token):
            return self._anybody
        self._count(address)
        self._count("")
        return None

    def end(self, secret: str | None) -> None:
        """
        Logs out.
        """
        if secret is not None:
            self._sessions.pop(_digest(secret).hex(), None)

    def _new(self) -> Session:
        return Session(secrets.token_hex(4), secrets.token_urlsafe(32), self._clock() + SESSION_S)

    def _wait(self, address: str) -> TooManyTries | None:
        now = self._clock()
        for name, limit in ((address, _TRIES), ("", _TRIES_OF_ALL)):
            tries, since = self._tries.get(name, (0, now))
            if tries >= limit and now < since + _TRIES_S:
                return TooManyTries(since + _TRIES_S - now)
        return None

    def _count(self, name: str) -> None:
        now = self._clock()
        tries, since = self._tries.pop(name, (0, now))
        self._tries[name] = (1, now) if now >= since + _TRIES_S else (tries + 1, since)
        while len(self._tries) > _ADDRESSES:
            self._tries.popitem(last=False)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
