"""
The ways to log in that need no call, and which way an account asks for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from yarl import URL

from tests.cloud.conftest import RawServer, http
from worker.accounts.account import (
    Account,
    AkskCredentials,
    ApplicationCredentials,
    Credentials,
    Identity,
    NoCredentials,
    PasswordCredentials,
    TokenCredentials,
)
from worker.accounts.secret import Secret
from worker.cloud.aksk import AkskLogin
from worker.cloud.call import Call
from worker.cloud.clouds import CloudOptions, open_clouds
from worker.cloud.keystone import TokenLogin
from worker.cloud.login import FixedToken, LoginFailed, NoLogin, duration
from worker.cloud.logins import login_for
from worker.cloud.options import TransportOptions
from worker.cloud.transport import Transport
from worker.core.meanings import Fault
from worker.profiles import profile_named

AnswerRaw = Callable[..., Awaitable[RawServer]]
NOTHING_LISTED = http("200 OK", b'{"vpnservices": []}')
CALL = Call("GET", URL("http://127.0.0.1/"))
REFUSED = Fault(401, "APIG.0307", "The token must be updated.", "req-1")
USER = Identity(name="u", domain_name="Default")


def options_of(*accounts: Account) -> CloudOptions:
    return CloudOptions(profile_named("otc"), accounts, TransportOptions(total_timeout_s=5.0))


async def test_no_login_sends_nothing_and_cannot_be_renewed() -> None:
    login = NoLogin()

    refused = await login.renew({}, REFUSED, None)

    assert {} == await login.headers(CALL)
    assert await login.endpoint() is None
    assert login.state.is_well
    assert isinstance(refused, LoginFailed)
    assert refused.is_settings_fault
    assert "credentials_refused" == refused.trouble.code


async def test_a_token_that_is_refused_is_an_operators_to_replace() -> None:
    login = FixedToken("shop", Secret("t-1"))
    sent = await login.headers(CALL)
    assert not isinstance(sent, LoginFailed)

    refused = await login.renew(sent, REFUSED, None)
    login.finished(sent, is_accepted=False)

    assert {"X-Auth-Token": "t-1"} == sent
    assert isinstance(refused, LoginFailed)
    assert refused.is_settings_fault
    assert ("credentials_refused", 401, "APIG.0307", "req-1") == (
        refused.trouble.code,
        refused.trouble.http_status,
        refused.trouble.api_code,
        refused.trouble.api_request_id,
    )
    assert "account shop" in refused.trouble.message
    assert "The token must be updated." in refused.trouble.message
    assert "t-1" not in f"{refused}{login.state}"
    assert not login.state.is_well


async def test_no_answer_says_nothing_of_the_token() -> None:
    login = FixedToken("shop", Secret("t-1"))
    sent = await login.headers(CALL)
    assert not isinstance(sent, LoginFailed)

    login.finished(sent, is_accepted=False)

    assert login.state.is_well


async def test_a_token_whose_file_was_replaced_is_sent_once_more(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old\n", encoding="ascii")
    login = FixedToken("shop", Secret(path=path))
    sent = await login.headers(CALL)
    assert not isinstance(sent, LoginFailed)
    assert isinstance(await login.renew(sent, REFUSED, None), LoginFailed)
    path.write_text("new-one\n", encoding="ascii")

    assert await login.renew(sent, REFUSED, None) is None
    again = await login.headers(CALL)
    assert {"X-Auth-Token": "new-one"} == again
    login.finished(again, is_accepted=True)
    assert login.state.is_well


async def test_a_token_file_that_is_gone_is_a_settings_fault_that_names_it(tmp_path: Path) -> None:
    login = FixedToken("shop", Secret(path=tmp_path / "token"))

    for failed in (await login.headers(CALL), await login.renew({"X-Auth-Token": "t"}, REFUSED, None)):
        assert isinstance(failed, LoginFailed)
        assert failed.is_settings_fault
        assert "secret_unreadable" == failed.trouble.code
        assert str(tmp_path / "token") in failed.trouble.message


@pytest.mark.parametrize(
    ("credentials", "kind"),
    [
        (NoCredentials(), NoLogin),
        (TokenCredentials(Secret("t")), FixedToken),
        (PasswordCredentials("http://127.0.0.1/v3", USER, Secret("p"), None), TokenLogin),
        (ApplicationCredentials("http://127.0.0.1/v3", "id", None, None, Secret("s")), TokenLogin),
        (AkskCredentials(Secret("a"), Secret("s")), AkskLogin),
    ],
)
async def test_the_credentials_choose_the_login(credentials: Credentials, kind: type) -> None:
    login = login_for(Account("default", credentials), Transport(TransportOptions()))

    assert kind is type(login)
    assert await login.endpoint() is None
    assert login.state.is_well
    await login.close()


class TestAccountsOfOneProcess:
    """
    They share what is known of their keys and users.
    """

    async def test_that_have_one_access_key_make_two_bad_tries(self, answer_raw: AnswerRaw) -> None:
        server = await answer_raw(http("401 Unauthorized", b'{"error_code": "APIG.0301"}'), stays=True)
        credentials = AkskCredentials(Secret("AK"), Secret("wrong"))
        accounts = [Account(name, credentials, api_url=server.url, tenant_ids=frozenset({name})) for name in "abcd"]

        async with open_clouds(options_of(*accounts)) as clouds:
            for name in "abcd" * 2:
                await clouds.list_services("r", name)

        assert 2 == len(server.requests)

    async def test_that_have_one_user_are_refused_twice(self, answer_raw: AnswerRaw) -> None:
        server = await answer_raw(http("401 Unauthorized", b'{"error": {"message": "wrong"}}'), stays=True)
        accounts = [
            Account(name, PasswordCredentials(f"{server.url}/v3", USER, Secret("wrong"), Identity(name)))
            for name in "abcdef"
        ]

        async with open_clouds(options_of(*accounts)) as clouds:
            await clouds.log_in()

        assert 2 == len(server.requests)
        assert not any(state.is_well for state in clouds.logins.values())

    async def test_learn_nothing_of_a_key_from_a_gateway_that_throttles(self, answer_raw: AnswerRaw) -> None:
        """
        It may throttle before it looks at the signature.
        """
        server = await answer_raw(http("429 Too Many Requests"), NOTHING_LISTED, stays=True)
        account = Account("a", AkskCredentials(Secret("AK"), Secret("SK")), api_url=server.url)

        async with open_clouds(options_of(account)) as clouds:
            await clouds.probe()
            after_429 = clouds.logins["a"]
            await clouds.probe()
            after_200 = clouds.logins["a"]

        assert "the access key of account a was not tried yet" == after_429.words
        assert "the access key of account a is accepted" == after_200.words

    @pytest.mark.parametrize("way", ["token", "access key"])
    async def test_are_well_again_when_their_file_is_replaced(
        self, answer_raw: AnswerRaw, tmp_path: Path, way: str
    ) -> None:
        """
        Without a request, so that those that wait are woken.
        """
        path = tmp_path / "secret"
        path.write_text("OLD", encoding="ascii")
        server = await answer_raw(http("401 Unauthorized", b'{"error_code": "APIG.0301"}'), stays=True)
        secret = Secret(path=path)
        credentials = TokenCredentials(secret) if way == "token" else AkskCredentials(secret, Secret("SK"))

        async with open_clouds(options_of(Account("a", credentials, api_url=server.url))) as clouds:
            keeping = asyncio.create_task(clouds.keep_logged_in())
            recovered = asyncio.create_task(clouds.recovered())
            for _ in range(3):
                await clouds.probe()
            before = clouds.logins["a"]
            path.write_text("REPLACED", encoding="ascii")
            await asyncio.wait_for(recovered, 5)
            keeping.cancel()
            after = clouds.logins["a"]

        assert (False, True) == (before.is_well, after.is_well)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-3.0, "0 s"),
        (12.4, "12 s"),
        (59.6, "1 min"),
        (1200.0, "20 min"),
        (3600.0, "1 h"),
        (83_400.0, "23 h 10 min"),
        (86_400.0, "24 h"),
    ],
)
def test_a_duration_reads_as_a_person_says_it(seconds: float, expected: str) -> None:
    assert expected == duration(seconds)
