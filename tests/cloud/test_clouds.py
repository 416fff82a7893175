"""
Several accounts over real HTTP: who is asked for whom, and whose trouble is whose.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.authority import Authority
from tests.cloud.conftest import RawServer, http
from tests.cloud.test_caller import BODY, CREATED, POLICY, UNAUTHORIZED, tokens
from worker.accounts.account import (
    Account,
    AkskCredentials,
    Identity,
    NoCredentials,
    PasswordCredentials,
    TokenCredentials,
)
from worker.accounts.secret import Secret
from worker.cloud.clouds import CloudOptions, Clouds, open_clouds
from worker.cloud.options import TransportOptions
from worker.core.answers import Busy, Created, Listed, Misconfigured, Refused, Service
from worker.ports import Page, Paging
from worker.profiles import profile_named
from worker.simulator import Simulator, SimulatorConfig, User, start_simulator

AnswerRaw = Callable[..., Awaitable[RawServer]]
Open = Callable[..., Awaitable[Clouds]]
StartCloud = Callable[..., Awaitable[Simulator]]

NOTHING_LISTED = http("200 OK", b'{"vpnservices": []}')
METHOD_NOT_ALLOWED = {"fault": "answer", "status": 405, "body": "", "on": "any", "times": None}
USERS = (
    User("user-a", "password-a", project_id="a" * 32, project_name="a"),
    User("user-b", "password-b", project_id="b" * 32, project_name="b"),
)


@pytest.fixture
async def open_all(stack: AsyncExitStack) -> Open:
    """
    Opens the cloud as these accounts.
    """

    async def open_all(*accounts: Account, profile: str = "otc", **settings: Any) -> Clouds:
        transport = TransportOptions(total_timeout_s=5.0)
        options = CloudOptions(profile_named(profile), accounts, transport, **settings)
        return await stack.enter_async_context(open_clouds(options))

    return open_all


@pytest.fixture
async def start_cloud() -> AsyncIterator[StartCloud]:
    """
    Starts simulated clouds that end with the test.
    """
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> Simulator:
            simulator = await start_simulator(SimulatorConfig(**settings))
            stack.push_async_callback(simulator.close)
            return simulator

        yield start


def by_token(name: str, url: str | None, *tenants: str, is_default: bool = False, **settings: Any) -> Account:
    """
    An account that sends its own name as the token; of every tenant when none is named.
    """
    tenant_ids = frozenset(tenants) or None
    credentials = TokenCredentials(Secret(name))
    return Account(name, credentials, api_url=url, tenant_ids=tenant_ids, is_default=is_default, **settings)


def by_password(user: User, cloud: Simulator, **settings: Any) -> Account:
    """
    An account that finds the API in the catalog.
    """
    credentials = PasswordCredentials(
        f"{cloud.url}/v3", Identity(id=user.id), Secret(user.password), Identity(id=user.project_id)
    )
    return Account(user.name, credentials, tenant_ids=frozenset({user.project_id}), is_default=False, **settings)


class TestEveryCall:
    @pytest.mark.parametrize(("tenant_id", "name"), [("t-a", "a"), ("t-b", "b"), (None, "b"), ("t-c", "a")])
    async def test_is_made_as_the_account_of_its_tenant(
        self, answer_raw: AnswerRaw, open_all: Open, tenant_id: str | None, name: str
    ) -> None:
        server = await answer_raw(CREATED, stays=True)
        clouds = await open_all(
            by_token("a", server.url, "t-a", "t-c"), by_token("b", server.url, "t-b", is_default=True)
        )

        await clouds.create(BODY, tenant_id)
        await clouds.list_services("r", tenant_id)
        await clouds.list_page(tenant_id)
        await clouds.show("s", tenant_id)
        await clouds.delete("s", tenant_id)

        assert [name] * 5 == tokens(server)

    @pytest.mark.parametrize(("tenant_id", "name"), [("t-a", "a"), ("t-z", "b"), (None, "b")])
    async def test_is_made_as_the_default_account_when_that_one_serves_everybody(
        self, answer_raw: AnswerRaw, open_all: Open, tenant_id: str | None, name: str
    ) -> None:
        server = await answer_raw(CREATED, stays=True)
        clouds = await open_all(by_token("a", server.url, "t-a"), by_token("b", server.url, is_default=True))

        assert isinstance(await clouds.create(BODY, tenant_id), Created)
        assert [name] == tokens(server)

    @pytest.mark.parametrize(("tenant_id", "has_default"), [("t-z", True), ("t-z", False), (None, False)])
    async def test_of_nobodys_tenant_is_not_made(
        self, answer_raw: AnswerRaw, open_all: Open, tenant_id: str | None, has_default: bool
    ) -> None:
        """
        Its account was taken out of the file while the request waited: it waits on, and harms nobody else.
        """
        server = await answer_raw(CREATED, stays=True)
        clouds = await open_all(
            by_token("a", server.url, "t-a"), by_token("b", server.url, "t-b", is_default=has_default)
        )

        answers = [
            await clouds.create(BODY, tenant_id),
            await clouds.list_services("r", tenant_id),
            await clouds.list_page(tenant_id),
            await clouds.show("s", tenant_id),
            await clouds.delete("s", tenant_id),
        ]

        for answer in answers:
            assert isinstance(answer, Misconfigured)
            assert ("no_account", True) == (answer.trouble.code, answer.is_account_only)
        assert [] == server.requests


class TestTrouble:
    @pytest.mark.parametrize("is_alone", [True, False])
    async def test_of_credentials_is_the_accounts_own_among_several(
        self, answer_raw: AnswerRaw, open_all: Open, is_alone: bool
    ) -> None:
        server = await answer_raw(UNAUTHORIZED, stays=True)
        others = () if is_alone else (by_token("b", server.url, "t-b"),)
        clouds = await open_all(by_token("a", server.url, "t-a"), *others)

        answers = [await clouds.create(BODY, "t-a"), await clouds.list_services("r", "t-a")]

        for answer in answers:
            assert isinstance(answer, Misconfigured)
            assert ("credentials_refused", not is_alone) == (answer.trouble.code, answer.is_account_only)

    @pytest.mark.parametrize("is_alone", [True, False])
    async def test_of_a_role_is_the_accounts_own_among_several(
        self, answer_raw: AnswerRaw, open_all: Open, is_alone: bool
    ) -> None:
        server = await answer_raw(POLICY, stays=True)
        others = () if is_alone else (by_token("b", server.url, "t-b"),)
        clouds = await open_all(by_token("a", server.url, "t-a"), *others)

        answer = await clouds.create(BODY, "t-a")

        assert isinstance(answer, Refused)
        assert (not is_alone) is answer.is_account_only

    @pytest.mark.parametrize(
        ("second_url", "is_own"), [("http://127.0.0.1:9", False), ("http://127.0.0.1:10", True)], ids=["same", "other"]
    )
    async def test_of_an_endpoint_is_the_accounts_own_where_others_have_another(
        self, open_all: Open, second_url: str, is_own: bool
    ) -> None:
        clouds = await open_all(by_token("a", "http://127.0.0.1:9", "t-a"), by_token("b", second_url, "t-b"))

        answers = [await clouds.create(BODY, "t-a"), await clouds.list_services("r", "t-a")]

        for answer in answers:
            assert isinstance(answer, Busy)
            assert is_own is answer.is_account_only

    @pytest.mark.parametrize("is_own", [False, True], ids=["same", "other"])
    async def test_of_a_certificate_is_the_accounts_own_where_others_have_another_endpoint(
        self, answer_raw: AnswerRaw, authority: Authority, open_all: Open, is_own: bool
    ) -> None:
        server = await answer_raw(CREATED, tls=authority.server("stranger"))
        second_url = "http://127.0.0.1:9" if is_own else server.url
        clouds = await open_all(by_token("a", server.url, "t-a"), by_token("b", second_url, "t-b"))

        answers = [await clouds.create(BODY, "t-a"), await clouds.list_services("r", "t-a")]

        for answer in answers:
            assert isinstance(answer, Misconfigured)
            assert ("certificate_refused", is_own) == (answer.trouble.code, answer.is_account_only)

    @pytest.mark.parametrize("is_own", [False, True], ids=["same", "other"])
    async def test_of_an_endpoint_in_a_catalog_is_the_accounts_own_where_others_log_in_elsewhere(
        self, open_all: Open, start_cloud: StartCloud, is_own: bool
    ) -> None:
        """
        No setting names an endpoint there, and yet the two accounts are in two clouds.
        """
        broken = await start_cloud(users=USERS, faults=(METHOD_NOT_ALLOWED,))
        other = await start_cloud(users=USERS) if is_own else broken
        clouds = await open_all(by_password(USERS[0], broken), by_password(USERS[1], other))

        answer = await clouds.create(BODY, USERS[0].project_id)

        assert isinstance(answer, Misconfigured)
        assert ("endpoint_wrong", is_own) == (answer.trouble.code, answer.is_account_only)

    async def test_of_one_account_leaves_the_others_alone(self, open_all: Open, start_cloud: StartCloud) -> None:
        cloud = await start_cloud(users=USERS)
        a, b = (by_password(user, cloud) for user in USERS)
        clouds = await open_all(a, b, calm_s=0.0)
        cloud.state.accounts.change_password(USERS[0].name, "another")

        refused = await clouds.create(BODY, USERS[0].project_id)
        created = await clouds.create(BODY, USERS[1].project_id)

        assert isinstance(refused, Misconfigured)
        assert isinstance(created, Created)
        assert USERS[1].project_id == created.service.attributes["tenant_id"]
        assert {"user-a": False, "user-b": True} == {name: state.is_well for name, state in clouds.logins.items()}

    async def test_that_keeps_all_of_them_out_is_everybodys(self, open_all: Open, start_cloud: StartCloud) -> None:
        """
        The identity service is down: the queue must wait, rather than each request on a rung.
        """
        cloud = await start_cloud(users=USERS)
        cloud.state.faults.add({"fault": "error_503", "on": "token", "times": None})
        clouds = await open_all(*(by_password(user, cloud) for user in USERS))
        await clouds.log_in()

        answers = [
            await clouds.create(BODY, USERS[0].project_id),
            await clouds.list_services("r", USERS[1].project_id),
            await clouds.list_page(USERS[0].project_id),
            await clouds.show("s", USERS[1].project_id),
        ]

        for answer in answers:
            assert isinstance(answer, Busy)
            assert not answer.is_account_only

    async def test_that_keeps_every_endpoint_out_of_reach_is_everybodys(self, open_all: Open) -> None:
        clouds = await open_all(by_token("a", "http://127.0.0.1:9", "t-a"), by_token("b", "http://127.0.0.1:10", "t-b"))

        answers = [await clouds.create(BODY, tenant_id) for tenant_id in ("t-a", "t-b", "t-a")]

        assert [True, False, False] == [getattr(answer, "is_account_only", None) for answer in answers]

    async def test_that_is_mended_is_noticed_without_a_request(self, open_all: Open, start_cloud: StartCloud) -> None:
        cloud = await start_cloud(users=USERS)
        cloud.state.accounts.change_password(USERS[0].name, "another")
        clouds = await open_all(*(by_password(user, cloud) for user in USERS), calm_s=0.0)
        await clouds.log_in()
        keeping = asyncio.create_task(clouds.keep_logged_in())
        recovered = asyncio.create_task(clouds.recovered())
        await asyncio.sleep(0)

        assert not recovered.done()

        assert USERS[0].password is not None
        cloud.state.accounts.change_password(USERS[0].name, USERS[0].password)
        async with asyncio.timeout(10.0):
            await recovered
        keeping.cancel()
        assert all(state.is_well for state in clouds.logins.values())


class TestTheProbe:
    async def test_asks_the_next_account_when_one_has_a_trouble_of_its_own(
        self, answer_raw: AnswerRaw, open_all: Open
    ) -> None:
        server = await answer_raw(UNAUTHORIZED, NOTHING_LISTED, stays=True)
        clouds = await open_all(by_token("a", server.url, "t-a"), by_token("b", server.url, "t-b"))

        assert Listed(()) == await clouds.probe()
        assert ["a", "b"] == tokens(server)

    async def test_asks_an_account_that_is_well_before_one_that_is_not(
        self, answer_raw: AnswerRaw, open_all: Open
    ) -> None:
        """
        Each try with a bad key counts towards its lock.
        """
        server = await answer_raw(UNAUTHORIZED, NOTHING_LISTED, stays=True)
        clouds = await open_all(by_token("a", server.url, "t-a"), by_token("b", server.url, "t-b"))
        await clouds.create(BODY, "t-a")

        assert Listed(()) == await clouds.probe()
        assert ["a", "b"] == tokens(server)

    @pytest.mark.parametrize("refusal", [http("503 Service Unavailable"), POLICY], ids=["503", "403"])
    async def test_goes_on_until_one_account_is_answered(
        self, answer_raw: AnswerRaw, open_all: Open, refusal: bytes
    ) -> None:
        """
        One that may not list, or whose own endpoint is down, must not keep all the others waiting.
        """
        server = await answer_raw(refusal, NOTHING_LISTED, stays=True)
        clouds = await open_all(by_token("a", server.url, "t-a"), by_token("b", server.url, "t-b"))

        assert Listed(()) == await clouds.probe()
        assert ["a", "b"] == tokens(server)

    async def test_tells_a_trouble_when_every_account_has_one(self, answer_raw: AnswerRaw, open_all: Open) -> None:
        server = await answer_raw(UNAUTHORIZED, stays=True)
        clouds = await open_all(by_token("a", server.url, "t-a"), by_token("b", server.url, "t-b"))

        assert isinstance(await clouds.probe(), Misconfigured)
        assert ["a", "b"] == tokens(server)


class TestTheEndpoint:
    async def test_is_the_regions_host_where_nothing_else_tells(self, open_all: Open) -> None:
        """
        The fence around the tests tells which host it was.
        """
        key = AkskCredentials(Secret("access"), Secret("secret"), project_id="p")
        clouds = await open_all(Account("a", key, region="eu-nl"))

        with pytest.raises(RuntimeError, match=r"vpc\.eu-nl\.otc\.t-systems\.com"):
            await clouds.create(BODY, None)

    async def test_is_not_known_where_the_cloud_has_no_rule_for_hosts(self, open_all: Open) -> None:
        clouds = await open_all(Account("a", NoCredentials(), region="RegionOne"), profile="openstack")

        answer = await clouds.create(BODY, None)

        assert isinstance(answer, Misconfigured)
        assert "endpoint_unknown" == answer.trouble.code


async def test_pages_are_those_of_the_account_of_the_tenant(open_all: Open, start_cloud: StartCloud) -> None:
    """
    Also of one page after the other: the next link of one account is nothing to another.
    """
    cloud = await start_cloud(users=USERS, page_limit=1)
    clouds: Paging = await open_all(*(by_password(user, cloud) for user in USERS))
    made = {
        user.project_id: cloud.state.create({"router_id": f"r-{user.name}", "name": "n"}, user.project_id).id
        for user in USERS
    }

    firsts = {tenant_id: await clouds.list_page(tenant_id) for tenant_id in made}
    lasts = [await clouds.list_page(tenant_id, getattr(first, "next", None)) for tenant_id, first in firsts.items()]

    shown = {tenant_id: [one.id for one in getattr(first, "services", ())] for tenant_id, first in firsts.items()}
    assert {tenant_id: [service_id] for tenant_id, service_id in made.items()} == shown
    assert [Page(()), Page(())] == lasts


async def test_logging_in_ahead_logs_every_account_in(open_all: Open, start_cloud: StartCloud) -> None:
    cloud = await start_cloud(users=USERS)
    clouds = await open_all(*(by_password(user, cloud) for user in USERS))

    await clouds.log_in()

    assert 2 == cloud.state.calls["token"]
    assert ["good for 24 h", "good for 24 h"] == [state.words[-13:] for state in clouds.logins.values()]


async def test_what_an_account_made_it_alone_is_shown_and_deletes(open_all: Open, start_cloud: StartCloud) -> None:
    cloud = await start_cloud(users=USERS)
    clouds = await open_all(*(by_password(user, cloud) for user in USERS))
    mine, others = (user.project_id for user in USERS)
    created = await clouds.create(BODY, mine)
    assert isinstance(created, Created)

    seen_by_others = await clouds.show(created.service.id, others)
    seen = await clouds.show(created.service.id, mine)
    deleted = await clouds.delete(created.service.id, mine)

    assert Listed(()) == seen_by_others
    assert isinstance(seen, Service)
    assert deleted is None
    assert not cloud.state.services
