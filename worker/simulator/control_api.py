"""
The control calls under `/_simulator/`: what the simulator knows, and how to make trouble. No cloud call is counted here.
"""

import orjson
from aiohttp import web

from worker.simulator.config import SimulatorError
from worker.simulator.control_bodies import ahead_s, batch, checked_changes, password, user_name
from worker.simulator.services import CloudState

PREFIX = "/_simulator"


class ControlApi:
    """
    Answers everything under `/_simulator/`.
    """

    def __init__(self, state: CloudState) -> None:
        self._state = state

    def routes(self) -> list[web.RouteDef]:
        """
        The control calls, for the application's router.
        """
        return [
            web.get(f"{PREFIX}/health", self._health),
            web.get(f"{PREFIX}/state", self._show_state),
            web.get(f"{PREFIX}/faults", self._list_faults),
            web.post(f"{PREFIX}/faults", self._add_fault),
            web.delete(f"{PREFIX}/faults", self._clear_faults),
            web.delete(f"{PREFIX}/faults/{{number}}", self._remove_fault),
            web.post(f"{PREFIX}/services", self._make_services),
            web.post(f"{PREFIX}/services/{{id}}", self._change_service),
            web.delete(f"{PREFIX}/services/{{id}}", self._remove_service),
            web.post(f"{PREFIX}/tokens/revoke", self._revoke_tokens),
            web.post(f"{PREFIX}/users/{{name}}/password", self._change_password),
            web.post(f"{PREFIX}/clock", self._set_clock),
            web.post(f"{PREFIX}/reset", self._reset),
            web.route("*", f"{PREFIX}{{tail:(/.*)?}}", self._unknown),
        ]

    async def _health(self, _request: web.Request) -> web.Response:
        return _json({"status": "ok", "dialect": self._state.dialect.name})

    async def _show_state(self, _request: web.Request) -> web.Response:
        return _json(self._state.snapshot())

    async def _list_faults(self, _request: web.Request) -> web.Response:
        return _json({"faults": self._state.faults.listed()})

    async def _add_fault(self, request: web.Request) -> web.Response:
        try:
            rule = self._state.faults.add(await _received(request))
        except SimulatorError as exc:
            return _wrong(str(exc))
        return _json(rule.listed(), 201)

    async def _clear_faults(self, _request: web.Request) -> web.Response:
        self._state.faults.clear()
        return web.Response(status=204)

    async def _remove_fault(self, request: web.Request) -> web.Response:
        number = request.match_info["number"]
        if not (number.isascii() and number.isdigit() and len(number) < 10 and self._state.faults.remove(int(number))):
            return _wrong(f"There is no fault {number}.", 404)
        return web.Response(status=204)

    async def _make_services(self, request: web.Request) -> web.Response:
        try:
            wanted = batch(await _received(request))
        except SimulatorError as exc:
            return _wrong(str(exc))
        services = self._state.create_many(wanted.count, wanted.tenant_id, wanted.status)
        return _json({"ids": [service.id for service in services]}, 201)

    async def _change_service(self, request: web.Request) -> web.Response:
        self._state.advance()
        service = self._state.services.get(request.match_info["id"])
        if service is None:
            return _wrong(f"There is no service {request.match_info['id']}.", 404)
        try:
            changes = checked_changes(await _received(request), set(service.attributes))
        except SimulatorError as exc:
            return _wrong(str(exc))
        service.spoil(changes)
        return _json(service.attributes)

    async def _remove_service(self, request: web.Request) -> web.Response:
        if not self._state.vanish(request.match_info["id"]):
            return _wrong(f"There is no service {request.match_info['id']}.", 404)
        return web.Response(status=204)

    async def _revoke_tokens(self, request: web.Request) -> web.Response:
        try:
            revoked = self._state.accounts.revoke(user_name(await _received(request)))
        except SimulatorError as exc:
            return _wrong(str(exc))
        return _json({"revoked": revoked})

    async def _change_password(self, request: web.Request) -> web.Response:
        try:
            wanted = password(await _received(request))
            self._state.accounts.change_password(request.match_info["name"], wanted)
        except SimulatorError as exc:
            return _wrong(str(exc))
        return web.Response(status=204)

    async def _set_clock(self, request: web.Request) -> web.Response:
        try:
            self._state.clock_ahead_s = ahead_s(await _received(request))
        except SimulatorError as exc:
            return _wrong(str(exc))
        self._state.notify()
        return _json({"now_s": self._state.now_s()})

    async def _reset(self, _request: web.Request) -> web.Response:
        self._state.reset()
        return web.Response(status=204)

    async def _unknown(self, request: web.Request) -> web.Response:
        return _wrong(f"There is no control call {request.method} {request.path}.", 404)


async def _received(request: web.Request) -> object:
    try:
        data: object = orjson.loads(await request.read())
    except orjson.JSONDecodeError as exc:
        raise SimulatorError(f"The body is not JSON: {exc}.") from exc
    return data


def _json(data: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(data), content_type="application/json")


def _wrong(message: str, status: int = 400) -> web.Response:
    return _json({"message": message}, status)
