"""
Logging in at the identity service (Identity API v3): one token for everybody, renewed before it dies.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog
from yarl import URL

from worker.accounts.account import Account, ApplicationCredentials, PasswordCredentials
from worker.accounts.secret import SecretUnreadable
from worker.accounts.urls import OPEN_API_WORDS, is_open_wire
from worker.cloud.call import Call
from worker.cloud.identity_api import (
    Token,
    UserRecord,
    UserRecords,
    endpoint_in,
    login_body,
    read_token,
    refused_wait_s,
)
from worker.cloud.login import LoginFailed, LoginState, duration, refused_trouble, unreadable, utc_now
from worker.cloud.reply import NoReply, Reply
from worker.cloud.transport import Transport
from worker.core.answers import Trouble
from worker.core.meanings import Fault
from worker.facts import note
from worker.facts.calls import LoginSucceeded, LoginUnsuccessful

log = structlog.get_logger()

#: keystoneauth renews a token with less left than this (cloud API family, Authentication).
_REFRESH_BEFORE_S = 120.0
#: How long a caller waits for a login; the login goes on.
_WAIT_S = 5.0
#: An identity service that cannot be reached or is in trouble is asked again after 1 s, then 2, up to this.
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 30.0
#: One that refuses locks the user after some refusals (Keystone, lockout_failure_attempts), so it is asked much less.
_REFUSING = frozenset({401, 403})

_IN_TROUBLE = ("iam_failing", "is in trouble")
_WRONG_URL = ("iam_url_wrong", "has no Identity API v3 at this address; it usually ends in /v3")
#: What the identity service means by what an operator must mend; any other status but a trouble of its own: wrong URL.
_ANSWERS: Mapping[int, tuple[str, str]] = {
    200: ("login_unreadable", "answered without a token; is it the right address?"),
    201: ("login_unreadable", "answered without a token that can be read; is it the right address?"),
    400: ("login_malformed", "does not understand the login; check user, domain and project"),
    401: ("login_refused", "refuses it; check user, password, domain and project"),
    403: ("login_forbidden", "forbids it: locked, disabled, or the password must be changed first"),
}


@dataclass(frozen=True, slots=True)
class _Held:
    """
    A token and what came with it; moments by the loop's clock.
    """

    headers: Mapping[str, str] = field(repr=False)
    got_at_s: float
    refresh_at_s: float
    good_until_s: float
    endpoint: URL | LoginFailed | None


@dataclass(frozen=True, slots=True)
class _Failure:
    """
    The last login, when it failed; `body` is what was sent, to notice another secret.
    """

    failed: LoginFailed
    until_s: float
    tries: int
    body: bytes | None = field(repr=False)


class TokenLogin:
    """
    Sends a token that it gets at the identity service. Many may wait for it; one login is under way at most.

    A token counts as good for as long as the identity service said, by the loop's clock: this machine's may be wrong.
    While an old token works, a new one is fetched behind everybody's back.

    When the cloud refuses a new token, the next login comes no sooner than after the records' `calm_s`.

    Args:
        account: whose login it is; its name, region and interface are used.
        credentials: its own.
        transport: over which to log in.
        records: shared with the other accounts; None: it has a user of its own.
        catalog_types: the types of service whose endpoint is wanted, best first; none when it is not.
        now: this machine's time, aware; needed only where the identity service tells none.
    """

    def __init__(
        self,
        account: Account,
        credentials: PasswordCredentials | ApplicationCredentials,
        transport: Transport,
        *,
        records: UserRecords | None = None,
        catalog_types: tuple[str, ...] = (),
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._account = account
        self._credentials = credentials
        self._transport = transport
        self._records = UserRecords() if records is None else records
        self._catalog_types = catalog_types
        self._calm_s = self._records.calm_s
        self._now = now
        self._url = URL(f"{credentials.iam_url.rstrip('/')}/auth/tokens")
        self._held: _Held | None = None
        self._endpoint: URL | LoginFailed | None = None
        self._failure: _Failure | None = None
        self._refusal: LoginFailed | None = None
        self._task: asyncio.Task[_Held | LoginFailed] | None = None
        self._is_proven = False
        self._early_at_s = -math.inf

    @property
    def state(self) -> LoginState:
        """
        See Login.
        """
        if self._refusal is not None:
            return LoginState(is_well=False, words=self._refusal.trouble.message)
        trouble = None if self._failure is None else self._failure.failed.trouble.message
        left_s = 0.0 if self._held is None else self._held.good_until_s - asyncio.get_running_loop().time()
        if left_s > 0:
            words = f"token of account {self._account.name}, good for {duration(left_s)}"
            return LoginState(is_well=True, words=words if trouble is None else f"{words}; no new one: {trouble}")
        if trouble is not None:
            return LoginState(is_well=False, words=trouble)
        words = "did not need to log in yet" if self._held is None else "logs in again with its next call"
        return LoginState(is_well=True, words=f"account {self._account.name} {words}")

    async def endpoint(self) -> URL | LoginFailed | None:
        """
        See Login. From the catalog of the last token.
        """
        if not self._catalog_types or isinstance(self._endpoint, URL):
            return self._endpoint
        held = self._held
        if held is not None and asyncio.get_running_loop().time() - held.got_at_s < self._calm_s:
            return held.endpoint
        got = await self._obtained()
        return got if isinstance(got, LoginFailed) else got.endpoint

    async def headers(self, _call: Call) -> Mapping[str, str] | LoginFailed:
        """
        See Login.
        """
        held = self._held
        now_s = asyncio.get_running_loop().time()
        if held is not None and now_s < held.good_until_s:
            if now_s >= held.refresh_at_s:
                self._begin()
            return held.headers
        got = await self._obtained()
        return got if isinstance(got, LoginFailed) else got.headers

    async def renew(self, sent: Mapping[str, str], fault: Fault, _cloud_time: datetime | None) -> LoginFailed | None:
        """
        See Login. However many are refused at once, they cause one login.
        """
        held = self._held
        if held is not None and held.headers["X-Auth-Token"] != sent["X-Auth-Token"]:
            return None
        now_s = asyncio.get_running_loop().time()
        if held is not None and now_s - held.got_at_s < self._calm_s and not self._may_renew_early(now_s):
            # As new as this, and never accepted: it is not the token, and another one would be refused as well.
            words = f"The cloud refuses a new token of account {self._account.name}; check its roles and its project."
            if self._refusal is None:
                log.warning("login.token_refused", account=self._account.name, reason=fault.message)
            self._refusal = LoginFailed(refused_trouble(words, fault), is_settings_fault=True)
            return self._refusal
        self._held = None
        got = await self._obtained()
        return got if isinstance(got, LoginFailed) else None

    def _may_renew_early(self, now_s: float) -> bool:
        # It worked, and then it was revoked: once in a while that is worth a login, however new it was.
        if not self._is_proven or now_s - self._early_at_s < self._calm_s:
            return False
        self._early_at_s = now_s
        return True

    def finished(self, sent: Mapping[str, str], *, is_accepted: bool) -> None:
        """
        See Login.
        """
        if is_accepted:
            self._refusal = None
            self._is_proven = self._held is not None and self._held.headers == sent

    async def close(self) -> None:
        """
        See Login.
        """
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _obtained(self) -> _Held | LoginFailed:
        task = self._begin()
        if isinstance(task, LoginFailed):
            return task
        # Whoever stops waiting, out of patience or cancelled, leaves the login to the others.
        await asyncio.wait({task}, timeout=_WAIT_S)
        if not task.done() or task.cancelled():
            words = f"The login of account {self._account.name} takes long; the request was not sent."
            return LoginFailed(Trouble("login_slow", words), is_settings_fault=False)
        return task.result()

    def _begin(self) -> asyncio.Task[_Held | LoginFailed] | LoginFailed:
        """
        The login that is under way, or a new one, or why it is too early for one.
        """
        if self._task is not None and not self._task.done():
            return self._task
        try:
            body, record = login_body(self._credentials), self._records.of(self._credentials)
        except SecretUnreadable as exc:
            failed = unreadable(self._account.name, exc)
            self._note_failure(failed, None)
            return failed
        failure = self._failure
        if failure is not None and failure.body == body and asyncio.get_running_loop().time() < failure.until_s:
            return failure.failed
        self._task = asyncio.create_task(self._log_in_once(body, record), name=f"login {self._account.name}")
        return self._task

    async def _log_in_once(self, body: bytes, record: UserRecord) -> _Held | LoginFailed:
        """
        A login, unless another account was refused with the same secret just now.
        """
        async with record.turn():
            refused = record.refusal_of(self._account.name)
            return await self._log_in(body, record) if refused is None else self._spared(refused, body)

    async def _log_in(self, body: bytes, record: UserRecord) -> _Held | LoginFailed:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        reply = await self._transport.send(Call("POST", self._url, body, target="identity"))
        token = read_token(reply, self._now()) if isinstance(reply, Reply) else None
        if token is None:
            failed = self._failed(reply)
            if failed.trouble.http_status in _REFUSING:
                record.note_refusal(self._account.name, failed)
            self._note_failure(failed, body)
            return failed
        record.note_success(self._account.name)
        refresh_s = token.lifetime_s - min(_REFRESH_BEFORE_S, token.lifetime_s / 2)
        if self._catalog_types:
            self._endpoint = self._endpoint_of(token)
        self._held = _Held(
            {"X-Auth-Token": token.value}, loop.time(), began_s + refresh_s, began_s + token.lifetime_s, self._endpoint
        )
        self._failure, self._is_proven = None, False
        note(LoginSucceeded(self._account.name, round(token.lifetime_s)))
        return self._held

    def _endpoint_of(self, token: Token) -> URL | LoginFailed:
        found = endpoint_in(token.catalog, self._catalog_types, self._account.interface, self._account.region)
        if isinstance(found, URL):
            if is_open_wire(str(found)) and found != self._endpoint:
                remedy = (
                    f"the catalog's endpoint {found} {OPEN_API_WORDS}, in VPN_WORKER_API_URL or by another interface"
                )
                log.warning("settings.risky", account=self._account.name, remedy=remedy)
            return found
        failed = LoginFailed(
            Trouble("endpoint_unknown", f"Account {self._account.name}: {found}"), is_settings_fault=True
        )
        if failed != self._endpoint:
            log.warning("login.no_endpoint", account=self._account.name, reason=found)
        return failed

    def _failed(self, reply: Reply | NoReply) -> LoginFailed:
        login = f"The login of {_who(self._credentials)} for account {self._account.name}: {self._url.host}"
        if isinstance(reply, NoReply):
            trouble = Trouble(reply.config_fault or "iam_unreachable", f"{login} did not answer. {reply.words}")
            return LoginFailed(trouble, is_settings_fault=reply.config_fault is not None)
        fault = reply.fault()
        is_in_trouble = reply.status >= 500 or reply.status in {408, 425, 429}
        code, words = _IN_TROUBLE if is_in_trouble else _ANSWERS.get(reply.status, _WRONG_URL)
        message = f"{login} {words}. The cloud says: {fault.message}"
        trouble = Trouble(code, message, fault.http_status, fault.api_code, fault.request_id)
        return LoginFailed(trouble, not is_in_trouble, reply.retry_after_s)

    def _spared(self, refused: LoginFailed, body: bytes) -> LoginFailed:
        """
        A login that is not made, since it would be refused as another account's was; a refusal of its own says more.
        """
        until_s = asyncio.get_running_loop().time() + (refused.retry_after_s or 0.0)
        failure = self._failure
        if failure is None or failure.body != body or failure.failed.trouble.http_status not in _REFUSING:
            name = self._account.name
            # Without the other's name: the words may reach this account's own publishers.
            words = f"Account {name} does not log in now: its user was refused for another account, see the log."
            failed = LoginFailed(Trouble("login_resting", words), is_settings_fault=True)
            log.warning("login.spared", account=name, reason=words)
            failure = _Failure(failed, until_s, 0, body)
        self._failure = replace(failure, until_s=until_s)
        return self._failure.failed

    def _note_failure(self, failed: LoginFailed, body: bytes | None) -> None:
        before = self._failure
        is_again = before is not None and before.body == body and _kind(before.failed) == _kind(failed)
        tries = before.tries + 1 if before is not None and is_again else 1
        if failed.trouble.http_status in _REFUSING:
            wait_s = refused_wait_s(tries, self._calm_s)
        else:
            wait_s = min(_FIRST_WAIT_S * 2.0 ** min(tries - 1, 10), _LONGEST_WAIT_S)
        wait_s = max(wait_s, failed.retry_after_s or 0.0)
        self._failure = _Failure(failed, asyncio.get_running_loop().time() + wait_s, tries, body)
        note(
            LoginUnsuccessful(
                self._account.name,
                failed.trouble.message,
                is_refused=failed.is_settings_fault,
                is_news=not is_again,
                code=failed.trouble.code,
            )
        )


def _kind(failed: LoginFailed) -> str:
    # An outage shows itself in many ways and is still one.
    return failed.trouble.code if failed.is_settings_fault else "outage"


def _who(credentials: PasswordCredentials | ApplicationCredentials) -> str:
    if isinstance(credentials, PasswordCredentials):
        return f"user {credentials.user.name or credentials.user.id}"
    return f"application credential {credentials.id or credentials.name}"
