"""
What the console's page asks: live numbers, requests, one request with its history, dead letters.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import time
from collections import Counter
from contextlib import aclosing
from datetime import datetime
from typing import Any

from aiohttp import web

from messages.attributes import time_of
from worker.console.guard import Refusal, answer
from worker.console.parts import Parts
from worker.core.amending import REPLAY_LIMIT
from worker.core.letters import DeadLetter
from worker.core.records import OPEN_STATES, STATES, Position, RecordFilter
from worker.shown.letters import letter_row
from worker.shown.records import facts_of, row_of

_LIMIT, _MOST = 50, 200
_LETTERS = 500
_LETTERS_KEPT_S = 3.0
_LETTERS_LIMIT_S = 15.0
_TEXT = 300


class Letters:
    """
    The dead letters as the page sees them: the oldest ones, read one reader at a time, and kept for a moment.

    Reading hides letters from everybody else as long as it lasts; so it is short, bounded, and done only when asked.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._reading = asyncio.Lock()
        self._read: list[DeadLetter] = []
        self._is_cut = False
        self._read_at = float("-inf")

    async def read(self) -> tuple[list[DeadLetter], bool]:
        """
        Up to 500 of them, and whether there were more.
        """
        async with self._reading:
            if time.monotonic() > self._read_at + _LETTERS_KEPT_S:
                async with asyncio.timeout(_LETTERS_LIMIT_S):
                    await self._read_anew()
                self._read_at = time.monotonic()
            return self._read, self._is_cut

    def forget(self) -> None:
        """
        Has them read anew: something was done about them.
        """
        self._read_at = float("-inf")

    async def _read_anew(self) -> None:
        read: list[DeadLetter] = []
        self._is_cut = False
        async with self._parts.letters() as letters, aclosing(letters.read()) as each:
            async for letter in each:
                if len(read) == _LETTERS:
                    self._is_cut = True
                    break
                read.append(letter)
        self._read = read


async def list_requests(request: web.Request, parts: Parts) -> web.Response:
    """
    A page of requests, the newest first.
    """
    limit = _limit(request)
    text = request.query.get("q", "").strip()
    wanted, before = _wanted(request), _place(request.query.get("before"))
    if text:
        _check_text(text)
        records = await parts.records.search(text, wanted, limit, before)
    else:
        records = await parts.records.newest(wanted, limit, before)
    return answer({
        "requests": [row_of(record) for record in records],
        "next": _cursor(records[-1].place) if len(records) == limit else None,
        "searched": ["request", "order", "service", "tenant", "router"] if text else [],
    })  # fmt: skip


async def show_request(request: web.Request, parts: Parts) -> web.Response:
    """
    Everything about one request.
    """
    request_id, source = request.query.get("id", ""), request.query.get("source")
    _check_text(request_id)
    found = await parts.records.of_request(request_id, source or None)
    if not found:
        raise Refusal(
            404, f"The ledger has no request {request_id}.", "what was rejected is among the dead letters alone"
        )
    if len(found) > 1:
        raise Refusal(409, f"Several sources used the id {request_id}.", "say which: " + ", ".join(_sources(found)))
    record, now = found[0], parts.clock.now()
    told = facts_of(record, now)
    return answer({"request": told, "history": told.pop("history")})


async def list_letters(request: web.Request, letters: Letters) -> web.Response:
    """
    The dead letters, and how many there are for each reason.
    """
    reason = request.query.get("reason") or None
    limit = _limit(request)
    read, is_cut = await letters.read()
    counts = Counter(letter.reason for letter in read)
    meant = [letter for letter in read if reason in {None, letter.reason}]
    return answer({
        "read": len(read),
        "is_cut": is_cut,
        "reasons": [{"reason": one, "count": count} for one, count in counts.most_common()],
        "total": len(meant),
        "letters": [_letter(letter) for letter in meant[:limit]],
    })  # fmt: skip


def _letter(letter: DeadLetter) -> dict[str, object]:
    row = letter_row(letter)
    return {
        "id": letter.id,
        **{name: row[name] for name in ("reason", "died_at", "request", "source", "router", "attempts", "replays")},
        "error": letter.last_error,
        "may_replay": letter.reason != "foreign" and letter.replays < REPLAY_LIMIT,
        "may_resolve": letter.reason == "in_doubt" and row["request"] is not None,
    }


def _wanted(request: web.Request) -> RecordFilter:
    state = request.query.get("state") or None
    if state is not None and state not in {*STATES, "open"}:
        raise Refusal(400, f"There is no state {state}.", f"one of open, {', '.join(STATES)}")
    states = frozenset() if state is None else frozenset(OPEN_STATES if state == "open" else (state,))
    since = request.query.get("since") or None
    return RecordFilter(
        states=states,
        since=None if since is None else _moment(since, "since"),
        is_followed=request.query.get("followed", "") in {"1", "true"},
    )


def _limit(request: web.Request) -> int:
    text = request.query.get("limit", str(_LIMIT))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= _MOST:
        raise Refusal(400, f"limit must be a number from 1 to {_MOST}.")
    return int(text)


def _check_text(text: str) -> None:
    if not 0 < len(text) <= _TEXT:
        raise Refusal(400, f"Give 1 to {_TEXT} characters.")


def _moment(text: str, name: str) -> datetime:
    moment = time_of(text)
    if moment is None:
        raise Refusal(400, f"{name} must be a time such as 2026-01-31T12:00:00Z.")
    return moment


def _cursor(place: Position) -> str:
    told = json.dumps([place.recorded_at.isoformat(), place.source, place.id])
    return base64.urlsafe_b64encode(told.encode()).decode()


def _place(cursor: str | None) -> Position | None:
    if not cursor:
        return None
    try:
        read: Any = json.loads(base64.urlsafe_b64decode(cursor))
        recorded_at, source, request_id = read
        place = Position(datetime.fromisoformat(recorded_at), str(source), str(request_id))
    except (ValueError, TypeError, binascii.Error):
        raise Refusal(400, "before must be what `next` said.") from None
    if place.recorded_at.tzinfo is None:
        raise Refusal(400, "before must be what `next` said.")
    return place


def _sources(found: Any) -> list[str]:
    return [record.job.key.source for record in found]
