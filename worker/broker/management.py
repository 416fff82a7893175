"""
Asks RabbitMQ's management API what AMQP does not tell; it only ever reads.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from worker.errors import VpnWorkerError

_TIMEOUT_S = 10.0
_AT_ONCE = 4
_WORDS_LIMIT = 200


class ManagementUnusable(VpnWorkerError):  # noqa: N818 - named for what the operator sees
    """
    RabbitMQ's management API cannot be used; check VPN_WORKER_MANAGEMENT_URL.
    """

    exit_code = 3


class Management:
    """
    The API for one virtual host.

    Args:
        session: logged in.
        base: of the API, with a slash at its end.
        vhost: whose queues.
    """

    def __init__(self, session: aiohttp.ClientSession, base: URL, vhost: str) -> None:
        self._session = session
        self._base = base
        self._vhost = quote(vhost, safe="")
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def queue(self, name: str) -> dict[str, Any] | None:
        """
        What it knows of a queue; None when there is none.
        """
        found = await self._get(f"api/queues/{self._vhost}/{quote(name, safe='')}")
        return found if isinstance(found, dict) else None

    async def exchange(self, name: str) -> dict[str, Any] | None:
        """
        What it knows of an exchange; None when there is none.
        """
        found = await self._get(f"api/exchanges/{self._vhost}/{quote(name, safe='')}")
        return found if isinstance(found, dict) else None

    async def bindings_from(self, exchange: str) -> list[dict[str, Any]]:
        """
        Where an exchange sends messages to.
        """
        found = await self._get(f"api/exchanges/{self._vhost}/{quote(exchange, safe='')}/bindings/source")
        return found if isinstance(found, list) else []

    async def bindings_of(self, queue: str) -> list[dict[str, Any]]:
        """
        Where a queue gets messages from.
        """
        found = await self._get(f"api/queues/{self._vhost}/{quote(queue, safe='')}/bindings")
        return found if isinstance(found, list) else []

    async def alarms(self) -> list[str]:
        """
        The alarms that are on anywhere in the cluster: "memory at rabbit@one".
        """
        found = await self._get("api/health/checks/alarms", also=(503,))
        rows = found.get("alarms") if isinstance(found, dict) else None
        return [
            f"{row.get('resource', 'something')} at {row.get('node', 'a node')}"
            for row in rows or ()
            if isinstance(row, Mapping)
        ]

    async def _get(self, path: str, also: tuple[int, ...] = ()) -> Any:
        url = self._base.join(URL(path, encoded=True))
        shown = f"{url.host}:{url.port}"
        try:
            async with self._room, self._session.get(url) as answer:
                status, body = answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise ManagementUnusable(
                f"RabbitMQ's management API at {shown} does not answer ({_words(exc)}); "
                "check VPN_WORKER_MANAGEMENT_URL, and that the plugin rabbitmq_management is enabled."
            ) from exc
        if status in {401, 403}:
            raise ManagementUnusable(
                f"RabbitMQ's management API at {shown} does not let us look (HTTP {status}): check user and password; "
                "the user needs the tag management, and permissions in the virtual host, be they empty ones."
            )
        if status == 404:
            return None
        if status != 200 and status not in also:
            raise ManagementUnusable(f"RabbitMQ's management API at {shown} answers with HTTP {status}.")
        try:
            return json.loads(body)
        except ValueError as exc:
            raise ManagementUnusable(
                f"What answers at {shown} is no management API of RabbitMQ; check VPN_WORKER_MANAGEMENT_URL."
            ) from exc


@asynccontextmanager
async def open_management(management_url: str, amqp_url: str) -> AsyncIterator[Management]:
    """
    The API for as long as it is open; nothing is asked yet.

    Args:
        management_url: with user and password.
        amqp_url: tells the virtual host, and whom to trust when the API speaks https.
    """
    url, amqp = URL(management_url), URL(amqp_url)
    session = aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
        connector=aiohttp.TCPConnector(ssl=await asyncio.to_thread(_trust, amqp) if url.scheme == "https" else True),
        headers={
            "Authorization": aiohttp.encode_basic_auth(url.user or "guest", url.password or "", encoding="utf-8"),
            "User-Agent": "vpn-worker",
        },
    )
    async with session:
        yield Management(session, _base(url), vhost_of(amqp_url))


def vhost_of(amqp_url: str) -> str:
    """
    The virtual host that a URL leads to.
    """
    url = URL(amqp_url)
    # As aiormq reads it: "/" for an empty path as for a lone slash.
    return "/" if url.path in {"", "/"} else url.path[1:].replace("%2F", "/")


def _base(url: URL) -> URL:
    path = url.path if url.path.endswith("/") else f"{url.path}/"
    return url.with_user(None).with_path(path)


def _trust(amqp: URL) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if amqp.scheme == "amqps" and (ca_file := amqp.query.get("cafile")):
        context.load_verify_locations(cafile=ca_file)
    return context


def _words(exc: BaseException) -> str:
    # What is no HTTP is quoted by the library over several lines.
    return " ".join(str(exc).split())[:_WORDS_LIMIT] or type(exc).__name__
