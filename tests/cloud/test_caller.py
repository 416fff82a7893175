"""
One account's calls over real HTTP, with a login whose every answer the test says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from yarl import URL

from tests.cloud.conftest import RawServer, http, in_virtual_time
from tests.virtual_time import VirtualLoop
from worker.cloud.call import Call
from worker.cloud.caller import Ask, Caller, Place
from worker.cloud.client import CloudClient
from worker.cloud.login import LoginFailed, LoginState
from worker.cloud.options import TransportOptions
from worker.cloud.reply import NoReply, Reply
from worker.cloud.transport import Transport
from worker.core.answers import Busy, Created, Misconfigured, Refused, Trouble, Unknown
from worker.core.meanings import Fault
from worker.profiles import profile_named

OpenTransport = Callable[..., Awaitable[Transport]]
AnswerRaw = Callable[..., Awaitable[RawServer]]

OTC = profile_named("otc")
BODY = b'{"vpnservice": {"router_id": "r"}}'
CREATE = Ask("POST", body=BODY)
CREATED = http("201 Created", b'{"vpnservice": {"id": "s", "status": "PENDING_CREATE", "router_id": "r"}}')
UNAUTHORIZED = http("401 Unauthorized", b'{"error": {"code": 401, "message": "no"}}')
INVALID_TOKEN = http("403 Forbidden", b'{"message": "Forbidden: invalid token"}')
POLICY = http("403 Forbidden", b'{"NeutronError": {"type": "PolicyNotAuthorized", "message": "no"}}')
FAILED = LoginFailed(Trouble("login_refused", "wrong password"), is_settings_fault=True)


class ScriptedLogin:
    """
    Gives the tokens t1, t2, ... and keeps what it hears.

    Attributes:
        renewed: what `renew` gives.
        told: what `endpoint` gives.
        delay_s: what `headers` takes.
        heard: whether each call with its headers was accepted.
    """

    def __init__(self, renewed: LoginFailed | None = None, told: URL | LoginFailed | None = None) -> None:
        self.state = LoginState(is_well=True, words="scripted")
        self.renewed = renewed
        self.told = told
        self.delay_s = 0.0
        self.heard: list[tuple[str, bool]] = []
        self._given = 0

    async def endpoint(self) -> URL | LoginFailed | None:
        return self.told

    async def headers(self, _call: Call) -> Mapping[str, str] | LoginFailed:
        await asyncio.sleep(self.delay_s)
        self._given += 1
        return {"X-Auth-Token": f"t{self._given}"}

    async def renew(self, _sent: Mapping[str, str], _fault: Fault, _time: datetime | None) -> LoginFailed | None:
        return self.renewed

    def finished(self, sent: Mapping[str, str], *, is_accepted: bool) -> None:
        self.heard.append((sent["X-Auth-Token"], is_accepted))

    async def close(self) -> None:
        """
        Nothing runs.
        """


def tokens(server: RawServer) -> list[str]:
    """
    The tokens that came, in order.
    """
    lines = [line for head in server.requests for line in head.split(b"\r\n") if line.startswith(b"X-Auth-Token: ")]
    return [line.removeprefix(b"X-Auth-Token: ").decode() for line in lines]


class TestARefusedToken:
    @pytest.mark.parametrize("refusal", [UNAUTHORIZED, INVALID_TOKEN], ids=["401", "403-invalid-token"])
    async def test_is_renewed_and_the_call_sent_once_more(
        self, answer_raw: AnswerRaw, open_transport: OpenTransport, refusal: bytes
    ) -> None:
        server, login = await answer_raw(refusal, CREATED, stays=True), ScriptedLogin()

        answer = await CloudClient(await open_transport(), login, Place(OTC, server.url)).create(BODY)

        assert isinstance(answer, Created)
        assert ["t1", "t2"] == tokens(server)
        assert [("t1", False), ("t2", True)] == login.heard
        assert [BODY, BODY] == [request.partition(b"\r\n\r\n")[2] for request in server.requests]

    async def test_that_is_refused_again_is_not_sent_a_third_time(
        self, answer_raw: AnswerRaw, open_transport: OpenTransport
    ) -> None:
        """
        A login that says each time that it can do better would go on for ever.
        """
        server, login = await answer_raw(UNAUTHORIZED, stays=True), ScriptedLogin()

        reply = await Caller(await open_transport(), login, Place(OTC, server.url)).ask(CREATE)

        assert isinstance(reply, LoginFailed)
        assert ("credentials_refused", True) == (reply.trouble.code, reply.is_settings_fault)
        assert ["t1", "t2"] == tokens(server)
        assert [("t1", False), ("t2", False)] == login.heard

    async def test_that_cannot_be_renewed_is_not_sent_again(
        self, answer_raw: AnswerRaw, open_transport: OpenTransport
    ) -> None:
        server, login = await answer_raw(UNAUTHORIZED, stays=True), ScriptedLogin(renewed=FAILED)

        reply = await Caller(await open_transport(), login, Place(OTC, server.url)).ask(CREATE)

        assert reply is FAILED
        assert ["t1"] == tokens(server)
        assert [("t1", False)] == login.heard

    async def test_and_no_answer_to_the_second_sending_is_unknown(
        self, answer_raw: AnswerRaw, open_transport: OpenTransport
    ) -> None:
        server, login = await answer_raw(UNAUTHORIZED, b""), ScriptedLogin()

        answer = await CloudClient(await open_transport(), login, Place(OTC, server.url)).create(BODY)

        assert isinstance(answer, Unknown)
        assert ["t1", "t2"] == tokens(server)
        assert [("t1", False), ("t2", False)] == login.heard

    async def test_is_not_a_role_that_is_too_weak(self, answer_raw: AnswerRaw, open_transport: OpenTransport) -> None:
        server, login = await answer_raw(POLICY, stays=True), ScriptedLogin()

        answer = await CloudClient(await open_transport(), login, Place(OTC, server.url)).create(BODY)

        assert isinstance(answer, Refused)
        assert [("t1", True)] == login.heard


class TestASlowLogin:
    """
    A POST must follow its intent closely: nobody looks for it before the claim's lease is over.
    """

    def test_of_more_than_five_seconds_sends_nothing(self) -> None:
        async def play(loop: VirtualLoop, stack: AsyncExitStack) -> None:
            transport, server = await served(stack, CREATED)
            login = ScriptedLogin()
            login.delay_s = 5.1

            answer = await CloudClient(transport, login, Place(OTC, server.url)).create(BODY)

            assert isinstance(answer, Busy)
            assert ("login_slow", False) == (answer.trouble.code, answer.was_sent)
            assert [] == server.requests
            assert [("t1", False)] == login.heard
            assert 5.1 == pytest.approx(loop.time(), abs=0.1)

        in_virtual_time(play)

    def test_of_less_than_five_seconds_does_no_harm(self) -> None:
        async def play(_: VirtualLoop, stack: AsyncExitStack) -> None:
            transport, server = await served(stack, CREATED)
            login = ScriptedLogin()
            login.delay_s = 4.9

            answer = await CloudClient(transport, login, Place(OTC, server.url)).create(BODY)

            assert isinstance(answer, Created)

        in_virtual_time(play)

    def test_counts_both_logins_of_one_call(self) -> None:
        async def play(_: VirtualLoop, stack: AsyncExitStack) -> None:
            transport, server = await served(stack, UNAUTHORIZED, CREATED)
            login = ScriptedLogin()
            login.delay_s = 3.0

            answer = await CloudClient(transport, login, Place(OTC, server.url)).create(BODY)

            assert isinstance(answer, Busy)
            assert ["t1"] == tokens(server)

        in_virtual_time(play)


async def served(stack: AsyncExitStack, *answers: bytes) -> tuple[Transport, RawServer]:
    """
    A transport, and a server with these answers.
    """
    server = RawServer(answers, stays=True)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await server.serve(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    listening = await stack.enter_async_context(await asyncio.start_server(serve, "127.0.0.1", 0))
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    return await stack.enter_async_context(Transport(TransportOptions())), server


class TestTheEndpoint:
    async def test_is_what_the_login_tells_when_no_setting_does(
        self, answer_raw: AnswerRaw, open_transport: OpenTransport
    ) -> None:
        server = await answer_raw(CREATED)
        login = ScriptedLogin(told=URL(f"{server.url}/network/"))

        reply = await Caller(await open_transport(), login, Place(OTC)).ask(CREATE)

        assert isinstance(reply, Reply)
        assert server.requests[0].startswith(b"POST /network/v2.0/vpn/vpnservices HTTP/1.1")

    async def test_of_a_setting_wins(self, answer_raw: AnswerRaw, open_transport: OpenTransport) -> None:
        server, login = await answer_raw(CREATED), ScriptedLogin(told=FAILED)

        assert isinstance(await Caller(await open_transport(), login, Place(OTC, server.url)).ask(CREATE), Reply)

    @pytest.mark.parametrize(("told", "code"), [(None, "endpoint_unknown"), (FAILED, "login_refused")])
    async def test_that_nobody_knows_is_a_settings_fault_and_nothing_is_sent(
        self, open_transport: OpenTransport, told: LoginFailed | None, code: str
    ) -> None:
        login = ScriptedLogin(told=told)

        answer = await CloudClient(await open_transport(), login, Place(OTC)).create(BODY)

        assert isinstance(answer, Misconfigured)
        assert code == answer.trouble.code
        assert [] == login.heard


class TestTheUrl:
    @pytest.mark.parametrize(
        ("ask", "place", "target"),
        [
            (Ask("GET"), {}, "/v2.0/vpn/vpnservices"),
            (Ask("GET", item="s-1"), {}, "/v2.0/vpn/vpnservices/s-1"),
            (Ask("GET", query={"router_id": "r 1"}), {}, "/v2.0/vpn/vpnservices?router_id=r%201"),
            (Ask("GET", tenant_id="asked"), {"project_id": "own"}, "/v2.0/vpn/vpnservices"),
        ],
    )
    async def test_is_made_of_endpoint_path_and_item(
        self, answer_raw: AnswerRaw, open_transport: OpenTransport, ask: Ask, place: dict[str, Any], target: str
    ) -> None:
        server = await answer_raw(http("200 OK"))

        await Caller(await open_transport(), ScriptedLogin(), Place(OTC, server.url, **place)).ask(ask)

        assert target == server.requests[0].split(b" ")[1].decode()

    @pytest.mark.parametrize(("tenant_id", "project"), [(None, "own"), ("asked", "asked")])
    async def test_has_the_project_where_the_cloud_wants_it(
        self, answer_raw: AnswerRaw, open_transport: OpenTransport, tenant_id: str | None, project: str
    ) -> None:
        server, profile = await answer_raw(http("200 OK")), replace(OTC, path="/v5/{project_id}/vpn-gateways")

        place = Place(profile, server.url, project_id="own")
        await Caller(await open_transport(), ScriptedLogin(), place).ask(Ask("GET", tenant_id=tenant_id))

        assert f"/v5/{project}/vpn-gateways" == server.requests[0].split(b" ")[1].decode()


async def test_a_login_hears_that_a_call_was_cancelled(
    listen: Callable[..., Awaitable[str]], open_transport: OpenTransport
) -> None:
    """
    Else a key on trial would never be free for the next call.
    """
    came = asyncio.Event()

    async def take_and_keep(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        came.set()
        await asyncio.Event().wait()

    login = ScriptedLogin()
    caller = Caller(await open_transport(), login, Place(OTC, await listen(take_and_keep)))
    asking = asyncio.create_task(caller.ask(CREATE))
    async with asyncio.timeout(5):
        await came.wait()

    asking.cancel()
    await asyncio.wait({asking})

    assert asking.cancelled()
    assert [("t1", False)] == login.heard


async def test_a_login_hears_that_there_was_no_answer(answer_raw: AnswerRaw, open_transport: OpenTransport) -> None:
    server, login = await answer_raw(b""), ScriptedLogin()

    reply = await Caller(await open_transport(), login, Place(OTC, server.url)).ask(CREATE)

    assert isinstance(reply, NoReply)
    assert reply.is_sent
    assert [("t1", False)] == login.heard


async def test_a_gateways_trouble_says_nothing_about_the_credentials(
    answer_raw: AnswerRaw, open_transport: OpenTransport
) -> None:
    """
    It may not have looked at them: a key that was never accepted stays on trial.
    """
    server, login = await answer_raw(http("502 Bad Gateway")), ScriptedLogin()

    assert isinstance(await Caller(await open_transport(), login, Place(OTC, server.url)).ask(CREATE), Reply)
    assert [("t1", False)] == login.heard


async def test_a_login_that_leads_to_no_endpoint_is_not_well(open_transport: OpenTransport) -> None:
    login = ScriptedLogin(told=FAILED)
    caller = Caller(await open_transport(), login, Place(OTC))
    is_well_before = caller.login.is_well

    await caller.log_in()
    without = caller.login
    login.told = URL("http://127.0.0.1:9")
    await caller.log_in()

    assert is_well_before
    assert LoginState(is_well=False, words="wrong password") == without
    assert login.state == caller.login


async def test_logging_in_ahead_sends_no_call(open_transport: OpenTransport) -> None:
    login = ScriptedLogin()

    await Caller(await open_transport(), login, Place(OTC, "http://127.0.0.1:9")).log_in()

    assert [("t1", False)] == login.heard
