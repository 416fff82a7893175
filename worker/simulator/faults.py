"""
What can go wrong: one row of `KINDS` and one small function for each fault.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson
from aiohttp import web

from worker.simulator.bodies import FORMS, Said
from worker.simulator.call import Call
from worker.simulator.fault_rule import FaultRule

HTML_500 = b"<html><head><title>500 Internal Server Error</title></head><body><h1>500</h1></body></html>"
NOT_JSON = b"Thank you for your order. It is being looked after."
ERROR_CODE = "SimulatedError"
ERROR_MESSAGE = "The simulator was told to say so."
# cloud-api.md, Life of a service: an ERROR row, or a service that never gets an address, behind 500, 503, 409 or 400.
LEFTOVERS: dict[str, dict[str, object]] = {"error": {"status": "ERROR"}, "no_address": {"external_v4_ip": None}}
HALF_MADE_REFUSALS: dict[object, str] = {409: "in_error", 500: "server_error", 503: "unavailable"}
WORDS = frozenset({"form", "code", "message"})
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


async def _error(call: Call, rule: FaultRule) -> web.StreamResponse:
    await call.wait(rule.seconds("delay_s", 0.0))
    options = rule.options
    status = options.get("status", 500)
    said = Said(
        status if isinstance(status, int) else 500,
        str(options.get("code", ERROR_CODE)),
        str(options.get("message", ERROR_MESSAGE)),
        call.request_id,
    )
    return call.say(FORMS[str(options.get("form", "neutron"))], said, _retry_headers(rule, None))


async def _half_made(call: Call, rule: FaultRule) -> web.StreamResponse:
    if call.maker:
        call.maker.commit_half(call, LEFTOVERS[str(rule.options.get("leaves", "error"))])
    match rule.options.get("then"):
        case "hang":
            return await _hang(call, rule)
        case "close":
            return call.cut()
    refusal = HALF_MADE_REFUSALS.get(rule.options.get("status", 500))
    if refusal is None or not WORDS.isdisjoint(rule.options):
        return await _error(call, rule)
    return call.refuse(refusal)


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
    if call.maker:
        call.maker.commit_late(call, rule.seconds("after_s", LATE_S))
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
_ERROR = WORDS | {"status", "delay_s", "retry_after"}
_HALF = _ERROR | {"leaves", "then"}

KINDS = {
    kind.name: kind
    for kind in (
        # Refused before anything was done.
        FaultKind("throttle", "429 with Retry-After", _throttle, _RETRY_AFTER),
        FaultKind("error_500", "500, nothing done", _error_500),
        FaultKind("error_503", "503, nothing done", _error_503, _RETRY_AFTER),
        FaultKind("html_500", "500 as a web page, nothing done", _html_500),
        FaultKind("answer", "the status and body given, nothing done", _answer, _ANSWER),
        FaultKind("error", "any error in any form of body, nothing done", _error, _ERROR),
        FaultKind("hang", "no answer, nothing done", _hang, _DELAY),
        FaultKind("close", "connection closed, nothing done", _close),
        # Done, and the answer comes late, wrong or never.
        FaultKind("slow", "a wait, then the normal answer", _slow, _DELAY),
        FaultKind("commit_then_hang", "done, no answer", _commit_then_hang, _DELAY),
        FaultKind("commit_then_close", "done, connection closed", _commit_then_close),
        FaultKind("commit_then_500", "done, answered 500", _commit_then_500),
        FaultKind("late_commit", "an error now, the service later", _late_commit, _LATE, is_for_create_only=True),
        FaultKind("half_made", "badly made for good, and an error", _half_made, _HALF, is_for_create_only=True),
        FaultKind("truncated", "done, the answer breaks off", _truncated),
        FaultKind("not_json", "done, the answer is no JSON", _not_json),
    )
}
