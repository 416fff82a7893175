"""
Logging in with an access key: every call is signed anew, and a key that the cloud refuses is spared.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

from yarl import URL

from worker.accounts.account import AkskCredentials
from worker.accounts.secret import SecretUnreadable
from worker.cloud.call import Call
from worker.cloud.login import LoginFailed, LoginState, duration, refused_trouble, unreadable, utc_now
from worker.cloud.signing import SigningKey, signed_headers
from worker.core.answers import Trouble
from worker.core.meanings import Fault
from worker.facts import note
from worker.facts.calls import LoginSucceeded, LoginUnsuccessful

#: The cloud locks a key for 5 minutes after five bad signatures in a row (cloud API family, AK/SK). Two leave room for
#: whoever else uses the key.
_TRIES = 2
_WINDOW_S = 300.0
#: Access keys whose record outlives their use.
_KEYS_REMEMBERED = 100
#: How long a call waits for its turn with a key that is not proven.
_WAIT_S = 5.0
#: Signatures this far off the cloud's time are refused (cloud API family, AK/SK); half of it is worth a word.
_SKEW_LIMIT = timedelta(minutes=15)
_SKEW_WORTH_TELLING = timedelta(minutes=5)


class KeyRecord:
    """
    What is known of one access key, for all accounts of this process that sign with it.

    Never more than two bad tries in five minutes, whoever made them and with whatever secret key: the cloud counts by
    access key. One call at a time may use what is not proven. Another account's refusal voids all proofs, since the key
    itself may have gone bad; unless others proved the key since that account was refused before: then its refusals are
    its own trouble, such as a wrong project, and leave it one try in five minutes.

    Attributes:
        turn: held by the call that tries what is not proven.
        trial: the signature of that call.
    """

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.trial: str | None = None
        self._bad_at_s: deque[float] = deque(maxlen=_TRIES)
        self._proven: set[SigningKey] = set()
        self._doubtful: set[SigningKey] = set()
        self._bad_alone: set[SigningKey] = set()

    def is_proven(self, key: SigningKey) -> bool:
        """
        Whether the cloud accepted it, and nothing has spoken against it since.
        """
        return key in self._proven

    def resting_s(self, key: SigningKey) -> float:
        """
        Seconds until it may be tried; 0 or less: now.
        """
        tries = 1 if key in self._bad_alone else _TRIES
        if self.is_proven(key) or len(self._bad_at_s) < tries:
            return 0.0
        return self._bad_at_s[-tries] + _WINDOW_S - asyncio.get_running_loop().time()

    def note_accepted(self, key: SigningKey) -> None:
        """
        The cloud accepted the call whose turn it was.
        """
        self._bad_alone |= self._doubtful
        self._bad_alone.discard(key)
        self._doubtful.clear()
        self._proven.add(key)

    def note_refused(self, key: SigningKey) -> None:
        """
        The cloud refused a call, whosever turn it was.
        """
        self._bad_at_s.append(asyncio.get_running_loop().time())
        self._proven.discard(key)
        if key not in self._bad_alone:
            self._doubtful.add(key)
            self._proven.clear()

    def end_turn(self, signature: str) -> None:
        """
        The call with this signature is over; others may try.
        """
        if self.trial == signature:
            self.trial = None
            self.turn.release()


class KeyRecords:
    """
    The records of all access keys of this process.
    """

    def __init__(self) -> None:
        self._records: WeakValueDictionary[str, KeyRecord] = WeakValueDictionary()
        # Temporary keys come and go; one that comes back soon must find its record.
        self._last: deque[KeyRecord] = deque(maxlen=_KEYS_REMEMBERED)

    def of(self, access_key: str) -> KeyRecord:
        """
        The record of an access key; the same one for everybody.
        """
        record = self._records.get(access_key)
        if record is None:
            record = self._records[access_key] = KeyRecord()
            self._last.append(record)
        return record


class AkskLogin:
    """
    Signs each call. Never more than two bad tries in five minutes with one access key: the cloud locks a key after five.

    Until the cloud has accepted a key once, one call at a time may use it, and the others wait. One exception is
    inherent: when a proven key goes bad, the calls that are under way with it at that moment are all bad tries, as many
    as there are calls at once. And each process counts for itself.

    Args:
        account: its name.
        credentials: the key; files are read anew when they change.
        records: shared with the other accounts; None: it has an access key of its own.
        now: this machine's time, aware.
    """

    def __init__(
        self,
        account: str,
        credentials: AkskCredentials,
        *,
        records: KeyRecords | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._account = account
        self._credentials = credentials
        self._records = KeyRecords() if records is None else records
        self._now = now
        self._key: SigningKey | None = None
        self._record = KeyRecord()
        self._in_flight: dict[str, SigningKey] = {}
        self._refusal: LoginFailed | None = None
        self._hindrance: LoginFailed | None = None

    @property
    def state(self) -> LoginState:
        """
        See Login.
        """
        key, refusal = self._key, self._refusal
        is_proven = key is not None and self._record.is_proven(key)
        resting_s = 0.0 if key is None else self._record.resting_s(key)
        if refusal is not None and not is_proven:
            words = f"; the next try in {duration(resting_s)}" if resting_s > 0 else ""
            return LoginState(is_well=False, words=f"{refusal.trouble.message}{words}")
        if self._hindrance is not None:
            hindrance = self._resting(resting_s) if resting_s > 0 else self._hindrance
            return LoginState(is_well=False, words=hindrance.trouble.message)
        words = "is accepted" if is_proven else "was not tried yet"
        return LoginState(is_well=True, words=f"the access key of account {self._account} {words}")

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
        while not isinstance(key, LoginFailed) and not self._record.is_proven(key):
            record = self._record
            try:
                async with asyncio.timeout(_WAIT_S):
                    await record.turn.acquire()
            except TimeoutError:
                words = f"Account {self._account}: another call is trying the access key; the request was not sent."
                return LoginFailed(Trouble("login_slow", words), is_settings_fault=False)
            key = self._current()  # others had their turn meanwhile: it may be proven, resting or another one by now
            if not isinstance(key, LoginFailed) and record is self._record and not record.is_proven(key):
                sent = self._signed(call, key)
                record.trial = sent["Authorization"]
                return sent
            record.turn.release()
        return key if isinstance(key, LoginFailed) else self._signed(call, key)

    async def renew(self, sent: Mapping[str, str], fault: Fault, cloud_time: datetime | None) -> LoginFailed | None:
        """
        See Login. A key cannot be renewed; only its files can have changed meanwhile.
        """
        used = self._in_flight.get(sent["Authorization"], self._key)
        key = self._read()
        is_another = not isinstance(key, LoginFailed) and key != used
        if not is_another:
            self._note_refusal(fault, cloud_time)
        if used is not None:
            # A bad try all the same: the cloud counts by access key, which may still be in use.
            record = self._records.of(used.access_key)
            record.note_refused(used)
            record.end_turn(sent["Authorization"])
        return None if is_another else self._refusal

    def finished(self, sent: Mapping[str, str], *, is_accepted: bool) -> None:
        """
        See Login.
        """
        used = self._in_flight.pop(sent["Authorization"], self._key)
        if used is None:
            return
        record = self._records.of(used.access_key)
        if is_accepted and record.trial == sent["Authorization"]:
            record.note_accepted(used)
            note(LoginSucceeded(self._account))
        if is_accepted and used == self._key and record.is_proven(used):
            self._refusal = None
        record.end_turn(sent["Authorization"])

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
            self._hindrance = key
            return key
        if key != self._key:
            # Another key has to prove itself; the record is that of the access key, which may be the same.
            self._key, self._refusal = key, None
            self._record = self._records.of(key.access_key)
        resting_s = self._record.resting_s(key)
        # Kept until a call finds the way free: whoever waits for this account must be told then.
        self._hindrance = self._resting(resting_s) if resting_s > 0 else None
        return self._hindrance or key

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

    def _note_refusal(self, fault: Fault, cloud_time: datetime | None) -> None:
        is_news = self._refusal is None
        note(
            LoginUnsuccessful(
                self._account, fault.message, is_refused=True, is_news=is_news, http_status=fault.http_status
            )
        )
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

    def _resting(self, left_s: float) -> LoginFailed:
        # Who was not refused itself suffers from another account with the same access key, or from an older secret key.
        words = (
            "Another account or another secret key had them."
            if self._refusal is None
            else self._refusal.trouble.message
        )
        words = (
            f"The access key of account {self._account} rests after two bad tries; the cloud locks a key after five."
            f" The next try in {left_s:.0f} s. {words}"
        )
        return LoginFailed(Trouble("key_resting", words), is_settings_fault=True, retry_after_s=left_s)
