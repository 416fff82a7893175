"""
The console as a part of the worker's HTTP port: its pages, files and calls.
"""

from __future__ import annotations

import asyncio
import mimetypes
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from importlib.metadata import version
from importlib.resources import files

from aiohttp import web

from messages.attributes import rfc3339
from worker.console.acting import Actions
from worker.console.asking import Letters, list_letters, list_requests, show_request
from worker.console.guard import LOGIN, SESSION, Refusal, answer, cookie_name, guard, too_many
from worker.console.numbers import STEP_S, Numbers
from worker.console.parts import Parts
from worker.console.sessions import SESSION_S, Sessions, TooManyTries
from worker.facts import hooked
from worker.telemetry.health import Health

PATH = "/console"
_BODY_BYTES = 64 * 1024
_CALL_S = 30.0
_FORM = "application/x-www-form-urlencoded"

Call = Callable[[web.Request], Awaitable[web.Response]]


class Console:
    """
    Answers from the start, and of requests once the worker's parts are there.

    Args:
        health: what `/ready` says.
        token: for the login; None lets everybody in that reaches the port, which is loopback then.
        now: this machine's time, aware UTC.
    """

    def __init__(self, health: Health, token: str | None, now: Callable[[], datetime]) -> None:
        self._health = health
        self._now = now
        self._began_at = now()
        self._sessions = Sessions(token, time.monotonic)
        self._numbers = Numbers(now)
        self._files = _static()
        self._parts: Parts | None = None
        self._letters: Letters | None = None
        self._actions: Actions | None = None

    def app(self) -> web.Application:
        """
        What is to be mounted at PATH.
        """
        needs_login = self._sessions.needs_login
        app = web.Application(
            middlewares=[guard(self._sessions, is_local=not needs_login)], client_max_size=_BODY_BYTES
        )
        app.router.add_get("", self._page)
        app.router.add_get("/", self._page)
        app.router.add_get("/login", self._login_page)
        app.router.add_post("/login", self._log_in)
        app.router.add_post("/logout", self._log_out)
        app.router.add_get("/static/{name}", self._file)
        calls: dict[str, Call] = {
            "session": self._session,
            "now": self._tell_now,
            "requests": lambda request: list_requests(request, self._known()),
            "request": lambda request: show_request(request, self._known()),
            "letters": lambda request: list_letters(request, self._read_letters()),
        }
        for name, call in calls.items():
            app.router.add_get(f"/api/{name}", _limited(call))
        app.router.add_post("/api/replay", lambda request: self._acting().replay(request))
        app.router.add_post("/api/resolve", lambda request: self._acting().resolve(request))
        return app

    @asynccontextmanager
    async def working(self, parts: Parts) -> AsyncIterator[None]:
        """
        Has the parts, and counts, until the context ends.
        """
        self._letters = Letters(parts)
        self._actions = Actions(parts, self._letters)
        self._parts = parts
        with hooked(self._numbers.heed):
            counting = asyncio.create_task(self._count(parts), name="console")
            try:
                yield
            finally:
                self._parts = None
                counting.cancel()
                await asyncio.gather(counting, return_exceptions=True)

    async def _count(self, parts: Parts) -> None:
        while True:
            waiting, dead = await parts.counter.count()
            self._numbers.step(waiting, dead, parts.readings.in_flight())
            await asyncio.sleep(STEP_S)

    async def _page(self, _: web.Request) -> web.Response:
        return self._served("console.html")

    async def _login_page(self, _: web.Request) -> web.Response:
        if not self._sessions.needs_login:
            raise web.HTTPSeeOther(PATH)
        return self._served("login.html")

    async def _file(self, request: web.Request) -> web.Response:
        return self._served(request.match_info["name"])

    def _served(self, name: str) -> web.Response:
        if name not in self._files:
            raise web.HTTPNotFound
        body, kind = self._files[name]
        return web.Response(body=body, content_type=kind, charset="utf-8")

    async def _log_in(self, request: web.Request) -> web.Response:
        if request.content_type != _FORM:
            raise Refusal(400, "The token comes as a form.")
        token = (await request.post()).get("token", "")
        is_page = "text/html" in request.headers.get("Accept", "")
        match self._sessions.log_in(token if isinstance(token, str) else "", request.remote or ""):
            case None if is_page:
                raise web.HTTPSeeOther(f"{LOGIN}?wrong")
            case None:
                raise Refusal(401, "That is not the token.", "it is the value of VPN_WORKER_CONSOLE_TOKEN")
            case TooManyTries(retry_after_s=wait_s) if is_page:
                raise web.HTTPSeeOther(f"{LOGIN}?wait={wait_s:.0f}")
            case TooManyTries(retry_after_s=wait_s):
                raise too_many(wait_s)
            case (secret, _):
                response = web.Response(status=303, headers={"Location": PATH}) if is_page else answer({"ok": True})
                is_tls = request.secure or request.headers.get("X-Forwarded-Proto") == "https"
                response.set_cookie(
                    cookie_name(request),
                    secret,
                    max_age=int(SESSION_S),
                    path=PATH,
                    httponly=True,
                    samesite="Strict",
                    secure=is_tls,
                )
                return response

    async def _log_out(self, request: web.Request) -> web.Response:
        self._sessions.end(request.cookies.get(cookie_name(request)))
        response = answer({"ok": True})
        response.del_cookie(cookie_name(request), path=PATH)
        return response

    async def _session(self, request: web.Request) -> web.Response:
        worker = {
            "version": version("vpn-worker"),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started_at": rfc3339(self._began_at),
        }
        needs_login = self._sessions.needs_login
        return answer({
            "csrf": request[SESSION].csrf, "worker": worker, "may_act": True, "needs_login": needs_login
        })  # fmt: skip

    async def _tell_now(self, _: web.Request) -> web.Response:
        readings = self._known().readings
        return answer({
            "at": rfc3339(self._now()),
            **self._health.report(),
            "paused": readings.paused(),
            "in_flight": readings.in_flight(),
            "concurrency_limit": readings.concurrency_limit(),
            "followed": readings.followed(),
            **self._numbers.told(),
        })  # fmt: skip

    def _known(self) -> Parts:
        if self._parts is None:
            raise Refusal(503, "The worker is starting or stopping.", "wait; /ready says what it is at")
        return self._parts

    def _read_letters(self) -> Letters:
        self._known()
        assert self._letters is not None  # noqa: S101 - set with the parts
        return self._letters

    def _acting(self) -> Actions:
        self._known()
        assert self._actions is not None  # noqa: S101 - set with the parts
        return self._actions


def _limited(call: Call) -> Call:
    async def limited(request: web.Request) -> web.Response:
        async with asyncio.timeout(_CALL_S):
            return await call(request)

    return limited


def _static() -> dict[str, tuple[bytes, str]]:
    """
    The files that are served, by name: read once, so that no name leads anywhere else.
    """
    found = {}
    for file in files("worker.console").joinpath("static").iterdir():
        if file.is_file():
            kind = "text/javascript" if file.name.endswith(".js") else mimetypes.guess_type(file.name)[0]
            found[file.name] = (file.read_bytes(), kind or "application/octet-stream")
    return found
