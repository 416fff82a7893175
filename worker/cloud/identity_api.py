"""
The identity service (Identity API v3): what a login sends, what a token brings, what its catalog offers; and how often
a user may be refused.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import orjson
from yarl import URL

from worker.accounts.account import ApplicationCredentials, Identity, PasswordCredentials
from worker.cloud.login import LoginFailed
from worker.cloud.reply import Reply


@dataclass(frozen=True, slots=True)
class Token:
    """
    What a login gave.

    Attributes:
        value: the token itself.
        lifetime_s: how long it is good, from when it was asked for.
        catalog: the services, as they came; None for none.
    """

    value: str = field(repr=False)
    lifetime_s: float
    catalog: object


def login_body(credentials: PasswordCredentials | ApplicationCredentials) -> bytes:
    """
    The body of POST /v3/auth/tokens (Identity API v3, Password authentication; Authenticating with an application
    credential, which has its project in itself and must not name one).

    Raises:
        SecretUnreadable: the secret's file cannot be read.
    """
    if isinstance(credentials, PasswordCredentials):
        user = _named(credentials.user) | {"password": credentials.password.read()}
        auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
        if credentials.project is not None:
            auth["scope"] = {"project": _named(credentials.project)}
        return orjson.dumps({"auth": auth})
    by: dict[str, Any] = {"id": credentials.id} if credentials.id else {"name": credentials.name}
    if not credentials.id and credentials.user is not None:
        by["user"] = _named(credentials.user)
    by["secret"] = credentials.secret.read()
    return orjson.dumps({"auth": {"identity": {"methods": ["application_credential"], "application_credential": by}}})


def _named(identity: Identity) -> dict[str, Any]:
    if identity.id:
        return {"id": identity.id}
    domain = {"id": identity.domain_id} if identity.domain_id else {"name": identity.domain_name}
    return {"name": identity.name, "domain": domain}


def read_token(reply: Reply, now: datetime) -> Token | None:
    """
    The token of an answer; None when there is none, or nothing that can be read.

    Args:
        reply: to a login.
        now: counts where neither `issued_at` nor the Date header tell when it was issued.
    """
    value = reply.headers.get("X-Subject-Token", "")
    if reply.status not in {200, 201} or not value or not value.isascii() or not value.isprintable():
        return None
    try:
        told = orjson.loads(reply.body)["token"]
        issued_at = _moment(told["issued_at"]) if told.get("issued_at") else reply.cloud_time or now
        lifetime_s = (_moment(told["expires_at"]) - issued_at).total_seconds()
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return Token(value, lifetime_s, told.get("catalog")) if lifetime_s > 0 else None


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def endpoint_in(catalog: object, types: tuple[str, ...], interface: str, region: str | None) -> URL | str:
    """
    The URL of the first endpoint of the first of these types that the catalog has, without version.

    Args:
        catalog: of a token (Identity API v3, Service catalog).
        types: of service, best first.
        interface: public, internal or admin.
        region: None for the only one there is.

    Returns:
        The URL, or in words why there is none.
    """
    services = [one for one in catalog if isinstance(one, dict)] if isinstance(catalog, list) else []
    if not services:
        return "The token has no catalog; name a project for the login, or set VPN_WORKER_API_URL."
    offers = next((found for kind in types if (found := _endpoints(services, kind))), [])
    if not offers:
        there = ", ".join(sorted({str(one.get("type")) for one in services}))
        return f"The catalog has no service of type {' or '.join(types)}; it has {there}."
    fitting = [one for one in offers if one.get("interface") == interface]
    if not fitting:
        there = ", ".join(sorted({str(one.get("interface")) for one in offers}))
        return f"The catalog has no {interface} endpoint of type {' or '.join(types)}; it has {there}."
    regions = sorted({_region(one) for one in fitting})
    if len(regions) > 1 and region is None:
        return f"The catalog has more than one region; set one: {', '.join(regions)}."
    urls = [str(one.get("url")) for one in fitting if region in {None, _region(one)}]
    if not urls:
        return f"The catalog has no endpoint in region {region}; it has {', '.join(regions)}."
    return _base(urls[0]) or "The endpoint in the catalog is no URL; set VPN_WORKER_API_URL."


def _endpoints(services: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    listed = (one.get("endpoints") for one in services if one.get("type") == kind)
    return [one for some in listed if isinstance(some, list) for one in some if isinstance(one, dict)]


def _region(endpoint: dict[str, Any]) -> str:
    return str(endpoint.get("region") or endpoint.get("region_id") or "")


def _base(text: str) -> URL | None:
    try:
        url = URL(text)
    except ValueError:
        return None
    if url.scheme not in {"http", "https"} or not url.host:
        return None
    path = url.path.rstrip("/").removesuffix("/v2.0").rstrip("/")
    return url.with_path(path)


def refused_wait_s(times: int, calm_s: float) -> float:
    """
    Seconds from a refused login to the next, when it was refused so many times: `calm_s`, then twice as long, up to 16 times.
    """
    return calm_s * 2.0 ** min(times - 1, 4)


class UserRecord:
    """
    How a user's secret fares, for all accounts of this process that log in with it: identity services count by user.

    One login at a time, save for a while after one succeeded. After a refusal one other account may try, since the
    first may only have a wrong project; then all are calm, twice as long after each such round. Who was refused while
    others could log in has a trouble of its own, which hinders nobody else.

    Args:
        calm_s: at least so long lies between a refused login and the next, twice as long after each, up to 16 times.
    """

    def __init__(self, calm_s: float) -> None:
        self._calm_s = calm_s
        self._lock = asyncio.Lock()
        self._proven_until_s = -math.inf
        self._calm_until_s = -math.inf
        self._rounds = 0
        self._is_one_left = False
        self._doubtful: set[str] = set()
        self._bad_alone: set[str] = set()
        self._refusal: LoginFailed | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """
        A login may be made in here.
        """
        await self._lock.acquire()
        is_shared = asyncio.get_running_loop().time() < self._proven_until_s
        if is_shared:
            self._lock.release()
        try:
            yield
        finally:
            if not is_shared:
                self._lock.release()

    def refusal_of(self, account: str) -> LoginFailed | None:
        """
        What another account was told, when this one had better not try now; the time left is in it.
        """
        left_s = self._calm_until_s - asyncio.get_running_loop().time()
        if self._refusal is None or left_s <= 0:
            return None
        if self._is_one_left and account not in self._doubtful:
            return None
        return replace(self._refusal, retry_after_s=left_s)

    def note_success(self, account: str) -> None:
        """
        The secret is good.
        """
        self._bad_alone |= self._doubtful
        self._bad_alone.discard(account)
        self._doubtful.clear()
        self._rounds, self._refusal = 0, None
        self._calm_until_s = -math.inf
        self._proven_until_s = asyncio.get_running_loop().time() + self._calm_s

    def note_refusal(self, account: str, failed: LoginFailed) -> None:
        """
        The identity service refused a login.
        """
        if account in self._bad_alone:
            return
        now_s = asyncio.get_running_loop().time()
        self._doubtful.add(account)
        self._refusal, self._proven_until_s = failed, -math.inf
        self._is_one_left = now_s >= self._calm_until_s
        if self._is_one_left:
            self._rounds += 1
            self._calm_until_s = now_s + refused_wait_s(self._rounds, self._calm_s)


class UserRecords:
    """
    The records of all users and application credentials of this process.

    Attributes:
        calm_s: see UserRecord.
    """

    def __init__(self, calm_s: float = 60.0) -> None:
        self.calm_s = calm_s
        self._records: dict[bytes, UserRecord] = {}

    def of(self, credentials: PasswordCredentials | ApplicationCredentials) -> UserRecord:
        """
        The record of an identity with its secret as it is now, whatever the project; another secret is another one.

        Raises:
            SecretUnreadable: the secret's file cannot be read.
        """
        who = replace(credentials, project=None) if isinstance(credentials, PasswordCredentials) else credentials
        # Hashed, so that no secret is kept longer than it is used.
        name = hashlib.sha256(b"%b\n%b" % (credentials.iam_url.encode(), login_body(who))).digest()
        return self._records.setdefault(name, UserRecord(self.calm_s))
