"""
Calls to the cloud's VPN service API; whatever the network does becomes an answer.
"""

from __future__ import annotations

import asyncio
import ssl
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import Self

import aiohttp
from yarl import URL

from worker.cloud.classify import Class, classify, classify_look
from worker.cloud.wire import Fault, one_line, read_fault, read_service, read_services, to_code
from worker.core.answers import (
    LEFTOVER,
    Busy,
    Conflict,
    CreateAnswer,
    Created,
    ListAnswer,
    Listed,
    Misconfigured,
    Refused,
    Service,
    Throttled,
    Trouble,
    Unknown,
)

_PATH = "/v2.0/vpn/vpnservices"  # doc: URI
_CREATED = frozenset({200, 201, 202})
_BODY_LIMIT = 1024 * 1024
_PAGE_LIMIT = 100
_WORDS_LIMIT = 300
#: The longest wait that is believed: a date in the wrong century must not stop the worker.
_RETRY_AFTER_LIMIT_S = 3600.0
_REQUEST_ID_HEADERS = ("X-Request-Id", "X-Openstack-Request-Id")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    Where the cloud is and how long to wait for it.

    Attributes:
        url: scheme and host, with a path prefix if the cloud has one.
        token: sent as X-Auth-Token; None sends none.
        total_timeout_s: for one call. A real Neutron needed 6 s with 100 calls at once; 30 s is right (measured).
        connect_timeout_s: for the connection alone.
        connections: how many to keep at most.
        user_agent: who we say we are.
    """

    url: str
    token: str | None = None
    total_timeout_s: float = 30.0
    connect_timeout_s: float = 5.0
    connections: int = 100
    user_agent: str = "vpn-worker"


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def request_id(self) -> str | None:
        return to_code(next((self.headers[name] for name in _REQUEST_ID_HEADERS if name in self.headers), None))

    def fault(self) -> Fault:
        return read_fault(self.status, self.body, self.request_id)


@dataclass(frozen=True, slots=True)
class _NoReply:
    """
    No HTTP answer.

    Attributes:
        is_sent: whether the cloud can have seen the request.
        words: why there is none.
        config_fault: our code, when every request would fare alike until somebody mends a setting.
    """

    is_sent: bool
    words: str
    config_fault: str | None = None


class CloudClient:
    """
    The cloud's API over one keep-alive connection pool. Use as an async context manager.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._base = URL(endpoint.url.rstrip("/") + _PATH)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_note_sent)
        headers = {"User-Agent": self._endpoint.user_agent, "Accept": "application/json"}
        if self._endpoint.token:
            headers["X-Auth-Token"] = self._endpoint.token
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._endpoint.connections),
            timeout=aiohttp.ClientTimeout(
                total=self._endpoint.total_timeout_s, sock_connect=self._endpoint.connect_timeout_s
            ),
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=True,
            trust_env=True,
            trace_configs=[trace],
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def create(self, body: bytes) -> CreateAnswer:
        """
        See Cloud.create.
        """
        reply = await self._call("POST", self._base, body)
        if isinstance(reply, _NoReply):
            return _unanswered_create(reply)
        if reply.status in _CREATED:
            service = read_service(reply.body)
            if service is not None:
                return Created(service, reply.request_id)
            words = "The cloud reported success without a service id."
            return Unknown(Trouble("no_service_id", words, reply.status, None, reply.request_id))
        return _refused_create(reply)

    async def list_services(self, router_id: str) -> ListAnswer:
        """
        See Cloud.list_services.
        """
        url = self._base.with_query(router_id=router_id)
        services: list[Service] = []
        for _ in range(_PAGE_LIMIT):
            reply = await self._call("GET", url, None)
            if isinstance(reply, _NoReply):
                return _unanswered_look(reply)
            page = read_services(reply.body) if reply.status == 200 else None
            if page is None:
                return _failed_look(reply)
            services.extend(page[0])
            if page[1] is None:
                return Listed(tuple(services))
            try:
                url = self._next_page(page[1])
            except ValueError:
                return Busy(Trouble("look_failed", "The cloud's link to the next page cannot be read.", 200))
        return Busy(Trouble("look_failed", f"The list of router {router_id} has more than {_PAGE_LIMIT} pages."))

    async def show(self, service_id: str) -> Service | ListAnswer:
        """
        One service by its id, or Listed(()) when the cloud answers 404, or why it could not be shown.
        """
        reply = await self._call("GET", self._base / service_id, None)
        if isinstance(reply, _NoReply):
            return _unanswered_look(reply)
        if reply.status == 404:
            return Listed(())
        service = read_service(reply.body) if reply.status == 200 else None
        return service or _failed_look(reply)

    def _next_page(self, href: str) -> URL:
        # Only the query of a link is used: credentials never follow a link to another host.
        return self._base.with_query(URL(href).query)

    async def _call(self, method: str, url: URL, body: bytes | None) -> _Reply | _NoReply:
        assert self._session is not None, "use the client as a context manager"  # noqa: S101
        sent = SimpleNamespace(is_sent=False)
        try:
            async with self._session.request(
                method,
                url,
                data=body,
                headers={"Content-Type": "application/json", "X-Request-Id": f"req-{uuid.uuid4()}"},
                allow_redirects=False,  # a 302 would turn the POST into a GET
                trace_request_ctx=sent,
            ) as response:
                return _Reply(response.status, response.headers, await _read_capped(response))
        except aiohttp.ClientConnectorCertificateError as exc:
            return _NoReply(is_sent=False, words=_words(exc), config_fault="certificate_refused")
        except ValueError as exc:
            # A header or URL that cannot be written. Its words may hold the secret that is wrong.
            words = f"{type(exc).__name__}: the request cannot be written; check the token and the URL"
            return _NoReply(is_sent=sent.is_sent, words=words, config_fault="request_unwritable")
        except (aiohttp.ClientError, TimeoutError, OSError, ssl.SSLError, asyncio.IncompleteReadError) as exc:
            return _NoReply(is_sent=sent.is_sent, words=_words(exc))


async def _note_sent(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    # aiohttp raises the same exceptions whether or not the server read the request; this tells them apart.
    context.trace_request_ctx.is_sent = True


async def _read_capped(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _BODY_LIMIT:
            raise aiohttp.ClientPayloadError(f"the answer is longer than {_BODY_LIMIT} bytes")
    return bytes(body)


def _words(exc: BaseException) -> str:
    return one_line(f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__, _WORDS_LIMIT)


def _unanswered_create(reply: _NoReply) -> CreateAnswer:
    if reply.is_sent:
        return Unknown(Trouble("answer_lost", f"The request was sent and no answer came. {reply.words}"))
    if reply.config_fault:
        return Misconfigured(Trouble(reply.config_fault, f"Nothing was sent. {reply.words}"))
    trouble = Trouble("unreachable", f"The cloud could not be reached; nothing was sent. {reply.words}")
    return Busy(trouble, was_sent=False)


def _unanswered_look(reply: _NoReply) -> Busy | Misconfigured:
    if reply.config_fault:
        return Misconfigured(Trouble(reply.config_fault, f"Nothing was sent. {reply.words}"))
    return Busy(Trouble("look_failed", f"The look-up had no answer. {reply.words}"))


def _trouble(fault: Fault, code: str) -> Trouble:
    return Trouble(code, fault.message, fault.http_status, fault.api_code, fault.request_id)


def _refused_create(reply: _Reply) -> CreateAnswer:
    fault = reply.fault()
    means, code = classify(fault)
    trouble = _trouble(fault, code)
    match means:
        case Class.REFUSED:
            return Refused(trouble, names_leftover=code == LEFTOVER)
        case Class.BUSY:
            return Busy(trouble, retry_after_s(reply.headers.get("Retry-After")))
        case Class.THROTTLED:
            return Throttled(trouble, retry_after_s(reply.headers.get("Retry-After")))
        case Class.CONFLICT:
            return Conflict(trouble)
        case Class.UNKNOWN:
            return Unknown(trouble)
        case Class.CREDENTIALS | Class.MISCONFIGURED:
            return Misconfigured(trouble)


def _failed_look(reply: _Reply) -> Busy | Throttled | Misconfigured:
    if reply.status == 200:
        return Busy(Trouble("look_failed", "The cloud's list could not be read.", 200, None, reply.request_id))
    fault = reply.fault()
    means, code = classify_look(fault)
    trouble = _trouble(fault, code)
    if means is Class.BUSY:
        return Busy(trouble, retry_after_s(reply.headers.get("Retry-After")))
    if means is Class.THROTTLED:
        return Throttled(trouble, retry_after_s(reply.headers.get("Retry-After")))
    return Misconfigured(trouble)


def retry_after_s(text: str | None, now: datetime | None = None) -> float | None:
    """
    Seconds that a Retry-After header asks for, in either of its forms (RFC 9110, 10.2.3).

    Returns:
        0 to 3600; None when there is no header or it makes no sense.
    """
    asked_s = None if text is None else _asked_s(text.strip(), now or datetime.now(UTC))
    return None if asked_s is None else min(max(0.0, asked_s), _RETRY_AFTER_LIMIT_S)


def _asked_s(text: str, now: datetime) -> float | None:
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
        return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, OverflowError):
        return None
