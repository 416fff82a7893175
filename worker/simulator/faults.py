"""
What can go wrong: one row of `KINDS` and one small function for each fault.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson
from aiohttp import web

from worker.simulator.call import Call
from worker.simulator.fault_rule import FaultRule

HTML_500 = b"<html><head><title>500 Internal Server Error</title></head><body><h1>500</h1></body></html>"
NOT_JSON = b"Thank you for your order. It is being looked after."
SLOW_S = 5.0
LATE_S = 1.0


@dataclass(frozen=True, slots=True)
class FaultKind:
    """
    One kind of fault.

    Attributes:
        name: what people call it.
        does: what it does, for people.
        run: answers, or does not answer, the call it struck.
        options: keys of the rule that it reads, besides those every rule has.
        is_for_create_only: strikes no other call.
    """

    name: str
    does: str
    run: Callable[[Call, FaultRule], Awaitable[web.StreamResponse]]
    options: frozenset[str] = frozenset()
    is_for_create_only: bool = False


def _retry_headers(rule: FaultRule, default: str | None) -> dict[str, str]:
    value = rule.options.get("retry_after", default)
    return {} if value is None else {"Retry-After": str(value)}


async def _throttle(call: Call, rule: FaultRule) -> web.StreamResponse:
    return call.refuse("throttled", headers=_retry_headers(rule, "1"))


async def _error_500(call: Call, _rule: FaultRule) -> web.StreamResponse:
    return call.refuse("server_error")


async def _error_503(call: Call, rule: FaultRule) -> web.StreamResponse:
    return call.refuse("unavailable", headers=_retry_headers(rule, None))


async def _html_500(call: Call, _rule: FaultRule) -> web.StreamResponse:
    return call.send(500, HTML_500, content_type="text/html")


async def _answer(call: Call, rule: FaultRule) -> web.StreamResponse:
    status = rule.options.get("status", 400)
    body = rule.options.get("body", "")
    data = body.encode() if isinstance(body, str) else orjson.dumps(body)
    content_type = "text/plain" if isinstance(body, str) else "application/json"
    headers = _retry_headers(rule, None)
    return call.send(status if isinstance(status, int) else 400, data, content_type=content_type, headers=headers)


async def _slow(call: Call, rule: FaultRule) -> web.StreamResponse:
    await call.wait(rule.seconds("delay_s", SLOW_S))
    return call.proceed()


async def _hang(call: Call, rule: FaultRule) -> web.StreamResponse:
    await call.hang(rule.seconds("delay_s", float("inf")))
    return call.cut()


async def _close(call: Call, _rule: FaultRule) -> web.StreamResponse:
    return call.cut()


async def _commit_then_hang(call: Call, rule: FaultRule) -> web.StreamResponse:
    call.proceed()
    return await _hang(call, rule)


async def _commit_then_close(call: Call, _rule: FaultRule) -> web.StreamResponse:
    call.proceed()
    return call.cut()


async def _commit_then_500(call: Call, _rule: FaultRule) -> web.StreamResponse:
    call.proceed()
    return call.refuse("server_error")


async def _late_commit(call: Call, rule: FaultRule) -> web.StreamResponse:
    call.commit_late(call, rule.seconds("after_s", LATE_S))
    match rule.options.get("then"):
        case "hang":
            return await _hang(call, rule)
        case "close":
            return call.cut()
        case _:
            return call.refuse("server_error")


async def _truncated(call: Call, _rule: FaultRule) -> web.StreamResponse:
    return await call.send_half(call.proceed())


async def _not_json(call: Call, _rule: FaultRule) -> web.StreamResponse:
    return call.send(call.proceed().status, NOT_JSON)


_RETRY_AFTER = frozenset({"retry_after"})
_DELAY = frozenset({"delay_s"})
_LATE = frozenset({"after_s", "delay_s", "then"})
_ANSWER = frozenset({"status", "body", "retry_after"})

KINDS = {
    kind.name: kind
    for kind in (
        # Refused before anything was done.
        FaultKind("throttle", "429 with Retry-After", _throttle, _RETRY_AFTER),
        FaultKind("error_500", "500, nothing done", _error_500),
        FaultKind("error_503", "503, nothing done", _error_503, _RETRY_AFTER),
        FaultKind("html_500", "500 as a web page, nothing done", _html_500),
        FaultKind("answer", "the status and body given, nothing done", _answer, _ANSWER),
        FaultKind("hang", "no answer, nothing done", _hang, _DELAY),
        FaultKind("close", "connection closed, nothing done", _close),
        # Done, and the answer comes late, wrong or never.
        FaultKind("slow", "a wait, then the normal answer", _slow, _DELAY),
        FaultKind("commit_then_hang", "done, no answer", _commit_then_hang, _DELAY),
        FaultKind("commit_then_close", "done, connection closed", _commit_then_close),
        FaultKind("commit_then_500", "done, answered 500", _commit_then_500),
        FaultKind("late_commit", "an error now, the service later", _late_commit, _LATE, is_for_create_only=True),
        FaultKind("truncated", "done, the answer breaks off", _truncated),
        FaultKind("not_json", "done, the answer is no JSON", _not_json),
    )
}
