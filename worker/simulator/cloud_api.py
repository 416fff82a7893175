"""
The cloud's calls: create, list, show and delete, with authentication and faults before them.
"""

import asyncio
import hmac
from collections.abc import Mapping

import orjson
from aiohttp import web

from worker.simulator.call import CUT_STATUS, Call
from worker.simulator.dialect import RefusalError, check_role, checked_request
from worker.simulator.faults import KINDS
from worker.simulator.listing import page
from worker.simulator.services import CloudState, Service


class CloudApi:
    """
    Answers everything that is not under `/_simulator/`.
    """

    def __init__(self, state: CloudState, closing: asyncio.Event) -> None:
        self._state = state
        self._closing = closing

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """
        The cloud's answer, counted.
        """
        dialect = self._state.dialect
        service_id = _service_id(dialect.path, request.path)
        kind = _kind(request.method, service_id)
        self._state.calls[kind] += 1
        self._state.notify()
        call = Call(request, dialect, kind, service_id, self._do, self._commit_late, self._closing)
        answer = await self._answer(call)
        self._state.answers["cut" if answer.status == CUT_STATUS else str(answer.status)] += 1
        self._state.notify()
        return answer

    async def _answer(self, call: Call) -> web.StreamResponse:
        try:
            call.body = await call.request.read()
        except web.HTTPRequestEntityTooLarge:
            return call.refuse("too_large")
        except web.RequestPayloadError:
            return call.refuse("malformed", {"reason": "the body does not have the encoding it claims"})
        except ConnectionError:
            return call.cut()
        await call.wait(self._state.config.latency_ms / 1000)
        try:
            self._check_gateway(call)
            if call.kind == "other":
                return self._bad_method(call)
            rule = self._state.faults.take(call.kind, self._subject(call))
            self._state.notify()
            return await KINDS[rule.fault].run(call, rule) if rule else call.proceed()
        except RefusalError as refusal:
            return call.refuse(refusal.kind, refusal.details)

    def _bad_method(self, call: Call) -> web.Response:
        allowed = "GET, DELETE" if call.service_id else "GET, POST"
        return call.refuse("bad_method", {"method": call.request.method}, {"Allow": allowed})

    def _check_gateway(self, call: Call) -> None:
        # The gateway knows its paths before it looks at anybody's token.
        if call.service_id is None:
            raise RefusalError("no_such_api")
        token = self._state.config.token
        sent = call.request.headers.get("X-Auth-Token", "")
        if token is not None and not hmac.compare_digest(sent.encode(errors="replace"), token.encode()):
            raise RefusalError("unauthorized")

    def _subject(self, call: Call) -> Mapping[str, object]:
        if call.kind == "create":
            return _sent_attributes(self._state.dialect.member, call.body)
        if call.kind == "list":
            return dict(call.request.query)
        service = self._state.services.get(call.service_id or "")
        return service.attributes if service else {"id": call.service_id}

    def _do(self, call: Call) -> web.Response:
        match call.kind:
            case "create":
                return call.send(201, self._shown(self._state.create(self._checked(call.body))))
            case "list":
                return call.send(200, orjson.dumps(page(self._state, call.request)))
            case "show":
                return call.send(200, self._shown(self._state.find(call.service_id or "")))
            case _:
                self._state.delete(call.service_id or "")
                return call.send(204, b"")

    def _commit_late(self, call: Call, after_s: float) -> None:
        self._state.create_late(self._checked(call.body), after_s)

    def _checked(self, body: bytes) -> dict[str, object]:
        try:
            data = orjson.loads(body)
        except orjson.JSONDecodeError as exc:
            raise RefusalError("malformed", reason=str(exc)) from exc
        config, dialect = self._state.config, self._state.dialect
        request = checked_request(dialect, data)
        check_role(dialect, config.role, config.tenant_id, request)
        return request

    def _shown(self, service: Service) -> bytes:
        return orjson.dumps({self._state.dialect.member: service.attributes})


def _service_id(root: str, path: str) -> str | None:
    if path == root:
        return ""
    service_id = path.removeprefix(f"{root}/")
    return None if service_id in (path, "") or "/" in service_id else service_id


def _kind(method: str, service_id: str | None) -> str:
    if service_id is None:
        return "other"
    kinds = {"GET": "show", "DELETE": "delete"} if service_id else {"POST": "create", "GET": "list"}
    return kinds.get(method, "other")


def _sent_attributes(member: str, body: bytes) -> Mapping[str, object]:
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    request = data.get(member) if isinstance(data, dict) else None
    return request if isinstance(request, dict) else {}
