"""
The control calls under `/_simulator/`: what the simulator knows, and how to make trouble. No cloud call is counted here.
"""

import orjson
from aiohttp import web

from worker.simulator.config import SimulatorError
from worker.simulator.services import CloudState

PREFIX = "/_simulator"
CLOCK_MOST_S = 10 * 365 * 86_400.0  # more could leave the years that a date can hold
FIXED_FIELDS = frozenset({"id", "router_id"})  # the cloud's own indexes hang on them


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
            web.post(f"{PREFIX}/services/{{id}}", self._change_service),
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

    async def _change_service(self, request: web.Request) -> web.Response:
        self._state.advance()
        service = self._state.services.get(request.match_info["id"])
        if service is None:
            return _wrong(f"There is no service {request.match_info['id']}.", 404)
        try:
            changes = _checked_changes(await _received(request), set(service.attributes) - FIXED_FIELDS)
        except SimulatorError as exc:
            return _wrong(str(exc))
        service.spoil(changes)
        return _json(service.attributes)

    async def _revoke_tokens(self, request: web.Request) -> web.Response:
        try:
            revoked = self._state.accounts.revoke(_user_name(await _received(request)))
        except SimulatorError as exc:
            return _wrong(str(exc))
        return _json({"revoked": revoked})

    async def _change_password(self, request: web.Request) -> web.Response:
        try:
            password = _password(await _received(request))
            self._state.accounts.change_password(request.match_info["name"], password)
        except SimulatorError as exc:
            return _wrong(str(exc))
        return web.Response(status=204)

    async def _set_clock(self, request: web.Request) -> web.Response:
        try:
            self._state.clock_ahead_s = _ahead_s(await _received(request))
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


def _user_name(data: object) -> str | None:
    name = _only(data, "user")
    if not isinstance(name, str | None):
        raise SimulatorError("user must be a user's name; leave it out for all users.")
    return name


def _password(data: object) -> str:
    password = _only(data, "password")
    if not isinstance(password, str):
        raise SimulatorError("password must be a text.")
    return password


def _ahead_s(data: object) -> float:
    ahead_s = _only(data, "ahead_s")
    if isinstance(ahead_s, bool) or not isinstance(ahead_s, int | float) or abs(ahead_s) > CLOCK_MOST_S:
        raise SimulatorError("ahead_s must be a number of seconds, up to ten years, below 0 for a slow clock.")
    return float(ahead_s)


def _only(data: object, name: str) -> object:
    if not isinstance(data, dict) or set(data) - {name}:
        raise SimulatorError(f"The body must be a JSON object with no key but {name}.")
    return data.get(name)


def _checked_changes(changes: object, changeable: set[str]) -> dict[str, object]:
    if not isinstance(changes, dict):
        raise SimulatorError("The body must be a JSON object of attributes, such as status.")
    if unknown := set(changes) - changeable:
        raise SimulatorError(
            f"{', '.join(sorted(unknown))} cannot be set; what can be set is {', '.join(sorted(changeable))}."
        )
    return changes


def _json(data: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(data), content_type="application/json")


def _wrong(message: str, status: int = 400) -> web.Response:
    return _json({"message": message}, status)
