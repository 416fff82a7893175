"""
HTTP to the cloud: one pool of connections, TLS, proxy and timeouts; whatever the network does is a value.
"""

from __future__ import annotations

import asyncio
import ssl
import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Self
from urllib.request import (  # type: ignore[attr-defined]  # typeshed knows proxy_bypass_environment on macOS alone
    getproxies_environment,
    proxy_bypass_environment,
)

import aiohttp
from yarl import URL

from worker.cloud.call import CONTENT_TYPE, Call
from worker.cloud.options import TransportOptions
from worker.cloud.reply import NoReply, Reply
from worker.cloud.silence import Progress, no_reply
from worker.facts import note
from worker.facts.calls import ApiRequestEnded
from worker.tracing import calling

#: A token comes in a header, and one that has its catalog inside needs more than the library's 8 KiB.
_HEADER_LIMIT = 64 * 1024


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
            connector=aiohttp.TCPConnector(limit=options.connections, ssl=tls_context(options)),
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
        The answer to a call, or why there is none. Follows no redirects and reads no more than the call allows.
        """
        assert self._session is not None, "use the transport as a context manager"  # noqa: S101
        proxy = self._proxy_of(call.url)
        if isinstance(proxy, NoReply):
            return proxy
        if not all(map(_is_writable, call.headers.values())):
            words = "A header of the request cannot be written; check the credentials for odd characters."
            return NoReply(is_sent=False, words=words, config_fault="request_unwritable")
        request_id = f"req-{uuid.uuid4()}"
        # Neutron takes the id under its own name (oslo.middleware, global request id), gateways under the other.
        headers = {"X-Request-Id": request_id, "X-Openstack-Request-Id": request_id, **call.headers}
        # Traces add headers that no signature covers: it names those that it does (cloud API family, AK/SK).
        with calling(call.method, call.url, headers, template=call.template, resends=call.resends):
            reply = await self._exchange(call, headers, proxy)
        return replace(reply, request_id=request_id) if isinstance(reply, NoReply) and reply.is_sent else reply

    async def _exchange(self, call: Call, headers: Mapping[str, str], proxy: URL | None) -> Reply | NoReply:
        assert self._session is not None  # noqa: S101 - looked at in `send`
        progress = Progress()
        began_s, status, error = time.perf_counter(), None, None
        try:
            async with self._session.request(
                call.method,
                _unambiguous(call.url),
                data=call.body or None,
                headers=headers,
                allow_redirects=False,  # a 302 would turn the POST into a GET
                proxy=proxy,
                trace_request_ctx=progress,
            ) as response:
                status = response.status
                return Reply(response.status, response.headers, await _read_capped(response, call.most_bytes), call)
        except (aiohttp.ClientError, ValueError, OSError, asyncio.IncompleteReadError) as exc:
            # An answer that breaks off is none, whatever its first line said.
            status, error = None, type(exc).__name__
            return no_reply(exc, progress, self._options, call)
        finally:
            note(ApiRequestEnded(call.target, call.method, status, time.perf_counter() - began_s, error))

    def has_proxy(self, url: URL) -> bool:
        """
        Whether calls to a URL go through a proxy.
        """
        return self._proxy_of(url) is not None

    def _proxy_of(self, url: URL) -> URL | NoReply | None:
        origin = (url.scheme, url.raw_authority)
        if origin not in self._proxies:
            self._proxies[origin] = _proxy_for(url, self._environment)
        return self._proxies[origin]


async def _note_sent(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    # aiohttp raises the same exceptions whether or not the server read the request; this tells them apart.
    context.trace_request_ctx.is_sent = True


async def _note_connected(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    context.trace_request_ctx.is_new_connection = True


def tls_context(options: TransportOptions) -> ssl.SSLContext | bool:
    """
    Whom to trust, and who we are; True for the library's own idea of it.

    Raises:
        OSError, ssl.SSLError: a certificate file cannot be read.
    """
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


async def _read_capped(response: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > most_bytes:
            raise aiohttp.ClientPayloadError(f"the answer is longer than {most_bytes} bytes")
    return bytes(body)
