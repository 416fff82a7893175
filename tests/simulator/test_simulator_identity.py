"""
Logging in: what proves a user, what a token says, and what is refused without saying why.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.simulator.asking import PATH, TOKENS, HandClock, by_credential, by_password, token_of
from worker.simulator import Simulator, User

Start = Callable[..., Awaitable[tuple[Simulator, ClientSession]]]
ANN = User(
    "ann",
    "secret",
    id="u-ann",
    project_id="p1",
    project_name="one",
    application_credential_id="c-ann",
    application_credential_name="robot",
    application_credential_secret="hush",
)
BOB = User("bob", "geheim", project_id="p2", project_name="two", role="member")
ANN_ELSEWHERE = User("ann", "secret", id="u-ann", project_id="p3", project_name="three")
USERS = (ANN, BOB, ANN_ELSEWHERE)
DEFAULT_DOMAIN = {"domain": {"name": "Default"}}


async def login(client: ClientSession, body: Any) -> tuple[int, Any, str]:
    async with client.post(TOKENS, json=body) as answer:
        return answer.status, await answer.json(), answer.headers.get("X-Subject-Token", "")


@pytest.mark.parametrize("dialect", ["otc", "huawei", "openstack"])
@pytest.mark.parametrize(
    ("body", "project_id"),
    [
        (by_password("ann", "secret", {"id": "p1"}), "p1"),
        (by_password("ann", "secret", {"id": "p3"}), "p3"),
        (by_password("ann", "secret", {"name": "one", **DEFAULT_DOMAIN}), "p1"),
        (by_password("ann", "secret", {"name": "three", "domain": {"id": "default"}}), "p3"),
        (by_password("ann", "secret", {"id": "p1"}, domain={"id": "default"}), "p1"),
        (by_password("ignored", "secret", {"id": "p1"}, id="u-ann"), "p1"),
        (by_credential(id="c-ann", secret="hush"), "p1"),
        (by_credential(name="robot", secret="hush", user={"name": "ann", **DEFAULT_DOMAIN}), "p1"),
        (by_credential(name="robot", secret="hush", user={"id": "u-ann"}), "p1"),
    ],
)
async def test_a_right_login_gives_a_token_for_its_project(
    start: Start, dialect: str, body: dict[str, Any], project_id: str
) -> None:
    simulator, client = await start(users=USERS, dialect=dialect)

    status, said, token = await login(client, body)
    async with client.get(PATH, headers={"X-Auth-Token": token}) as answer:
        listed = answer.status

    assert (201, 200) == (status, listed)
    assert project_id == said["token"]["project"]["id"]
    assert body["auth"]["identity"]["methods"] == said["token"]["methods"]
    assert 1 == simulator.state.calls["token"]
    assert {} == simulator.state.failed_logins


@pytest.mark.parametrize(
    "body",
    [
        by_password("ann", "wrong", {"id": "p1"}),
        by_password("ann", "geheim", {"id": "p1"}),
        by_password("ann", "", {"id": "p1"}),
        by_password("ann", "secret", {"id": "p2"}),
        by_password("ann", "secret", {"id": "unknown"}),
        by_password("ann", "secret", {"name": "one", "domain": {"name": "Elsewhere"}}),
        by_password("ann", "secret", {}, domain={"name": "Elsewhere"}),
        by_password("ann", "secret", None),
        by_credential(id="c-ann", secret="wrong"),
        by_credential(name="other", secret="hush", user={"name": "ann", **DEFAULT_DOMAIN}),
        {"auth": {**by_credential(id="c-ann", secret="hush")["auth"], "scope": {"project": {"id": "p1"}}}},
        {"auth": {"identity": {"methods": ["totp"], "totp": {}}}},
    ],
)
async def test_a_wrong_login_is_refused_and_counted(start: Start, body: dict[str, Any]) -> None:
    simulator, client = await start(users=USERS)

    status, said, token = await login(client, body)

    assert (401, "") == (status, token)
    assert {
        "code": 401,
        "message": "The request you have made requires authentication.",
        "title": "Unauthorized",
    } == said["error"]
    assert 1 == simulator.state.failed_logins.total()
    assert 0 == simulator.state.accounts.tokens.count()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "auth"),
        ({}, "auth"),
        ({"auth": {}}, "identity"),
        ({"auth": {"identity": {}}}, "methods"),
        ({"auth": {"identity": {"methods": ["password"]}}}, "password"),
        (by_password("ann", None, {"id": "p1"}), "password"),  # type: ignore[arg-type]
        (by_password("ann", "secret", {"id": "p1"}, domain=None), "domain"),
        (by_credential(id="c-ann"), "secret"),
        (by_credential(secret="hush"), "id or name"),
        (by_credential(name="robot", secret="hush"), "user"),
    ],
)
async def test_a_login_that_lacks_something_is_told_what(start: Start, body: object, said: str) -> None:
    _, client = await start(users=USERS)

    status, answer, _ = await login(client, body)

    assert 400 == status
    assert f"Expecting to find {said}" in answer["error"]["message"].replace("exactly one of ", "")


async def test_a_login_that_is_no_json_is_refused(start: Start) -> None:
    _, client = await start(users=USERS)

    async with client.post(TOKENS, data=b"{") as answer:
        assert 400 == answer.status
        assert "Bad Request" == (await answer.json())["error"]["title"]


@pytest.mark.parametrize(("dialect", "status"), [("otc", 201), ("huawei", 201), ("openstack", 400)])
async def test_only_keystone_insists_on_the_domain_of_a_project(start: Start, dialect: str, status: int) -> None:
    _, client = await start(users=USERS, dialect=dialect)

    assert status == (await login(client, by_password("ann", "secret", {"name": "one"})))[0]


async def test_failed_logins_are_counted_for_each_account(start: Start) -> None:
    simulator, client = await start(users=USERS)

    for body in (by_password("ann", "x", None), by_password("ann", "y", None), by_credential(id="c-ann", secret="x")):
        await login(client, body)

    assert {"ann": 2, "c-ann": 1} == simulator.state.failed_logins
    assert 3 == simulator.state.calls["token"]


async def test_a_token_says_who_until_when_and_where(start: Start) -> None:
    simulator, client = await start(users=USERS, clock=HandClock(), token_ttl_s=3600, region="eu-nl")

    _, said, _ = await login(client, by_password("bob", "geheim", {"id": "p2"}))

    token = said["token"]
    assert ("2020-09-13T12:26:40.000000Z", "2020-09-13T13:26:40.000000Z") == (token["issued_at"], token["expires_at"])
    assert ("bob", "two", "member") == (token["user"]["name"], token["project"]["name"], token["roles"][0]["name"])
    (network,) = [service for service in token["catalog"] if service["type"] == "network"]
    assert [("public", "eu-nl", simulator.url), ("internal", "eu-nl", simulator.url)] == [
        (endpoint["interface"], endpoint["region"], endpoint["url"]) for endpoint in network["endpoints"]
    ]


@pytest.mark.parametrize(
    ("settings", "types", "regions"),
    [
        ({"has_network_endpoint": False}, {"identity"}, {"eu-de"}),
        ({"region": None}, {"identity", "network"}, {None}),
    ],
)
async def test_a_catalog_can_lack_what_a_client_looks_for(
    start: Start, settings: dict[str, Any], types: set[str], regions: set[str | None]
) -> None:
    _, client = await start(users=USERS, **settings)

    _, said, _ = await login(client, by_password("ann", "secret", {"id": "p1"}))

    catalog = said["token"]["catalog"]
    assert types == {service["type"] for service in catalog}
    assert regions == {endpoint["region"] for service in catalog for endpoint in service["endpoints"]}


async def test_a_token_can_be_shown_and_revoked_over_the_wire(start: Start) -> None:
    _, client = await start(users=USERS)
    token = await token_of(client, "ann", "secret", "p1")
    about = {"X-Auth-Token": token, "X-Subject-Token": token}

    async with client.get(TOKENS, headers=about) as answer:
        shown = (answer.status, (await answer.json())["token"]["user"]["name"])
    async with client.get(TOKENS, headers={**about, "X-Subject-Token": "other"}) as answer:
        other = answer.status
    async with client.delete(TOKENS, headers=about) as answer:
        revoked = answer.status
    async with client.delete(TOKENS, headers=about) as answer:
        again = answer.status

    assert ((200, "ann"), 404, 204, 401) == (shown, other, revoked, again)


@pytest.mark.parametrize("path", ["/v3", "/v3/"])
async def test_the_identity_service_says_its_version(start: Start, path: str) -> None:
    simulator, client = await start(users=USERS)

    async with client.get(path) as answer:
        version = (await answer.json())["version"]

    assert ("stable", f"{simulator.url}/v3/") == (version["status"], version["links"][0]["href"])


async def test_without_users_there_is_no_identity_service(start: Start) -> None:
    simulator, client = await start()

    status, _, _ = await login(client, by_password("ann", "secret", None))

    assert 404 == status
    assert 0 == simulator.state.calls["token"]


@pytest.mark.parametrize(
    ("rule", "status"),
    [({"fault": "error_503"}, 503), ({"fault": "throttle"}, 429), ({"fault": "error", "status": 502}, 502)],
)
async def test_a_fault_can_strike_a_login(start: Start, rule: dict[str, Any], status: int) -> None:
    simulator, client = await start(users=USERS)
    simulator.state.faults.add({**rule, "on": "token", "match": {"name": "ann"}})

    bob, _, _ = await login(client, by_password("bob", "geheim", {"id": "p2"}))
    struck, _, _ = await login(client, by_password("ann", "secret", {"id": "p1"}))
    after, _, _ = await login(client, by_password("ann", "secret", {"id": "p1"}))

    assert (201, status, 201) == (bob, struck, after)
    assert {} == simulator.state.failed_logins


async def test_a_fault_of_any_call_leaves_logins_alone(start: Start) -> None:
    simulator, client = await start(users=USERS, faults=("error_503:1:any",))

    status, _, token = await login(client, by_password("ann", "secret", {"id": "p1"}))
    async with client.get(PATH, headers={"X-Auth-Token": token}) as answer:
        listed = answer.status

    assert (201, 503) == (status, listed)
    assert {"error_503": 1} == simulator.state.faults.hits


async def test_a_login_takes_its_own_time(start: Start) -> None:
    _, client = await start(users=USERS, login_ms=50, latency_ms=60_000)
    loop = asyncio.get_running_loop()

    begin_s = loop.time()
    await token_of(client, "ann", "secret", "p1")

    assert 0.05 <= loop.time() - begin_s < 10
