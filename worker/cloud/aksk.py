"""
Logging in with an access key: every call is signed anew, and a key that the cloud refuses is spared.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import structlog
from yarl import URL

from worker.accounts.account import AkskCredentials
from worker.accounts.secret import SecretUnreadable
from worker.cloud.login import LoginFailed, LoginState, duration, refused_trouble, unreadable, utc_now
from worker.cloud.signing import SigningKey, signed_headers
from worker.cloud.transport import Call
from worker.core.answers import Trouble
from worker.core.meanings import Fault

log = structlog.get_logger()

#: The cloud locks a key for 5 minutes after five bad signatures in a row (cloud API family, AK/SK). Two leave room for
#: whoever else uses the key.
_TRIES = 2
_WINDOW_S = 300.0
#: How long a call waits for its turn with a key that is not proven.
_WAIT_S = 5.0
#: Signatures this far off the cloud's time are refused (cloud API family, AK/SK); half of it is worth a word.
_SKEW_LIMIT = timedelta(minutes=15)
_SKEW_WORTH_TELLING = timedelta(minutes=5)


class AkskLogin:
    """
    Signs each call. Never more than two bad tries in five minutes: the cloud locks a key after five.

    Until the cloud has accepted a key once, one call at a time may use it, and the others wait. One exception is
    inherent: when a proven key goes bad, the calls that are under way with it at that moment are all bad tries, as many
    as there are calls at once. And each process counts for itself.

    Args:
        account: its name.
        credentials: the key; files are read anew when they change.
        now: this machine's time, aware.
    """

    def __init__(self, account: str, credentials: AkskCredentials, *, now: Callable[[], datetime] = utc_now) -> None:
        self._account = account
        self._credentials = credentials
        self._now = now
        self._key: SigningKey | None = None
        self._is_proven = False
        self._turn = asyncio.Lock()
        self._trial: str | None = None
        self._in_flight: dict[str, SigningKey] = {}
        self._refused_at_s: deque[float] = deque(maxlen=_TRIES)
        self._refusal: LoginFailed | None = None

    @property
    def state(self) -> LoginState:
        """
        See Login.
        """
        if self._refusal is None:
            words = "is accepted" if self._is_proven else "was not tried yet"
            return LoginState(is_well=True, words=f"the access key of account {self._account} {words}")
        resting_s = self._resting_s()
        words = f"; the next try in {duration(resting_s)}" if resting_s > 0 else ""
        return LoginState(is_well=False, words=f"{self._refusal.trouble.message}{words}")

    async def endpoint(self) -> URL | LoginFailed | None:
        """
        See Login.
        """
        return None

    async def headers(self, call: Call) -> Mapping[str, str] | LoginFailed:
        """
        See Login.
        """
        key = self._current()
        if isinstance(key, LoginFailed) or self._is_proven:
            return key if isinstance(key, LoginFailed) else self._signed(call, key)
        try:
            async with asyncio.timeout(_WAIT_S):
                await self._turn.acquire()
        except TimeoutError:
            words = f"Account {self._account}: another call is trying the access key; the request was not sent."
            return LoginFailed(Trouble("login_slow", words), is_settings_fault=False)
        key = self._current()  # others had their turn meanwhile: it may be proven, resting or another one by now
        if isinstance(key, LoginFailed) or self._is_proven:
            self._turn.release()
            return key if isinstance(key, LoginFailed) else self._signed(call, key)
        sent = self._signed(call, key)
        self._trial = sent["Authorization"]
        return sent

    async def renew(self, sent: Mapping[str, str], fault: Fault, cloud_time: datetime | None) -> LoginFailed | None:
        """
        See Login. A key cannot be renewed; only its files can have changed meanwhile.
        """
        used = self._in_flight.get(sent["Authorization"], self._key)
        key = self._read()
        is_another = not isinstance(key, LoginFailed) and key != used
        if not is_another:
            self._note_refusal(fault, cloud_time)
        self._end_turn(sent)
        return None if is_another else self._refusal

    def finished(self, sent: Mapping[str, str], *, is_accepted: bool) -> None:
        """
        See Login.
        """
        used = self._in_flight.pop(sent["Authorization"], self._key)
        if is_accepted and used == self._key and self._trial == sent["Authorization"]:
            self._is_proven = True
            self._refusal = None
            log.info("login.succeeded", account=self._account)
        self._end_turn(sent)

    async def close(self) -> None:
        """
        See Login.
        """

    def _current(self) -> SigningKey | LoginFailed:
        """
        The key as it is now, or why it must not be used.
        """
        key = self._read()
        if isinstance(key, LoginFailed):
            return key
        if key != self._key:
            # Another key starts with a clean record, and has to prove itself.
            self._key, self._is_proven, self._refusal = key, False, None
            self._refused_at_s.clear()
        resting_s = self._resting_s()
        return self._resting(resting_s) if resting_s > 0 else key

    def _read(self) -> SigningKey | LoginFailed:
        given = self._credentials
        try:
            token = given.security_token.read() if given.security_token else None
            return SigningKey(given.access_key.read(), given.secret_key.read(), token, given.project_id)
        except SecretUnreadable as exc:
            return unreadable(self._account, exc)

    def _signed(self, call: Call, key: SigningKey) -> dict[str, str]:
        sent = signed_headers(call, key, self._now())
        self._in_flight[sent["Authorization"]] = key
        return sent

    def _end_turn(self, sent: Mapping[str, str]) -> None:
        if self._trial == sent["Authorization"]:
            self._trial = None
            self._turn.release()

    def _note_refusal(self, fault: Fault, cloud_time: datetime | None) -> None:
        if self._refusal is None:
            log.warning("login.refused", account=self._account, http_status=fault.http_status, reason=fault.message)
        self._is_proven = False
        self._refused_at_s.append(asyncio.get_running_loop().time())
        self._refusal = LoginFailed(self._refusal_trouble(fault, cloud_time), is_settings_fault=True)

    def _refusal_trouble(self, fault: Fault, cloud_time: datetime | None) -> Trouble:
        skew = timedelta() if cloud_time is None else self._now() - cloud_time
        words = f"The cloud refuses the access key of account {self._account}: wrong, disabled, locked, or not for this project."
        if abs(skew) < _SKEW_WORTH_TELLING:
            return refused_trouble(words, fault)
        place = "ahead of" if skew > timedelta() else "behind"
        told = (
            f"this machine's clock is {duration(abs(skew).total_seconds())} {place} the cloud's; AK/SK signatures are"
            " refused beyond 15 min: set the clock (NTP)"
        )
        if abs(skew) <= _SKEW_LIMIT:
            return refused_trouble(f"{words} Besides, {told}.", fault)
        words = f"Account {self._account}: {told}. The cloud says: {fault.message}"
        return Trouble("clock_skew", words, fault.http_status, fault.api_code, fault.request_id)

    def _resting_s(self) -> float:
        if len(self._refused_at_s) < _TRIES:
            return 0.0
        return self._refused_at_s[0] + _WINDOW_S - asyncio.get_running_loop().time()

    def _resting(self, left_s: float) -> LoginFailed:
        last = f" {self._refusal.trouble.message}" if self._refusal else ""
        words = (
            f"The access key of account {self._account} rests after two bad tries; the cloud locks a key after five."
            f" The next try in {left_s:.0f} s.{last}"
        )
        return LoginFailed(Trouble("key_resting", words), is_settings_fault=True, retry_after_s=left_s)
