"""
Workers with a console, and who speaks to it.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.e2e.conftest import cloud, eventually, shop, start_cloud, start_worker, topology, unacked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.e2e.conftest import StartWorker, WorkerProcess
    from worker.simulator import Simulator

__all__ = ["cloud", "shop", "start_cloud", "start_worker", "topology", "unacked"]

TOKEN = "a-token-that-nobody-guesses"


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What the console said.
    """

    status: int
    headers: Any
    text: str
    data: Any


class Client:
    """
    A program, or a page without a browser, that speaks to a worker's console.
    """

    def __init__(self, worker: WorkerProcess, url: str, session: aiohttp.ClientSession) -> None:
        self.worker = worker
        self.url = url
        self.session = session
        self.csrf = ""

    async def get(self, path: str, *, headers: dict[str, str] | None = None, **query: str) -> Answer:
        return await self._ask("GET", path, params=query, headers=headers or {})

    async def post(self, path: str, body: object = None, *, headers: dict[str, str] | None = None) -> Answer:
        """
        As the page posts: with the session's own CSRF token.
        """
        if not self.csrf:
            self.csrf = (await self.get("/api/session")).data["csrf"]
        return await self._ask("POST", path, json=body, headers={"X-CSRF-Token": self.csrf} | (headers or {}))

    async def log_in(self, token: str = TOKEN) -> Answer:
        return await self._ask("POST", "/login", data={"token": token}, headers={"Accept": "application/json"})

    async def until(self, claim: Callable[[Any], bool], what: str, path: str = "/api/now", **query: str) -> Any:
        """
        What a call said, once the claim is true of it.
        """
        said: Any = None

        async def is_so() -> bool:
            nonlocal said
            answer = await self.get(path, headers=None, **query)
            said = answer.data
            return answer.status == 200 and claim(said)

        await eventually(is_so, what, 25.0)
        return said

    async def _ask(self, method: str, path: str, **more: Any) -> Answer:
        async with self.session.request(method, f"{self.url}/console{path}", allow_redirects=False, **more) as response:
            text = await response.text()
            data = await response.json() if response.content_type == "application/json" else None
            return Answer(response.status, response.headers, text, data)


@pytest.fixture
async def start_console(start_worker: StartWorker) -> AsyncIterator[Callable[..., Awaitable[Client]]]:
    """
    Starts workers with a console; each client has a cookie jar of its own.
    """
    async with AsyncExitStack() as stack:

        async def start(api_url: str, **settings: object) -> Client:
            worker = await start_worker(api_url, http_port=0, **({"console": "on"} | settings))
            jar = aiohttp.CookieJar(unsafe=True)
            session = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar))
            return Client(worker, await worker.http_url(), session)

        yield start


@pytest.fixture
async def console(start_console: Callable[..., Awaitable[Client]], cloud: Simulator) -> Client:
    """
    A worker's console without a token.
    """
    return await start_console(cloud.url)
