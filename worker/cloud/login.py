"""
What the client needs to know of a way to log in, and the two ways that need no call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from yarl import URL

from worker.accounts.secret import Secret, SecretUnreadable
from worker.cloud.call import Call
from worker.core.answers import Trouble
from worker.core.meanings import Fault


@dataclass(frozen=True, slots=True)
class LoginFailed:
    """
    There are no credentials to send, and nothing was sent with any.

    Attributes:
        trouble: why, in a sentence that names the account and never a secret.
        is_settings_fault: an operator must mend something; else it may work later.
        retry_after_s: what the identity service asked for.
    """

    trouble: Trouble
    is_settings_fault: bool
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class LoginState:
    """
    How a login fares, for readiness.
    """

    is_well: bool
    words: str


class Login(Protocol):
    """
    One way to log in, for one account. Safe to use from many tasks; never raises for what the network does.
    """

    @property
    def state(self) -> LoginState:
        """
        How it fares, as far as it was tried.
        """
        ...

    async def endpoint(self) -> URL | LoginFailed | None:
        """
        The API's URL that the login told; None when this way to log in tells none.
        """
        ...

    async def headers(self, call: Call) -> Mapping[str, str] | LoginFailed:
        """
        What to send with a call, for this one sending alone. Every one that gave headers must be followed by `finished`.

        Returns within a few seconds, or LoginFailed; what it waits for goes on meanwhile.
        """
        ...

    async def renew(self, sent: Mapping[str, str], fault: Fault, cloud_time: datetime | None) -> LoginFailed | None:
        """
        Hears that the cloud refused these headers (401, or 403 with an invalid token). None: send once more with new ones.

        Args:
            sent: what `headers` gave.
            fault: what the cloud said.
            cloud_time: the cloud's time by its Date header, aware UTC.
        """
        ...

    def finished(self, sent: Mapping[str, str], *, is_accepted: bool) -> None:
        """
        Hears that a call with these headers is over; `is_accepted` when the cloud answered something but a refused login.

        After a refusal it comes after `renew`. Not accepted may also mean that there was no answer.
        """
        ...

    async def close(self) -> None:
        """
        Ends what still runs; nothing is asked of it afterwards.
        """
        ...


class NoLogin:
    """
    Sends nothing; for a cloud that asks for nothing.
    """

    @property
    def state(self) -> LoginState:
        """
        See Login.
        """
        return LoginState(is_well=True, words="none needed")

    async def endpoint(self) -> URL | LoginFailed | None:
        """
        See Login.
        """
        return None

    async def headers(self, _call: Call) -> Mapping[str, str] | LoginFailed:
        """
        See Login.
        """
        return {}

    async def renew(self, _sent: Mapping[str, str], fault: Fault, _cloud_time: datetime | None) -> LoginFailed | None:
        """
        See Login.
        """
        return LoginFailed(refused_trouble("It was sent no credentials.", fault), is_settings_fault=True)

    def finished(self, _sent: Mapping[str, str], *, is_accepted: bool) -> None:
        """
        See Login.
        """

    async def close(self) -> None:
        """
        See Login.
        """


class FixedToken:
    """
    Sends a token that somebody else renews; read anew from its file before each call.

    Args:
        account: its name.
        token: as it is sent.
    """

    def __init__(self, account: str, token: Secret) -> None:
        self._account = account
        self._token = token
        self._refused: str | None = None

    @property
    def state(self) -> LoginState:
        """
        See Login.
        """
        if self._refused is not None:
            return LoginState(is_well=False, words=f"the token of account {self._account} is refused")
        return LoginState(is_well=True, words="a token is set")

    async def endpoint(self) -> URL | LoginFailed | None:
        """
        See Login.
        """
        return None

    async def headers(self, _call: Call) -> Mapping[str, str] | LoginFailed:
        """
        See Login.
        """
        token = self._read()
        if isinstance(token, LoginFailed):
            return token
        if token != self._refused:
            self._refused = None  # another one, which has to be tried
        return {"X-Auth-Token": token}

    async def renew(self, sent: Mapping[str, str], fault: Fault, _cloud_time: datetime | None) -> LoginFailed | None:
        """
        See Login.
        """
        token = self._read()
        if isinstance(token, LoginFailed):
            return token
        if token not in (sent["X-Auth-Token"], self._refused):
            return None  # the file has another one by now
        self._refused = sent["X-Auth-Token"]
        words = f"The token of account {self._account} is wrong, expired or revoked; set a new one."
        return LoginFailed(refused_trouble(words, fault), is_settings_fault=True)

    def finished(self, _sent: Mapping[str, str], *, is_accepted: bool) -> None:
        """
        See Login.
        """
        if is_accepted:
            self._refused = None

    async def close(self) -> None:
        """
        See Login.
        """

    def _read(self) -> str | LoginFailed:
        try:
            return self._token.read()
        except SecretUnreadable as exc:
            return unreadable(self._account, exc)


def refused_trouble(words: str, fault: Fault) -> Trouble:
    """
    The trouble of credentials that the cloud refused: our words first, then the cloud's.
    """
    said = f"{words} The cloud says: {fault.message}"
    return Trouble("credentials_refused", said, fault.http_status, fault.api_code, fault.request_id)


def unreadable(account: str, exc: SecretUnreadable) -> LoginFailed:
    """
    A secret's file that cannot be read: an operator's to mend.
    """
    return LoginFailed(Trouble("secret_unreadable", f"Account {account}: {exc}"), is_settings_fault=True)


def duration(seconds: float) -> str:
    """
    A duration as a person says it: "23 h 10 min", "4 min", "12 s".
    """
    whole_s = max(0, round(seconds))
    if whole_s < 60:
        return f"{whole_s} s"
    hours, minutes = divmod(whole_s // 60, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def utc_now() -> datetime:
    """
    This machine's time, aware UTC.
    """
    return datetime.now(UTC)
