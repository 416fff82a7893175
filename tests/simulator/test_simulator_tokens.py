"""
Tokens in the middle of their life: which are let in, for whose services, and what kills them.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.simulator.asking import PATH, ROUTER_ID, TOKENS, HandClock, by_password, status_with, token_of
from worker.simulator import Simulator, SimulatorConfig, SimulatorError, User

Start = Callable[..., Awaitable[tuple[Simulator, ClientSession]]]
ANN = User("ann", "secret", project_id="p1")
BOB = User("bob", "geheim", project_id="p2")
REQUEST = {"vpnservice": {"router_id": ROUTER_ID}}


async def test_a_token_dies_when_its_time_is_over(start: Start) -> None:
    clock = HandClock()
    simulator, client = await start(users=(ANN,), clock=clock, token_ttl_s=60)
    token = await token_of(client, "ann", "secret", "p1")

    clock.now_s += 59.9
    before = await status_with(client, token)
    clock.now_s += 0.1
    after = await status_with(client, token)

    assert (200, 401) == (before, after)
    assert 0 == simulator.state.accounts.tokens.count()


@pytest.mark.parametrize("token", ["", "garbage", "\xff"])
@pytest.mark.parametrize(
    ("dialect", "said"), [("otc", "APIG.0301"), ("huawei", "APIGW.0301"), ("openstack", '"title":"Unauthorized"')]
)
async def test_what_is_no_token_is_refused_in_the_dialects_words(
    start: Start, dialect: str, said: str, token: str
) -> None:
    simulator, client = await start(users=(ANN,), dialect=dialect)

    async with client.post(PATH, json=REQUEST, headers={"X-Auth-Token": token} if token else {}) as answer:
        body = await answer.text()

    assert 401 == answer.status
    assert said in body
    assert {} == simulator.state.services


@pytest.mark.parametrize("dialect", ["otc", "huawei", "openstack"])
async def test_some_services_say_403_for_a_bad_token(start: Start, dialect: str) -> None:
    _, client = await start(users=(ANN,), bad_token_status=403, dialect=dialect)

    async with client.get(PATH, headers={"X-Auth-Token": "garbage"}) as answer:
        body = await answer.text()

    assert 403 == answer.status
    assert "invalid token" in body
    assert 401 == await status_with(client, "")


async def test_the_fixed_token_is_let_in_beside_those_of_users(start: Start) -> None:
    _, client = await start(users=(ANN,), token="fixed")
    token = await token_of(client, "ann", "secret", "p1")

    assert [200, 200, 401] == [await status_with(client, each) for each in ("fixed", token, "other")]


async def test_revoking_ends_the_tokens_of_one_user_or_of_all(start: Start) -> None:
    simulator, client = await start(users=(ANN, BOB))
    ann = await token_of(client, "ann", "secret", "p1")
    bob = await token_of(client, "bob", "geheim", "p2")

    ended = simulator.state.accounts.revoke("ann")
    after_one = [await status_with(client, token) for token in (ann, bob)]
    ended_then = simulator.state.accounts.revoke()

    assert (1, 1) == (ended, ended_then)
    assert [401, 200] == after_one
    assert 401 == await status_with(client, bob)
    assert 200 == await status_with(client, await token_of(client, "ann", "secret", "p1"))


async def test_a_new_password_ends_the_tokens_and_the_old_password(start: Start) -> None:
    simulator, client = await start(users=(ANN, BOB))
    ann = await token_of(client, "ann", "secret", "p1")
    bob = await token_of(client, "bob", "geheim", "p2")

    simulator.state.accounts.change_password("ann", "new")
    async with client.post(TOKENS, json=by_password("ann", "secret", {"id": "p1"})) as answer:
        old = answer.status

    assert [401, 200] == [await status_with(client, token) for token in (ann, bob)]
    assert 401 == old
    assert 200 == await status_with(client, await token_of(client, "ann", "new", "p1"))


async def test_a_caller_meets_only_the_services_of_its_project(start: Start) -> None:
    simulator, client = await start(users=(ANN, BOB))
    ann = await token_of(client, "ann", "secret", "p1")
    bob = await token_of(client, "bob", "geheim", "p2")

    made = await status_with(client, ann, "POST", json=REQUEST)
    (service_id,) = simulator.state.services
    seen = []
    for token in (ann, bob):
        async with client.get(PATH, headers={"X-Auth-Token": token}) as answer:
            seen.append(len((await answer.json())["vpnservices"]))
    path = f"{PATH}/{service_id}"

    assert 201 == made
    assert "p1" == simulator.state.services[service_id].attributes["tenant_id"]
    assert [1, 0] == seen
    assert (404, 404) == (
        await status_with(client, bob, path=path),
        await status_with(client, bob, "DELETE", path=path),
    )
    assert (200, 204) == (
        await status_with(client, ann, path=path),
        await status_with(client, ann, "DELETE", path=path),
    )


async def test_a_neutron_admin_sees_the_services_of_all(start: Start) -> None:
    admin = User("root", "geheim", project_id="p2", role="admin")
    _, client = await start(users=(ANN, admin), dialect="openstack")
    await status_with(client, await token_of(client, "ann", "secret", "p1"), "POST", json=REQUEST)

    headers = {"X-Auth-Token": await token_of(client, "root", "geheim", "p2")}
    async with client.get(PATH, headers=headers) as answer:
        assert ["p1"] == [service["project_id"] for service in (await answer.json())["vpnservices"]]


@pytest.mark.parametrize(
    ("dialect", "role", "attributes", "status"),
    [
        ("otc", "vpn_adm", {}, 201),
        ("otc", "vpn_adm", {"external_v4_ip": "192.0.2.7"}, 201),
        ("otc", "member", {"external_v4_ip": "192.0.2.7"}, 403),
        ("otc", "vpn_adm", {"tenant_id": "p2"}, 403),
        ("otc", "admin", {"tenant_id": "p2"}, 201),
        ("otc", "readonly", {}, 403),
        ("huawei", "vpn_adm", {"tenant_id": "p2"}, 403),
        ("openstack", "member", {}, 201),
        ("openstack", "member", {"tenant_id": "p1"}, 201),
        ("openstack", "member", {"tenant_id": "p2"}, 400),
        ("openstack", "admin", {"tenant_id": "p2"}, 201),
        ("openstack", "reader", {}, 403),
    ],
)
async def test_the_role_of_the_token_decides(
    start: Start, dialect: str, role: str, attributes: dict[str, Any], status: int
) -> None:
    # The role of the configuration would decide otherwise in every case.
    configured = "admin" if status != 201 else "reader"
    user = User("ann", "secret", project_id="p1", role=role)
    simulator, client = await start(users=(user,), dialect=dialect, role=configured, tenant_id="p9")

    token = await token_of(client, "ann", "secret", "p1")
    request = {"vpnservice": {"router_id": ROUTER_ID, **attributes}}

    assert status == await status_with(client, token, "POST", json=request)
    assert (status == 201) == (len(simulator.state.services) == 1)


async def test_a_role_that_may_only_read_cannot_delete(start: Start) -> None:
    reader = User("ann", "secret", project_id="p1", role="reader")
    simulator, client = await start(users=(reader,))
    service_id = simulator.state.create({"router_id": "r"}, "p1").id
    token = await token_of(client, "ann", "secret", "p1")

    assert 200 == await status_with(client, token, path=f"{PATH}/{service_id}")
    assert 403 == await status_with(client, token, "DELETE", path=f"{PATH}/{service_id}")
    assert service_id in simulator.state.services


@pytest.mark.parametrize(
    ("users", "said"),
    [
        ((User("", "x"),), "Every user needs a name"),
        ((User("a", "x"), User("a", "x")), "only once for each project"),
        ((User("a", "x"), User("a", "y", project_id="p")), "one password in all its projects"),
        ((User("a", access_key="ak"),), "needs its secret key"),
        (
            (User("a", access_key="k", secret_key="s"), User("b", access_key="k", secret_key="t")),
            "one user and project",
        ),
        (
            (User("a", application_credential_id="c"), User("b", application_credential_id="c")),
            "Every application credential",
        ),
        ((User("a", ""),), "must not be empty"),
    ],
)
def test_users_that_cannot_be_are_refused(users: tuple[User, ...], said: str) -> None:
    with pytest.raises(SimulatorError, match=said):
        SimulatorConfig(users=users)


def test_no_secret_of_a_user_is_shown() -> None:
    user = User(
        "a", "hush", access_key="ak", secret_key="hush", security_token="hush", application_credential_secret="hush"
    )

    assert "hush" not in repr(SimulatorConfig(users=(user,)))


async def test_an_unknown_user_cannot_be_steered(start: Start) -> None:
    simulator, _ = await start(users=(ANN,))

    with pytest.raises(SimulatorError, match="There is no user eve"):
        simulator.state.accounts.revoke("eve")
    with pytest.raises(SimulatorError, match="There is no user eve"):
        simulator.state.accounts.change_password("eve", "x")
