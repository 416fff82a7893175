"""
What people may do from the console's page: replay dead letters, resolve requests in doubt. One at a time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any

import structlog
from aiohttp import web

from worker.console.asking import Letters
from worker.console.guard import SESSION, Refusal, answer
from worker.console.parts import Parts
from worker.core.amending import Again, Leave
from worker.core.letters import LetterFilter
from worker.replaying import Replayer, ReplayOrder
from worker.resolving import Resolution, Resolver

log = structlog.get_logger()

_MOST = 500
_RATE_PER_S = 100.0
_LIMIT_S = 60.0


class Actions:
    """
    What changes something; each is logged with who did it.

    Args:
        parts: of the worker.
        letters: to be read anew after it.
    """

    def __init__(self, parts: Parts, letters: Letters) -> None:
        self._parts = parts
        self._letters = letters
        self._busy = asyncio.Lock()

    async def replay(self, request: web.Request) -> web.Response:
        """
        Has the requests of some letters done again: those named, or up to 500 of a reason.
        """
        wanted = _wanted(await _body(request))
        replayed: list[dict[str, object]] = []
        left: list[dict[str, object]] = []
        async with self._alone(request, "replay"), AsyncExitStack() as stack:
            resender = await stack.enter_async_context(self._parts.resender())
            letters = await stack.enter_async_context(self._parts.letters())
            replayer = Replayer(letters, resender, self._parts.ledger, self._parts.clock)
            order = ReplayOrder(wanted, Again(self._parts.deadline_s), rate_per_s=_RATE_PER_S, limit=_MOST)
            async for one in await stack.enter_async_context(aclosing(replayer.run(order))):
                told: dict[str, object] = {"letter": one.letter.id, "request": one.asked.id}
                match one.step:
                    case Leave(why=why):
                        left.append(told | {"why": why})
                    case _:
                        replayed.append(told)
        log.info("console.replayed", letters=len(replayed), left=len(left), **_who(request))
        return answer({"replayed": replayed, "left": left, "is_cut": len(replayed) == _MOST})

    async def resolve(self, request: web.Request) -> web.Response:
        """
        Says what became of a request in doubt.
        """
        body = await _body(request)
        resolution = Resolution(_text(body, "request"), _text(body, "source"), _optional(body, "created"))
        is_asking = resolution.service_id is not None and body.get("unchecked") is not True
        parts = self._parts
        async with self._alone(request, "resolve"), parts.letters() as letters:
            resolver = Resolver(letters, parts.ledger, parts.follows, parts.teller, parts.clock, parts.following)
            resolved = await resolver.resolve(resolution, parts.cloud if is_asking else None)
        job = resolved.job
        log.info("console.resolved", request_id=job.key.id, service_id=job.service_id, **_who(request))
        words = f"created, service {job.service_id}" if job.service_id else "not created"
        return answer({
            "request": job.key.id,
            "state": job.outcome.kind.value if job.outcome else None,
            "service": job.service_id,
            "words": f"{words}; its event is told",
        })  # fmt: skip

    @asynccontextmanager
    async def _alone(self, request: web.Request, action: str) -> AsyncIterator[None]:
        if self._busy.locked():
            raise Refusal(409, "Another action is under way.", "try again when it has ended")
        async with self._busy:
            log.info("console.asked", action=action, **_who(request))
            try:
                async with asyncio.timeout(_LIMIT_S):
                    yield
            finally:
                self._letters.forget()


def _who(request: web.Request) -> dict[str, object]:
    return {"session": request[SESSION].name, "address": request.remote}


async def _body(request: web.Request) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise Refusal(400, "The body must be JSON, and say so in its Content-Type.")
    try:
        body: Any = json.loads(await request.text())
    except (ValueError, RecursionError):
        raise Refusal(400, "The body is no JSON.") from None
    if not isinstance(body, dict):
        raise Refusal(400, "The body must be a JSON object.")
    return body


def _wanted(body: dict[str, Any]) -> LetterFilter:
    ids, reason = body.get("letters"), body.get("reason")
    if (ids is None) == (reason is None):
        raise Refusal(400, "Give either letters or a reason.")
    if reason is not None:
        if not isinstance(reason, str) or not reason:
            raise Refusal(400, "reason must be one of those that the letters have.")
        return LetterFilter(reason=reason)
    if not isinstance(ids, list) or not 0 < len(ids) <= _MOST or not all(isinstance(one, str) for one in ids):
        raise Refusal(400, f"letters must be 1 to {_MOST} ids.")
    return LetterFilter(letters=frozenset(ids))


def _text(body: dict[str, Any], name: str) -> str:
    text = body.get(name)
    if not isinstance(text, str) or not text:
        raise Refusal(400, f"{name} must be given.")
    return text


def _optional(body: dict[str, Any], name: str) -> str | None:
    text = body.get(name)
    if text is not None and (not isinstance(text, str) or not text.strip()):
        raise Refusal(400, f"{name} must be an id, or null.")
    return None if text is None else text.strip()
