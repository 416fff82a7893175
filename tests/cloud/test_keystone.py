"""
Token logins against the simulated identity service, over real HTTP: one login, however many want it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from yarl import URL

from tests.cloud.conftest import ask
from worker.accounts.account import Account, ApplicationCredentials, Identity, PasswordCredentials
from worker.accounts.secret import Secret
from worker.cloud.call import Call
from worker.cloud.identity_api import UserRecords
from worker.cloud.keystone import TokenLogin
from worker.cloud.login import LoginFailed
from worker.cloud.reply import Reply
from worker.cloud.transport import Transport
from worker.core.meanings import Fault
from worker.simulator import Simulator, SimulatorConfig, User, start_simulator

OpenTransport = Callable[..., Awaitable[Transport]]
Credentials = PasswordCredentials | ApplicationCredentials
REFUSED = Fault(401, None, "The token is gone.", None)
USER = User(
    "shop-user",
    "pass-word",
    project_id="p" * 32,
    project_name="shop-project",
    application_credential_id="c" * 32,
    application_credential_name="worker",
    application_credential_secret="cred-secret",
)


class Shop:
    """
    A simulated cloud with an identity service, a transport, and logins of its one user.
    """

    def __init__(self, cloud: Simulator, transport: Transport, stack: AsyncExitStack) -> None:
        self.cloud = cloud
        self.transport = transport
        self._stack = stack

    def login(self, credentials: Credentials | None = None, **settings: Any) -> TokenLogin:
        account = Account("shop", credentials or self.by_password(), region=settings.pop("region", None))
        login = TokenLogin(account, credentials or self.by_password(), self.transport, **settings)
        self._stack.push_async_callback(login.close)
        return login

    def by_password(self, password: Secret | None = None) -> PasswordCredentials:
        user = Identity(name=USER.name, domain_name=USER.domain)
        project = Identity(name=USER.project_name, domain_name=USER.domain)
        return PasswordCredentials(f"{self.cloud.url}/v3", user, password or Secret(USER.password), project)

    def by_credential(self) -> ApplicationCredentials:
        secret = Secret(USER.application_credential_secret)
        return ApplicationCredentials(f"{self.cloud.url}/v3", USER.application_credential_id, None, None, secret)

    def call(self) -> Call:
        return Call("GET", URL(f"{self.cloud.url}/v2.0/vpn/vpnservices"))

    @property
    def logins(self) -> int:
        return self.cloud.state.calls["token"]


@pytest.fixture
def open_shop(stack: AsyncExitStack, open_transport: OpenTransport) -> Callable[..., Awaitable[Shop]]:
    async def open_shop(**settings: Any) -> Shop:
        cloud = await start_simulator(SimulatorConfig(users=(USER,), **settings))
        stack.push_async_callback(cloud.close)
        return Shop(cloud, await open_transport(), stack)

    return open_shop


OpenShop = Callable[..., Awaitable[Shop]]


def variants(shop: Shop) -> dict[str, Credentials]:
    password, credential = shop.by_password(), shop.by_credential()
    return {
        "names": password,
        "ids": replace(password, user=Identity(USER.id), project=Identity(USER.project_id)),
        "domain id": replace(password, user=Identity(name=USER.name, domain_id=USER.domain_id)),
        "credential id": credential,
        "credential name": replace(
            credential, id=None, name="worker", user=Identity(name=USER.name, domain_name=USER.domain)
        ),
        "slash": replace(password, iam_url=f"{password.iam_url}/"),
    }


@pytest.mark.parametrize("variant", ["names", "ids", "domain id", "credential id", "credential name", "slash"])
async def test_every_way_to_name_who_logs_in_gives_a_token_that_works(open_shop: OpenShop, variant: str) -> None:
    shop = await open_shop()
    login = shop.login(variants(shop)[variant])
    before = login.state

    with capture_logs() as logs:
        reply = await ask(shop.transport, login, shop.call())

    sent = await login.headers(shop.call())
    assert isinstance(reply, Reply)
    assert 200 == reply.status
    assert 1 == shop.logins
    assert (True, "account shop did not need to log in yet") == (before.is_well, before.words)
    assert (True, "token of account shop, good for 24 h") == (login.state.is_well, login.state.words)
    assert [("login.succeeded", "shop", 86_400)] == [(one["event"], one["account"], one["lifetime_s"]) for one in logs]
    assert not isinstance(sent, LoginFailed)
    assert sent["X-Auth-Token"] not in f"{logs}{login.state}{vars(login)}"


async def test_two_hundred_at_once_cause_one_login(open_shop: OpenShop) -> None:
    shop = await open_shop()
    login = shop.login()

    replies = await asyncio.gather(*(ask(shop.transport, login, shop.call()) for _ in range(200)))

    assert {200} == {reply.status for reply in replies if isinstance(reply, Reply)}
    assert 1 == shop.logins


async def test_two_hundred_that_are_refused_at_once_cause_one_login(open_shop: OpenShop) -> None:
    shop = await open_shop()
    login = shop.login(records=UserRecords(calm_s=0.0))
    await ask(shop.transport, login, shop.call())
    shop.cloud.state.accounts.revoke()

    replies = await asyncio.gather(*(ask(shop.transport, login, shop.call()) for _ in range(200)))

    assert {200} == {reply.status for reply in replies if isinstance(reply, Reply)}
    assert 2 == shop.logins


async def test_who_was_refused_with_an_older_token_is_sent_on_at_once(open_shop: OpenShop) -> None:
    shop = await open_shop()
    login = shop.login(records=UserRecords(calm_s=0.0))
    old = await login.headers(shop.call())
    assert not isinstance(old, LoginFailed)
    await login.renew(old, REFUSED, None)

    assert await login.renew(old, REFUSED, None) is None
    assert 2 == shop.logins


async def test_a_new_token_that_is_refused_is_no_reason_for_another(open_shop: OpenShop) -> None:
    """
    The role is missing, or the project is the wrong one: logging in again and again would not help.
    """
    shop = await open_shop()
    login = shop.login()
    sent = await login.headers(shop.call())
    assert not isinstance(sent, LoginFailed)

    with capture_logs() as logs:
        failures = [await login.renew(sent, REFUSED, None) for _ in range(3)]
    told = login.state

    for failed in failures:
        assert isinstance(failed, LoginFailed)
        assert ("credentials_refused", True) == (failed.trouble.code, failed.is_settings_fault)
        assert "check its roles and its project. The cloud says: The token is gone." in failed.trouble.message
    assert 1 == shop.logins
    assert ["login.token_refused"] == [line["event"] for line in logs]
    assert not told.is_well
    assert sent == await login.headers(shop.call())
    login.finished(sent, is_accepted=True)
    assert login.state.is_well


async def test_who_stops_waiting_leaves_the_login_to_the_others(open_shop: OpenShop) -> None:
    shop = await open_shop(login_ms=100)
    login = shop.login()
    impatient = asyncio.create_task(login.headers(shop.call()))
    patient = asyncio.create_task(login.headers(shop.call()))
    await asyncio.wait_for(shop.cloud.until(lambda state: state.calls["token"] == 1), 2)

    impatient.cancel()
    sent = await asyncio.wait_for(patient, 2)

    assert impatient.cancelled()
    assert not isinstance(sent, LoginFailed)
    assert 1 == shop.logins


async def test_closing_ends_a_login_that_is_under_way(open_shop: OpenShop) -> None:
    shop = await open_shop(login_ms=60_000)
    login = shop.login()
    waiting = asyncio.create_task(login.headers(shop.call()))
    await asyncio.wait_for(shop.cloud.until(lambda state: state.calls["token"] == 1), 2)

    await asyncio.wait_for(login.close(), 1)

    assert isinstance(await asyncio.wait_for(waiting, 1), LoginFailed)
    assert "login shop" not in {task.get_name() for task in asyncio.all_tasks()}


async def test_a_refused_login_names_account_user_and_host_but_no_secret(open_shop: OpenShop) -> None:
    shop = await open_shop()
    wrong: dict[str, Credentials] = {
        "user shop-user": shop.by_password(Secret("wrong-word")),
        f"application credential {'c' * 32}": replace(shop.by_credential(), secret=Secret("wrong-word")),
    }

    for who, credentials in wrong.items():
        login = shop.login(credentials)
        with capture_logs() as logs:
            failures = await asyncio.gather(*(login.headers(shop.call()) for _ in range(50)))

        failed = failures[0]
        assert isinstance(failed, LoginFailed)
        assert ("login_refused", True, 401) == (
            failed.trouble.code,
            failed.is_settings_fault,
            failed.trouble.http_status,
        )
        assert f"The login of {who} for account shop: 127.0.0.1 refuses it" in failed.trouble.message
        assert {failed} == set(failures)
        assert ["login.refused"] == [line["event"] for line in logs]
        assert "wrong-word" not in f"{failures}{logs}{login.state}{login}"
        assert (False, failed.trouble.message) == (login.state.is_well, login.state.words)
    assert 2 == shop.logins


async def test_a_refused_login_is_tried_again_at_once_when_the_secret_was_replaced(
    open_shop: OpenShop, tmp_path: Path
) -> None:
    shop, path = await open_shop(), tmp_path / "password"
    path.write_text("wrong\n", encoding="ascii")
    login = shop.login(shop.by_password(Secret(path=path)))
    for _ in range(3):
        assert isinstance(await login.headers(shop.call()), LoginFailed)
    assert 1 == shop.logins

    path.write_text(f"{USER.password}\n", encoding="ascii")

    assert isinstance(await ask(shop.transport, login, shop.call()), Reply)
    assert 2 == shop.logins
    assert login.state.is_well


async def test_a_secret_file_that_is_gone_is_told_once_and_used_when_it_is_back(
    open_shop: OpenShop, tmp_path: Path
) -> None:
    shop, path = await open_shop(), tmp_path / "password"
    login = shop.login(shop.by_password(Secret(path=path)))

    with capture_logs() as logs:
        failures = [await login.headers(shop.call()) for _ in range(3)]
    path.write_text(f"{USER.password}\n", encoding="ascii")

    for failed in failures:
        assert isinstance(failed, LoginFailed)
        assert ("secret_unreadable", True) == (failed.trouble.code, failed.is_settings_fault)
    assert ["login.refused"] == [line["event"] for line in logs]
    assert 0 == shop.logins
    assert isinstance(await ask(shop.transport, login, shop.call()), Reply)


async def test_a_changed_password_kills_the_token_and_the_login_says_so(open_shop: OpenShop) -> None:
    shop = await open_shop()
    login = shop.login(records=UserRecords(calm_s=0.0))
    await ask(shop.transport, login, shop.call())
    shop.cloud.state.accounts.change_password(USER.name, "another")

    failed = await ask(shop.transport, login, shop.call())

    assert isinstance(failed, LoginFailed)
    assert "login_refused" == failed.trouble.code


@pytest.mark.parametrize("path", ["", "/v2.0/vpn/vpnservices", "/v4"])
async def test_a_wrong_iam_url_is_told_apart_from_a_wrong_password(open_shop: OpenShop, path: str) -> None:
    shop = await open_shop()
    login = shop.login(replace(shop.by_password(), iam_url=f"{shop.cloud.url}{path}"))

    failed = await login.headers(shop.call())

    assert isinstance(failed, LoginFailed)
    assert ("iam_url_wrong", True) == (failed.trouble.code, failed.is_settings_fault)
    assert "it usually ends in /v3" in failed.trouble.message


async def test_the_catalog_tells_where_the_api_is(open_shop: OpenShop) -> None:
    shop = await open_shop()
    login = shop.login(catalog_types=("vpc", "network"))

    told = await asyncio.gather(*(login.endpoint() for _ in range(20)))

    assert {URL(shop.cloud.url)} == set(told)
    assert 1 == shop.logins
    assert await shop.login().endpoint() is None


@pytest.mark.parametrize(
    ("settings", "region", "words"),
    [
        ({}, "eu-nl", "no endpoint in region eu-nl; it has eu-de."),
        ({"has_network_endpoint": False}, None, "no service of type network"),
    ],
)
async def test_a_catalog_without_our_api_is_a_settings_fault_that_says_what_there_is(
    open_shop: OpenShop, settings: dict[str, Any], region: str | None, words: str
) -> None:
    shop = await open_shop(**settings)
    login = shop.login(catalog_types=("network",), region=region)

    told = [await login.endpoint() for _ in range(3)]

    for failed in told:
        assert isinstance(failed, LoginFailed)
        assert ("endpoint_unknown", True) == (failed.trouble.code, failed.is_settings_fault)
        assert words in failed.trouble.message
    assert 1 == shop.logins
