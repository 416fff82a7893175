"""
HTTP to the cloud: one pool of connections, TLS, proxy and timeouts; whatever the network does is a value.
"""

from __future__ import annotations

import asyncio
import ssl
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Self
from urllib.request import (  # type: ignore[attr-defined]  # typeshed knows proxy_bypass_environment on macOS alone
    getproxies_environment,
    proxy_bypass_environment,
)

import aiohttp
from yarl import URL

from worker.cloud.masking import masked
from worker.cloud.wire import one_line, read_fault, to_code
from worker.core.meanings import Fault

#: Sent with every call, also with those that have no body: it is among the signed headers (cloud API family, AK/SK).
CONTENT_TYPE = "application/json"

_BODY_LIMIT = 1024 * 1024
#: A token comes in a header, and one that has its catalog inside needs more than the library's 8 KiB.
_HEADER_LIMIT = 64 * 1024
_WORDS_LIMIT = 300
#: The longest wait that is believed: a date in the wrong century must not stop the worker.
_RETRY_AFTER_LIMIT_S = 3600.0
#: What the clouds call it in their answers (cloud API family, Errors).
_REQUEST_ID_HEADERS = ("X-Request-Id", "X-Openstack-Request-Id")

_UNTRUSTED = "is signed by an authority unknown here; if it is the right server, set VPN_WORKER_API_CA_FILE"
_OTHER_HOST = "is of another host; check the host name in the URL"
#: What is wrong with a server's certificate, by OpenSSL's verify code (source: openssl/x509_vfy.h).
_CERTIFICATE_WORDS = {
    2: _UNTRUSTED,
    9: "is not valid yet; check this machine's clock",
    10: "has expired; its owner must renew it, or this machine's clock is wrong",
    18: _UNTRUSTED,
    19: _UNTRUSTED,
    20: _UNTRUSTED,
    21: _UNTRUSTED,
    62: _OTHER_HOST,
    64: _OTHER_HOST,
}
_WANTS_OURS = "The server asks for a client certificate; set VPN_WORKER_API_CERT_FILE"
_DISLIKES_OURS = "The server refuses our client certificate; check VPN_WORKER_API_CERT_FILE"
#: What a server says of our certificate, by OpenSSL's reason (source: openssl/sslerr.h; RFC 8446, 6.2). With TLS 1.3
#: it may come after the request was written, but the server has read nothing of it: nothing was done.
_ALERT_WORDS = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _WANTS_OURS,
    "SSLV3_ALERT_BAD_CERTIFICATE": _DISLIKES_OURS,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": _DISLIKES_OURS,
    "SSLV3_ALERT_CERTIFICATE_REVOKED": _DISLIKES_OURS,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _DISLIKES_OURS,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": _DISLIKES_OURS,
    "TLSV1_ALERT_UNKNOWN_CA": _DISLIKES_OURS,
}
#: What else goes wrong before there is a connection, and is no proof of a wrong setting.
_TLS_WORDS = {
    # TLS 1.2 says this for a missing client certificate, and for much else.
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the server broke off the TLS handshake; it may ask for a client certificate"
    " (VPN_WORKER_API_CERT_FILE), or for other TLS versions than ours",
    "WRONG_VERSION_NUMBER": "the server does not speak TLS; check scheme and port of the URL",
}


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """
    How to speak to the cloud.

    Attributes:
        total_timeout_s: for one call, all in all. A real Neutron needed 6 s with 100 calls at once; 30 s is right (measured).
        connect_timeout_s: for the connection alone, TLS included, at each address of the host.
        read_timeout_s: between two pieces of an answer.
        connections: how many to keep at most.
        user_agent: who we say we are.
        ca_file: certificates of the authorities to trust instead of the system's, PEM.
        cert_file: our own certificate, PEM, for clouds that ask for one; with the key unless `key_file` has it.
        key_file: its private key, PEM.
    """

    total_timeout_s: float = 30.0
    connect_timeout_s: float = 5.0
    read_timeout_s: float | None = None
    connections: int = 100
    user_agent: str = "vpn-worker"
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """
    One HTTP call, before it is authenticated.

    Attributes:
        method: GET, POST or DELETE.
        url: with its query.
        body: JSON, or empty.
        headers: beside those that every call has.
    """

    method: str
    url: URL
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


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


class Transport:
    """
    Calls over one keep-alive connection pool. Use as an async context manager.

    Raises:
        OSError, ssl.SSLError: at entry, when a certificate file cannot be read.
    """

    def __init__(self, options: TransportOptions) -> None:
        self._options = options
        self._session: aiohttp.ClientSession | None = None
        self._environment: dict[str, str] = {}
        self._proxies: dict[tuple[str, str], URL | NoReply | None] = {}

    async def __aenter__(self) -> Self:
        options = self._options
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_note_sent)
        trace.on_connection_create_end.append(_note_connected)
        self._environment = getproxies_environment()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=options.connections, ssl=_tls(options)),
            timeout=aiohttp.ClientTimeout(
                total=options.total_timeout_s,
                connect=None,  # waiting for a place in the pool counts to the total alone
                sock_connect=options.connect_timeout_s,
                sock_read=options.read_timeout_s,
            ),
            headers={"User-Agent": options.user_agent, "Accept": "application/json", "Content-Type": CONTENT_TYPE},
            cookie_jar=aiohttp.DummyCookieJar(),
            max_field_size=_HEADER_LIMIT,
            trust_env=False,  # it would read ~/.netrc as well; the proxy is chosen in `_proxy_for`
            trace_configs=[trace],
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, call: Call) -> Reply | NoReply:
        """
        The answer to a call, or why there is none. Follows no redirects and reads at most 1 MiB.
        """
        assert self._session is not None, "use the transport as a context manager"  # noqa: S101
        proxy = self._proxy_of(call.url)
        if isinstance(proxy, NoReply):
            return proxy
        if not all(map(_is_writable, call.headers.values())):
            words = "A header of the request cannot be written; check the credentials for odd characters."
            return NoReply(is_sent=False, words=words, config_fault="request_unwritable")
        request_id = f"req-{uuid.uuid4()}"
        progress = _Progress()
        try:
            async with self._session.request(
                call.method,
                _unambiguous(call.url),
                data=call.body or None,
                # Neutron takes the id under its own name (oslo.middleware, global request id), gateways under the other.
                headers={"X-Request-Id": request_id, "X-Openstack-Request-Id": request_id, **call.headers},
                allow_redirects=False,  # a 302 would turn the POST into a GET
                proxy=proxy,
                trace_request_ctx=progress,
            ) as response:
                return Reply(response.status, response.headers, await _read_capped(response), call)
        except (aiohttp.ClientError, ValueError, OSError, asyncio.IncompleteReadError) as exc:
            missed = _no_reply(exc, progress, self._options, call)
            return replace(missed, request_id=request_id) if missed.is_sent else missed

    def _proxy_of(self, url: URL) -> URL | NoReply | None:
        origin = (url.scheme, url.raw_authority)
        if origin not in self._proxies:
            self._proxies[origin] = _proxy_for(url, self._environment)
        return self._proxies[origin]


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


@dataclass(slots=True)
class _Progress:
    """
    How far a call has come.
    """

    is_sent: bool = False
    is_new_connection: bool = False


async def _note_sent(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    # aiohttp raises the same exceptions whether or not the server read the request; this tells them apart.
    context.trace_request_ctx.is_sent = True


async def _note_connected(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    context.trace_request_ctx.is_new_connection = True


def _tls(options: TransportOptions) -> ssl.SSLContext | bool:
    if options.ca_file is None and options.cert_file is None:
        return True
    context = ssl.create_default_context(cafile=options.ca_file)
    if options.cert_file is not None:
        context.load_cert_chain(options.cert_file, options.key_file)
    return context


def _proxy_for(url: URL, environment: dict[str, str]) -> URL | NoReply | None:
    """
    The proxy that HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY name for a URL, as curl reads them.
    """
    proxy = environment.get(url.scheme) or environment.get("all")
    hosts = (url.host or "", url.host_port_subcomponent or "")
    if proxy is None or any(proxy_bypass_environment(host, environment) for host in hosts):
        return None
    try:
        read = URL(proxy if "://" in proxy else f"http://{proxy}")
    except ValueError:
        read = URL()
    if read.scheme in {"http", "https"} and read.host:
        return read
    words = f"The environment's proxy for {url.scheme} is no http:// URL; correct {url.scheme.upper()}_PROXY."
    return NoReply(is_sent=False, words=words, config_fault="proxy_refused")


def _is_writable(value: str) -> bool:
    # The library would find out as well, but only after it has told that the request is sent.
    return value.isascii() and not ("\n" in value or "\r" in value or "\0" in value)


def _unambiguous(url: URL) -> URL:
    # A space as `+` is read as a space or as a plus; a signature holds for one of them (cloud API family, AK/SK).
    if "+" not in url.raw_query_string:
        return url
    query = url.raw_query_string.replace("+", "%20")
    return URL(f"{url.with_query(None).with_fragment(None)}?{query}", encoded=True)


async def _read_capped(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _BODY_LIMIT:
            raise aiohttp.ClientPayloadError(f"the answer is longer than {_BODY_LIMIT} bytes")
    return bytes(body)


def _no_reply(exc: Exception, progress: _Progress, options: TransportOptions, call: Call) -> NoReply:
    """
    Why a call has no answer, by the type of what the library raised and the codes in it.
    """
    # The innermost: the library's own exceptions are SSLErrors as well, without what OpenSSL said.
    tls = next((one for one in reversed(list(_causes(exc))) if isinstance(one, ssl.SSLError)), None)
    reason = getattr(tls, "reason", None) or ""
    if isinstance(tls, ssl.SSLCertVerificationError):
        wrong = _CERTIFICATE_WORDS.get(tls.verify_code, "is not good")
        words = f"The server's certificate {wrong}. OpenSSL says: {tls.verify_message}"
        return NoReply(is_sent=False, words=one_line(words, _WORDS_LIMIT), config_fault="certificate_refused")
    if reason in _ALERT_WORDS and (progress.is_new_connection or not progress.is_sent):
        words = f"{_ALERT_WORDS[reason]} ({reason})"
        return NoReply(is_sent=False, words=words, config_fault="client_certificate_refused")
    if isinstance(exc, aiohttp.ClientHttpProxyError):
        return _refused_by_proxy(exc.status)
    if isinstance(exc, ValueError):
        # A header or URL that cannot be written. Its words may hold the secret that is wrong.
        words = f"{type(exc).__name__}: the request cannot be written; check the credentials and the URL"
        return NoReply(is_sent=progress.is_sent, words=words, config_fault="request_unwritable")
    # The library quotes what it cannot read.
    words = masked(_words(exc, reason, options), call)
    return NoReply(is_sent=progress.is_sent, words=one_line(words, _WORDS_LIMIT))


def _refused_by_proxy(status: int) -> NoReply:
    """
    The proxy answered our CONNECT with an error: the cloud has seen nothing.
    """
    if status == 407:
        words = "The proxy asks for user and password (407); set them in HTTPS_PROXY."
    else:
        words = f"The proxy does not let us through to the cloud: HTTP {status}."
    is_settings_fault = 400 <= status < 500 and status not in {408, 425, 429}
    return NoReply(is_sent=False, words=words, config_fault="proxy_refused" if is_settings_fault else None)


def _words(exc: Exception, reason: str, options: TransportOptions) -> str:
    if isinstance(exc, aiohttp.ConnectionTimeoutError):
        said = f"no connection within {options.connect_timeout_s:g} s"
    elif isinstance(exc, aiohttp.SocketTimeoutError):
        said = f"no piece of an answer for {options.read_timeout_s:g} s"
    elif isinstance(exc, TimeoutError):
        said = f"no whole answer within {options.total_timeout_s:g} s"
    else:
        said = _TLS_WORDS.get(reason) or str(exc)
    return f"{type(exc).__name__}: {said}" if said else type(exc).__name__


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    while exc is not None:
        yield exc
        exc = exc.__cause__
