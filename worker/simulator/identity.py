"""
The identity service beside the cloud: logins at `POST /v3/auth/tokens`, as Keystone and IAM have them.
"""

import asyncio
from collections.abc import Callable, Mapping

import orjson
from aiohttp import web

from worker.simulator.bodies import KEYSTONE, ErrorForm, Voice
from worker.simulator.call import Call
from worker.simulator.catalog import shown_token
from worker.simulator.dialect import RefusalError
from worker.simulator.handling import handle
from worker.simulator.logins import account_of, proven_user, read_login
from worker.simulator.services import CloudState
from worker.simulator.tokens import Token

TOKENS_PATH = "/v3/auth/tokens"
CREDENTIALS_WANTED = "The request you have made requires authentication."
ERRORS = {
    # Statuses and words: Keystone's own.
    "malformed": ErrorForm(400, KEYSTONE, "", "The server could not comply with the request: {reason}."),
    "invalid": ErrorForm(400, KEYSTONE, "", "{reason} The server could not comply with the request."),
    "unauthorized": ErrorForm(401, KEYSTONE, "", CREDENTIALS_WANTED),
    "not_found": ErrorForm(404, KEYSTONE, "", "Could not find {id}."),
    "too_large": ErrorForm(413, KEYSTONE, "", "The request is too large."),
    "throttled": ErrorForm(429, KEYSTONE, "", "Too many requests."),
    "server_error": ErrorForm(
        500, KEYSTONE, "", "An unexpected error prevented the server from fulfilling your request."
    ),
    "unavailable": ErrorForm(503, KEYSTONE, "", "The service is unavailable."),
}


class IdentityApi:
    """
    Issues, shows and revokes tokens.
    """

    def __init__(self, state: CloudState, closing: asyncio.Event) -> None:
        self._state = state
        self._closing = closing
        self._voice = Voice(ERRORS, state.dialect.voice.request_id_headers)
        self.latency_s = state.config.login_ms / 1000

    def routes(self) -> list[web.RouteDef]:
        """
        The identity service's calls, for the application's router; none when nobody can log in.
        """
        if not self._state.config.users:
            return []
        return [
            web.post(TOKENS_PATH, self._login),
            web.get(TOKENS_PATH, self._show),
            web.delete(TOKENS_PATH, self._revoke),
            web.get("/v3", self._discover),
            web.get("/v3/", self._discover),
        ]

    def admit(self, call: Call) -> None:
        """
        Anybody may try to log in.
        """

    def subject(self, call: Call) -> Mapping[str, object]:
        """
        The account as `name`.
        """
        return {"name": account_of(_json(call.body))}

    def do(self, call: Call) -> web.Response:
        """
        A token for who proves to be a user, in the header `X-Subject-Token`.
        """
        accounts, data = self._state.accounts, _json(call.body)
        if data is None:
            raise RefusalError("malformed", reason="the body is not JSON")
        is_needed = self._state.dialect.is_scope_domain_needed
        try:
            login = read_login(data)
            user = proven_user(accounts, login, is_scope_domain_needed=is_needed)
        except RefusalError:
            accounts.failed_logins[account_of(data)] += 1
            raise
        token = accounts.tokens.issue(user, login.method)
        return self._shown(call, token, 201)

    async def _login(self, request: web.Request) -> web.StreamResponse:
        return await handle(self._state, self._call(request))

    async def _show(self, request: web.Request) -> web.Response:
        return self._for_subject(request, lambda call, token: self._shown(call, token, 200))

    async def _revoke(self, request: web.Request) -> web.Response:
        def revoke(call: Call, token: Token) -> web.Response:
            self._state.accounts.tokens.revoke(token.id)
            return call.send(204, b"")

        return self._for_subject(request, revoke)

    async def _discover(self, request: web.Request) -> web.Response:
        links = [{"rel": "self", "href": f"{request.url.origin()}/v3/"}]
        version = {"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z", "links": links}
        return self._call(request).send(200, orjson.dumps({"version": version}))

    def _call(self, request: web.Request) -> Call:
        return Call(request, self._voice, "token", "", self, self._closing)

    def _for_subject(self, request: web.Request, then: Callable[[Call, Token], web.Response]) -> web.Response:
        call, tokens = self._call(request), self._state.accounts.tokens
        if tokens.find(request.headers.get("X-Auth-Token", "")) is None:
            return call.refuse("unauthorized")
        token = tokens.find(request.headers.get("X-Subject-Token", ""))
        return then(call, token) if token else call.refuse("not_found", {"id": "the token"})

    def _shown(self, call: Call, token: Token, status: int) -> web.Response:
        body = {"token": shown_token(token, self._state.config, str(call.request.url.origin()))}
        return call.send(status, orjson.dumps(body), headers={"X-Subject-Token": token.id})


def _json(body: bytes) -> object:
    try:
        data: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return data
