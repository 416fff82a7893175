"""
The cloud's calls: create, list, show and delete, and who may make them.
"""

import asyncio
from collections.abc import Mapping

import orjson
from aiohttp import web

from worker.simulator.call import Call
from worker.simulator.dialect import RefusalError, check_may_change, check_role, checked_request
from worker.simulator.gateway import Gateway
from worker.simulator.handling import handle
from worker.simulator.listing import page
from worker.simulator.services import CloudState
from worker.simulator.shelf import Service
from worker.simulator.users import Caller


class CloudApi:
    """
    Answers everything that is neither under `/_simulator/` nor the identity service's.
    """

    def __init__(self, state: CloudState, closing: asyncio.Event) -> None:
        self._state = state
        self._closing = closing
        self._gateway = Gateway(state)
        self.latency_s = state.config.latency_ms / 1000

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """
        The cloud's answer, counted.
        """
        dialect = self._state.dialect
        service_id = _service_id(dialect.path, request.path)
        kind = _kind(request.method, service_id)
        maker = self if kind == "create" else None
        return await handle(self._state, Call(request, dialect.voice, kind, service_id, self, self._closing, maker))

    def admit(self, call: Call) -> None:
        """
        Checks path, caller and method.

        Raises:
            RefusalError: `no_such_api`, `bad_method`, or what `Gateway.caller` raises.
        """
        is_unknown = call.service_id is None
        # A gateway knows its paths before it looks at anybody's token; a Neutron has the token checked first.
        if is_unknown and not self._state.dialect.is_token_first:
            raise RefusalError("no_such_api")
        call.caller = self._gateway.caller(call)
        if is_unknown:
            raise RefusalError("no_such_api")
        if call.kind == "other":
            allowed = "GET, DELETE" if call.service_id else "GET, POST"
            raise RefusalError("bad_method", {"Allow": allowed}, method=call.request.method)

    def subject(self, call: Call) -> Mapping[str, object]:
        """
        What a create asks for, a list filters by, or the service has that is shown or deleted.
        """
        if call.kind == "create":
            return _sent_attributes(self._state.dialect.member, call.body)
        if call.kind == "list":
            return dict(call.request.query)
        service = self._state.services.get(call.service_id or "")
        return service.attributes if service else {"id": call.service_id}

    def do(self, call: Call) -> web.Response:
        """
        The call, done.
        """
        sees = self._project_seen(call.caller)
        match call.kind:
            case "create":
                return call.send(201, self._shown(self._create(call)))
            case "list":
                return call.send(200, orjson.dumps(page(self._state, call.request, sees)))
            case "show":
                return call.send(200, self._shown(self._state.find(call.service_id or "", sees)))
            case _:
                check_may_change(self._state.dialect, call.caller)
                self._state.delete(call.service_id or "", sees)
                return call.send(204, b"")

    def commit_late(self, call: Call, after_s: float) -> None:
        """
        Checks the request now and makes the service later.
        """
        self._state.create_late(self._checked(call), after_s, call.caller.project_id)

    def commit_half(self, call: Call, changes: Mapping[str, object]) -> None:
        """
        Makes the service and leaves it with these attributes.
        """
        self._create(call).spoil(changes)

    def _create(self, call: Call) -> Service:
        return self._state.create(self._checked(call), call.caller.project_id)

    def _checked(self, call: Call) -> dict[str, object]:
        try:
            data = orjson.loads(call.body)
        except orjson.JSONDecodeError as exc:
            raise RefusalError("malformed", reason=str(exc)) from exc
        request = checked_request(self._state.dialect, data)
        check_role(self._state.dialect, call.caller, request)
        return request

    def _project_seen(self, caller: Caller) -> str | None:
        sees_all = not caller.is_known or caller.role in self._state.dialect.all_seeing_roles
        return None if sees_all else caller.project_id

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
