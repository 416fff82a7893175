"""
Several tenants: each request is done with the account of its tenant, one account's trouble is its own, and who may ask
for whom is decided by what RabbitMQ has validated.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pika
import pytest

from tests.cli.conftest import Cli, cli, folder
from tests.e2e.shop import Shop, binary, open_shop, order
from worker.sandbox.rabbitmq import PrivateBroker
from worker.simulator import User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.e2e.conftest import StartCloud, StartWorker
    from tests.e2e.shop import Message
    from worker.sandbox.rabbitmq import Broker
    from worker.simulator import Simulator

__all__ = ["cli", "folder"]  # fixtures of the command line, wanted here too

COUNT = 20
RED = User("red-user", password="red-password", project_id="project-red", project_name="red")
BLUE = User("blue-user", password="blue-password", project_id="project-blue", project_name="blue")
HOME = User("home-user", password="home-password", project_id="project-home", project_name="home")
REJECTED = "vpn.vpnservice.create-rejected.v1"
QUICK = {"pause_s": 0.3, "http_port": 0}
#: Answered once with 425, which sends a request over the first rung.
LATER = {"fault": "answer", "status": 425, "retry_after": 6}


@pytest.fixture
async def iam_cloud(start_cloud: StartCloud) -> Simulator:
    """
    A cloud with three projects.
    """
    return await start_cloud(users=(RED, BLUE, HOME))


def account(cloud: Simulator, user: User, more: str) -> str:
    """
    One entry of an accounts file; its password is in a file beside it.
    """
    return f"""
  {user.project_name}:
    iam_url: {cloud.url}/v3
    username: {user.name}
    user_domain_name: Default
    password_file: {user.project_name}.password
    project_name: {user.project_name}
    {more}
"""


@pytest.fixture
def accounts_file(tmp_path: Path, iam_cloud: Simulator, prefix: str) -> Path:
    """
    Three accounts, the last one for requests that name no tenant; with the publishers that may ask for each.
    """
    for user in (RED, BLUE, HOME):
        (tmp_path / f"{user.project_name}.password").write_text(str(user.password), encoding="utf-8")
    file = tmp_path / "accounts.yaml"
    file.write_text(
        "accounts:"
        + account(iam_cloud, RED, f"tenant_ids: [project-red, tenant-red]\n    users: [red-{prefix}]")
        + account(iam_cloud, BLUE, f"tenant_ids: [project-blue]\n    users: [blue-{prefix}]")
        + account(iam_cloud, HOME, f"default: true\n    users: [home-{prefix}]"),
        encoding="utf-8",
    )
    return file


def rewrite(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def settings(accounts_file: Path, **more: object) -> dict[str, Any]:
    return {"auth": None, "accounts_file": accounts_file, **QUICK, **more}


def projects(cloud: Simulator) -> dict[str, str]:
    """
    The project of each service, by its name.
    """
    services = cloud.state.services.values()
    return {str(service.attributes["name"]): str(service.attributes["tenant_id"]) for service in services}


def errors(event: Message) -> list[tuple[str, str]]:
    assert REJECTED == event.type
    return [(error["path"], error["code"]) for error in event.data["error"]["fields"]]


async def test_each_request_is_done_with_the_account_of_its_tenant(
    shop: Shop, iam_cloud: Simulator, accounts_file: Path, start_worker: StartWorker
) -> None:
    worker = await start_worker(None, **settings(accounts_file))
    tenants = {"red": "project-red", "blue": "project-blue"}
    for name, tenant_id in tenants.items():
        await shop.publish(*((order(tenant_id=tenant_id, name=f"{name}{n}"), binary()) for n in range(COUNT)))
    await shop.publish(*((order(name=f"home{n}"), binary()) for n in range(COUNT)))
    await shop.created(3 * COUNT)

    expected = tenants | {"home": "project-home"}
    assert {f"{name}{n}": project for name, project in expected.items() for n in range(COUNT)} == projects(iam_cloud)
    assert 3 == iam_cloud.state.calls["token"]
    await worker.until_ready(words="red: token of account red, good for")


async def test_a_tenant_that_nobody_serves_is_rejected_and_not_tried(
    shop: Shop, iam_cloud: Simulator, accounts_file: Path, start_worker: StartWorker
) -> None:
    await start_worker(None, **settings(accounts_file))
    await shop.publish((order(tenant_id="project-green"), binary()))
    (event,) = await shop.outcomes(1)

    assert [("vpnservice.tenant_id", "tenant_unknown")] == errors(event)
    assert "project-green" in event.data["error"]["message"]
    assert 0 == iam_cloud.state.calls["create"]
    await shop.dead(1)


async def test_an_account_with_a_wrong_password_keeps_its_own_requests_waiting_and_nobody_elses(
    shop: Shop, iam_cloud: Simulator, accounts_file: Path, start_worker: StartWorker, tmp_path: Path
) -> None:
    (tmp_path / "red.password").write_text("wrong", encoding="utf-8")
    worker = await start_worker(None, **settings(accounts_file))
    bodies = [order(tenant_id=f"project-{name}") for _ in range(COUNT) for name in ("red", "blue")]
    await shop.publish(*((body, binary()) for body in bodies))
    told = await shop.until(lambda told: len([event for event in told if "created.v1" in event.type]) >= COUNT)

    assert {"project-blue"} == {service.attributes["tenant_id"] for service in iam_cloud.state.services.values()}
    waiting = await shop.taken(f"{shop.prefix}.retry.2m", COUNT)
    assert {0} == {message.headers["x-vpn-attempts"] for message in waiting}
    assert {"login_refused"} == {event.data["error"]["code"] for event in told if "delayed" in event.type}
    assert [] == worker.logged("killswitch.tripped")
    status, checks = await worker.readiness()
    assert 200 == status
    assert "red: The login of user red-user for account red: 127.0.0.1 refuses it" in checks["credentials"]["words"]
    assert "blue: token of account blue, good for" in checks["credentials"]["words"]
    assert 0 == await shop.ready(f"{shop.prefix}.dead")


async def test_an_order_that_the_cloud_does_not_know_is_rejected_by_the_profile(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker
) -> None:
    cloud = await start_cloud(dialect="openstack")
    await start_worker(cloud.url, cloud="openstack")
    await shop.publish((order(order_id="CS2011"), binary()))
    (event,) = await shop.outcomes(1)

    assert [("vpnservice.order_id", "cloud_refuses")] == errors(event)
    assert "(cloud profile openstack)" in event.data["error"]["message"]
    assert 0 == cloud.state.calls.total()


@pytest.fixture
async def open_as(broker: Broker, topology: None, prefix: str) -> AsyncIterator[Callable[[str], Awaitable[Shop]]]:
    """
    Opens a shop as a RabbitMQ user of its own, which may publish requests and read events.
    """
    if not isinstance(broker, PrivateBroker):
        pytest.skip("only a broker of our own takes new users")
    async with AsyncExitStack() as stack:

        async def open_as(name: str) -> Shop:
            await broker.ctl("add_user", name, "shop-password")
            stack.push_async_callback(broker.ctl, "delete_user", name)
            await broker.ctl("set_permissions", name, "^amq.gen", f"^(amq.gen.*|{prefix}.requests)$", ".*")
            url = f"amqp://{name}:shop-password@127.0.0.1:{broker.port}/"
            return await stack.enter_async_context(open_shop(url, prefix))

        yield open_as


def signed(user_id: str | None, identity: str | None = None, **headers: str) -> pika.BasicProperties:
    """
    Properties of a request with the publisher's user, which RabbitMQ validates.
    """
    properties = binary(identity)
    properties.user_id = user_id
    properties.headers = {**(properties.headers or {}), **headers}
    return properties


async def test_only_the_users_of_an_account_may_ask_for_it(
    shop: Shop,
    iam_cloud: Simulator,
    accounts_file: Path,
    start_worker: StartWorker,
    open_as: Callable[[str], Awaitable[Shop]],
) -> None:
    await start_worker(None, **settings(accounts_file, tenant_check="user_id"))
    user = f"red-{shop.prefix}"
    red_shop = await open_as(user)
    red, blue = order(tenant_id="project-red", name="red"), order(tenant_id="project-blue", name="blue")
    forged = {"x-vpn-user-id": f"blue-{shop.prefix}"}
    await red_shop.publish(
        (red, signed(user, "right")),
        (blue, signed(user, "wrong")),
        (red, signed(None, "nobody")),
        (blue, signed(user, "forged", **forged)),
        (blue, signed(None, "forged-without", **forged)),
        (order(), signed(user, "without-tenant")),
    )
    told = {event.data["request_id"]: event for event in await shop.outcomes(6)}

    assert "vpn.vpnservice.created.v1" == told.pop("right").type
    assert {(("user_id", "tenant_forbidden"),)} == {tuple(errors(event)) for event in told.values()}
    assert {"red": "project-red"} == projects(iam_cloud)
    assert 1 == iam_cloud.state.calls["create"]
    assert f'the publisher "{user}" may not' in told["wrong"].data["error"]["message"]


async def test_over_a_rung_a_request_stays_its_publishers(
    shop: Shop,
    iam_cloud: Simulator,
    accounts_file: Path,
    start_worker: StartWorker,
    open_as: Callable[[str], Awaitable[Shop]],
) -> None:
    """
    The second worker has another ledger: what it decides by is the copy alone.
    """
    iam_cloud.state.faults.add(LATER | {"times": 2})
    first = await start_worker(None, **settings(accounts_file, tenant_check="user_id"))
    red, blue = f"red-{shop.prefix}", f"blue-{shop.prefix}"
    red_shop, blue_shop = await asyncio.gather(open_as(red), open_as(blue))
    await red_shop.publish((order(tenant_id="project-red", name="red"), signed(red, "red")))
    await blue_shop.publish((order(tenant_id="project-blue", name="blue"), signed(blue, "blue")))
    await first.until_logged("request.shelved", 2)
    await first.child.stop()
    rewrite(accounts_file, f"users: [{blue}]", "users: [green]")
    ledger_url = f"sqlite:///{accounts_file.parent / 'other.sqlite3'}"
    more = {"ledger_url": ledger_url, "stranger_window_s": 0.2}
    await start_worker(None, **settings(accounts_file, tenant_check="user_id", **more))
    told = {event.data["request_id"]: event for event in await shop.outcomes(2)}

    assert "vpn.vpnservice.created.v1" == told["red"].type
    assert [("user_id", "tenant_forbidden")] == errors(told["blue"])
    assert f'the publisher "{blue}" may not' in told["blue"].data["error"]["message"]


async def test_what_was_taken_before_the_settings_changed_is_seen_through_or_waits(
    shop: Shop, iam_cloud: Simulator, accounts_file: Path, start_worker: StartWorker
) -> None:
    iam_cloud.state.faults.add(LATER | {"times": 2})
    first = await start_worker(None, **settings(accounts_file))
    await shop.publish(
        (order(tenant_id="project-red", name="red"), binary("early")),
        (order(tenant_id="project-blue", name="blue"), binary("account-gone")),
    )
    await first.until_logged("request.shelved", 2)
    await first.child.stop()
    rewrite(accounts_file, "[project-blue]", "[another]")
    second = await start_worker(None, **settings(accounts_file, tenant_check="user_id"))
    await shop.publish((order(tenant_id="project-red"), binary("late")))
    told = {event.data["request_id"]: event for event in await shop.outcomes(2)}
    (shelved,) = await second.until_logged("request.shelved")

    assert "vpn.vpnservice.created.v1" == told["early"].type
    assert [("user_id", "tenant_forbidden")] == errors(told["late"])
    assert "No account serves this tenant any more" in shelved["reason"]
    assert 1 == len(await shop.taken(f"{shop.prefix}.retry.2m", 1))
    assert {"red": "project-red"} == projects(iam_cloud)


async def test_a_replay_is_still_the_publishers_own(
    shop: Shop,
    iam_cloud: Simulator,
    accounts_file: Path,
    start_worker: StartWorker,
    open_as: Callable[[str], Awaitable[Shop]],
    cli: Cli,
) -> None:
    first = await start_worker(None, **settings(accounts_file, tenant_check="user_id"))
    red, new, bad = (f"{name}-{shop.prefix}" for name in ("red", "new", "bad"))
    new_shop, bad_shop = await asyncio.gather(open_as(new), open_as(bad))
    body = order(tenant_id="project-red", name="red")
    forged = {"x-vpn-user-id": new}
    await new_shop.publish((body, signed(new, "good")))
    await bad_shop.publish((body, signed(bad, "bad", **forged)), (body, signed(None, "unsigned", **forged)))
    await shop.outcomes(3)
    await first.child.stop()
    rewrite(accounts_file, f"users: [{red}]", f"users: [{red}, {new}]")
    ledger_url = f"sqlite:///{accounts_file.parent / 'ledger.sqlite3'}"
    said = await cli("dead", "replay", "--all", amqp_url=shop.amqp_url, prefix=shop.prefix, ledger_url=ledger_url)
    assert 0 == said.status, said.err
    await start_worker(None, **settings(accounts_file, tenant_check="user_id"))
    told = (await shop.outcomes(6))[3:]

    expected = {"good": "vpn.vpnservice.created.v1", "bad": REJECTED, "unsigned": REJECTED}
    assert expected == {event.data["request_id"]: event.type for event in told}
    assert {"red": "project-red"} == projects(iam_cloud)
