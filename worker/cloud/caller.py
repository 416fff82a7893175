"""
One account's calls: finds the API, logs in, sends, and sends once more when a token has died in mid-life.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote

from yarl import URL

from worker.cloud.call import MOST_BYTES, Call
from worker.cloud.classify import classify
from worker.cloud.login import Login, LoginFailed, LoginState
from worker.cloud.reply import NoReply, Reply
from worker.cloud.transport import Transport
from worker.core.answers import Trouble
from worker.core.meanings import Class
from worker.core.profile import Profile

_TOO_SLOW = Trouble("login_slow", "The login took so long that the request was not sent; it is tried again.")
_NO_PROJECT = Trouble("project_unknown", "This cloud has the project in its URLs: set VPN_WORKER_PROJECT_ID.")
_NEVER_ACCEPTED = Trouble("credentials_refused", "The cloud refuses the credentials, also new ones.", 401)
#: A POST must follow its intent closely: one that a login held up longer is not sent, and tried anew.
_LONGEST_LOGIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where one account finds the API.

    Attributes:
        profile: of the cloud.
        api_url: without path; None: the login tells it.
        project_id: for clouds that want it in the path.
        is_alone: it is the only account; else its own troubles must not stop the others.
        has_own_endpoint: other accounts have another `api_url`.
    """

    profile: Profile
    api_url: str | None = None
    project_id: str | None = None
    is_alone: bool = True
    has_own_endpoint: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """
    What to ask of the API.

    Attributes:
        method: GET, POST or DELETE.
        item: id of one service; None for the collection.
        query: of the URL.
        body: JSON, or empty.
        tenant_id: whose; for clouds that want a project in the path.
        most_bytes: see Call.
    """

    method: str
    item: str | None = None
    query: Mapping[str, str] | None = None
    body: bytes = b""
    tenant_id: str | None = None
    most_bytes: int = MOST_BYTES


class Caller:
    """
    Sends one account's calls.

    Args:
        transport: over which to call; shared.
        login: of the account.
        place: where its API is.
    """

    def __init__(self, transport: Transport, login: Login, place: Place) -> None:
        self._transport = transport
        self._login = login
        self._place = place
        self._base: URL | None = URL(place.api_url) if place.api_url else None
        self._templates = (place.profile.path, f"{place.profile.path}/{{id}}")
        self._told: URL | None = None
        self._no_endpoint: LoginFailed | None = None
        self._is_reached = True

    @property
    def login(self) -> LoginState:
        """
        How the login fares; a good one that leads to no endpoint is of no use.
        """
        state = self._login.state
        if state.is_well and self._no_endpoint is not None:
            return LoginState(is_well=False, words=self._no_endpoint.trouble.message)
        return state

    @property
    def endpoint(self) -> URL | None:
        """
        Where the API is; None as long as the login has not told it.
        """
        return self._base or self._told

    @property
    def is_well(self) -> bool:
        """
        Whether it can log in and the API is reached, as far as it was tried.
        """
        return self.login.is_well and self._is_reached

    async def ask(self, ask: Ask) -> Reply | NoReply | LoginFailed:
        """
        The answer, or why there is none. LoginFailed: nothing was done by the cloud, whatever was sent.
        """
        began_s = asyncio.get_running_loop().time()
        reply: Reply | NoReply | LoginFailed | None = None
        for resends in range(2):
            base = await self._endpoint()
            if isinstance(base, LoginFailed):
                return base
            if self._lacks_project(ask):
                return LoginFailed(_NO_PROJECT, is_settings_fault=True)
            call = Call(
                ask.method,
                self._url(base, ask),
                ask.body,
                most_bytes=ask.most_bytes,
                template=self._templates[ask.item is not None],
                resends=resends,
            )
            reply = await self._ask_once(call, began_s)
            if reply is not None:
                return reply
        # What was renewed was refused as well, and could be renewed again: that is no way out.
        return LoginFailed(_NEVER_ACCEPTED, is_settings_fault=True)

    async def log_in(self) -> None:
        """
        Gets credentials and the endpoint, and sends nothing there.
        """
        sent = await self._login.headers(Call("GET", self._base or URL("http://localhost")))
        if not isinstance(sent, LoginFailed):
            self._login.finished(sent, is_accepted=False)
            await self._endpoint()

    async def _ask_once(self, call: Call, began_s: float) -> Reply | NoReply | LoginFailed | None:
        """
        The answer, or why there is none; None: the credentials were refused, and new ones can be had.
        """
        sent = await self._login.headers(call)
        if isinstance(sent, LoginFailed):
            return sent
        is_accepted = False
        try:
            if asyncio.get_running_loop().time() - began_s > _LONGEST_LOGIN_S:
                return LoginFailed(_TOO_SLOW, is_settings_fault=False)
            reply = await self._transport.send(replace(call, headers=sent))
            self._is_reached = isinstance(reply, Reply) or reply.is_sent
            if not isinstance(reply, Reply):
                return reply
            if not self._is_refused(reply):
                # A gateway's 502 or 429 says nothing about the credentials: it may not have looked at them.
                is_accepted = reply.status < 500 and reply.status != 429
                return reply
            # Refused before execution (cloud API family, Authentication), so sending it once more is safe.
            return await self._login.renew(sent, reply.fault(), reply.cloud_time)
        finally:
            self._login.finished(sent, is_accepted=is_accepted)

    def _is_refused(self, reply: Reply) -> bool:
        if reply.status < 400:
            return False
        return classify(reply.fault(), self._place.profile.rows)[0] is Class.CREDENTIALS

    async def _endpoint(self) -> URL | LoginFailed:
        if self._base is not None:
            return self._base
        told = await self._login.endpoint()
        if told is None:
            words = "There is no endpoint: set VPN_WORKER_API_URL, or a region."
            told = LoginFailed(Trouble("endpoint_unknown", words), is_settings_fault=True)
        if isinstance(told, LoginFailed):
            self._no_endpoint = told
        else:
            self._no_endpoint, self._told = None, told
        return told

    def _lacks_project(self, ask: Ask) -> bool:
        return "{project_id}" in self._place.profile.path and not self._project_id(ask)

    def _project_id(self, ask: Ask) -> str:
        return ask.tenant_id or self._place.project_id or ""

    def _url(self, base: URL, ask: Ask) -> URL:
        path = self._place.profile.path.replace("{project_id}", quote(self._project_id(ask), safe=""))
        url = URL(str(base).rstrip("/") + path)
        if ask.item is not None:
            url = url / ask.item
        return url.with_query(ask.query) if ask.query else url
