"""
Real workers that log in: each way to do it, tokens that end, and logins that fail until somebody has mended them.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.conftest import eventually
from tests.e2e.shop import Shop, orders
from worker.sandbox.places import free_ports
from worker.simulator import User

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.conftest import StartCloud, StartWorker, WorkerProcess
    from worker.simulator import Simulator

COUNT = 20
USER = User(
    "provisioner",
    password="right-password",
    application_credential_id="credential-1",
    application_credential_secret="right-secret",
    access_key="AKRIGHT",
    secret_key="right-secret-key",
)
#: Short, so that what is tried again is tried soon; it is also the age below which a refused token counts as new.
PAUSE_S = 0.3
#: A request that was on its way to the worker in the moment it stopped taking comes again, and is looked for first.
QUICK = {"http_port": 0, "pause_s": PAUSE_S, "stranger_window_s": 0.5}


def password_login(cloud_url: str, **changes: object) -> dict[str, Any]:
    """
    A login by names, without the API's URL: the catalog tells it.
    """
    return {
        "auth": "token",
        "iam_url": f"{cloud_url}/v3",
        "username": USER.name,
        "user_domain_name": USER.domain,
        "password": USER.password,
        "project_name": USER.project_name,
        **QUICK,
        **changes,
    }


def key_login(**changes: object) -> dict[str, Any]:
    """
    A login with AK/SK, which needs the API's URL.
    """
    key = {"auth": "aksk", "access_key": USER.access_key, "secret_key": USER.secret_key}
    return {**key, **QUICK, **changes}


@pytest.fixture
async def iam_cloud(start_cloud: StartCloud) -> Simulator:
    """
    A simulated cloud that wants a login.
    """
    return await start_cloud(users=(USER,))


async def by_password(worker: StartWorker, cloud: Simulator, _: Path) -> WorkerProcess:
    return await worker(None, **password_login(cloud.url))


async def by_application_credential(worker: StartWorker, cloud: Simulator, _: Path) -> WorkerProcess:
    names = ("username", "user_domain_name", "password", "project_name")
    secret = {"application_credential_id": "credential-1", "application_credential_secret": "right-secret"}
    return await worker(None, **(password_login(cloud.url, **secret) | dict.fromkeys(names)))


async def by_key(worker: StartWorker, cloud: Simulator, _: Path) -> WorkerProcess:
    return await worker(cloud.url, **key_login())


async def by_variables(worker: StartWorker, cloud: Simulator, _: Path) -> WorkerProcess:
    names = {
        "OS_AUTH_URL": f"{cloud.url}/v3",
        "OS_USERNAME": USER.name,
        "OS_PASSWORD": str(USER.password),
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_NAME": USER.project_name,
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_REGION_NAME": "eu-de",
    }
    return await worker(None, names, auth=None)


async def by_clouds_yaml(worker: StartWorker, cloud: Simulator, tmp_path: Path) -> WorkerProcess:
    file = tmp_path / "clouds.yaml"
    file.write_text(
        f"""clouds:
  vpn:
    region_name: eu-de
    auth:
      auth_url: {cloud.url}/v3
      username: {USER.name}
      password: {USER.password}
      user_domain_name: Default
      project_name: {USER.project_name}
""",
        encoding="utf-8",
    )
    return await worker(None, {"OS_CLOUD": "vpn", "OS_CLIENT_CONFIG_FILE": str(file)}, auth=None)


@pytest.mark.parametrize(
    ("start", "logins"),
    [(by_password, 1), (by_application_credential, 1), (by_key, 0), (by_variables, 1), (by_clouds_yaml, 1)],
    ids=["password", "application credential", "access key", "OS variables", "clouds.yaml"],
)
async def test_every_way_to_log_in_creates_with_one_login(
    shop: Shop,
    iam_cloud: Simulator,
    start_worker: StartWorker,
    tmp_path: Path,
    start: Callable[..., Any],
    logins: int,
) -> None:
    worker = await start(start_worker, iam_cloud, tmp_path)
    await shop.publish(*orders(COUNT))
    await shop.created(COUNT)

    assert COUNT == len(iam_cloud.state.services) == iam_cloud.state.calls["create"]
    assert logins == iam_cloud.state.calls["token"]
    assert {"201": COUNT + logins} == dict(iam_cloud.state.answers)
    assert [] == worker.mistakes()


async def test_a_short_lived_token_is_renewed_before_any_request_meets_its_end(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker
) -> None:
    cloud = await start_cloud(users=(USER,), token_ttl_s=2)
    await start_worker(None, **password_login(cloud.url))
    published, end = 0, time.monotonic() + 5.0
    while time.monotonic() < end:
        await shop.publish(*orders(2))
        published += 2
        await shop.created(published)
        await asyncio.sleep(0.05)  # a steady trickle

    assert 0 == cloud.state.answers["401"]
    assert published == cloud.state.calls["create"] == len(cloud.state.services)
    assert 4 <= cloud.state.calls["token"] <= 8


async def until_the_token_is_not_new(worker: WorkerProcess) -> None:
    """
    Returns when the worker's token is so old that a refusal may be for its age: a new one is worth a try.
    """
    got = datetime.fromisoformat((await worker.until_logged("login.succeeded"))[-1]["timestamp"])
    await eventually(lambda: (datetime.now(UTC) - got).total_seconds() > 2 * PAUSE_S, "age of the token")


@pytest.mark.parametrize("status", [401, 403])
async def test_a_token_revoked_in_mid_life_costs_one_login_and_no_request_an_attempt(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker, status: int
) -> None:
    cloud = await start_cloud(users=(USER,), bad_token_status=status)
    worker = await start_worker(None, **password_login(cloud.url))
    await shop.publish(*orders(1))
    await shop.created(1)
    await until_the_token_is_not_new(worker)
    cloud.state.accounts.revoke(USER.name)
    await shop.publish(*orders(1))
    told = await shop.created(2)

    assert (1, 2) == (cloud.state.answers[str(status)], cloud.state.calls["token"])
    assert {1} == {event.data["attempts"] for event in told}

    await until_the_token_is_not_new(worker)
    cloud.state.accounts.revoke(USER.name)
    await shop.publish(*orders(COUNT))
    told = await shop.created(2 + COUNT)

    assert 3 == cloud.state.calls["token"]
    assert {1} == {event.data["attempts"] for event in told}
    assert [] == worker.logged("killswitch.tripped")
    assert [] == worker.mistakes()


async def test_a_wrong_password_is_told_before_any_request_and_mended_without_one(
    iam_cloud: Simulator, topology: None, start_worker: StartWorker
) -> None:
    worker = await start_worker(None, **password_login(iam_cloud.url, password="wrong"))
    status, checks = await worker.readiness()

    assert 503 == status
    words = checks["credentials"]["words"]
    assert "The login of user provisioner for account default" in words
    assert "check user, password, domain and project" in words
    assert 1 == len(worker.logged("login.refused"))

    iam_cloud.state.accounts.change_password(USER.name, "wrong")
    await worker.until_ready(words="token of account default, good for")


async def test_requests_wait_for_a_password_to_be_mended_and_the_account_is_not_hammered(
    shop: Shop, iam_cloud: Simulator, start_worker: StartWorker
) -> None:
    worker = await start_worker(None, **password_login(iam_cloud.url, password="wrong", concurrency=5, pause_s=1))
    began = time.monotonic()
    await shop.publish(*orders(COUNT))
    await worker.until_logged("cloud.probed", 3)
    waited_s = time.monotonic() - began
    await worker.until_ready(503, "no requests are taken: login_refused")

    # At once, after 1 s, 2 s, 4 s and so on, whoever asks for it.
    assert iam_cloud.state.failed_logins[USER.name] <= 2 + waited_s
    assert COUNT - 5 <= await shop.ready(f"{shop.prefix}.requests.create")
    assert 0 == iam_cloud.state.calls["create"]
    await shop.check_nothing_was_spent()

    iam_cloud.state.accounts.change_password(USER.name, "wrong")
    told = await shop.created(COUNT)
    assert {1} == {event.data["attempts"] for event in told}
    assert COUNT == len(iam_cloud.state.services)
    await worker.until_ready()
    assert [] == worker.mistakes()


@pytest.mark.parametrize("kind", ["password", "application credential", "token"])
async def test_a_wrong_secret_in_a_file_is_mended_by_a_new_file(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker, tmp_path: Path, kind: str
) -> None:
    cloud = await start_cloud(users=(USER,), token="right-token")
    file = tmp_path / "secret"
    file.write_text("wrong\n", encoding="utf-8")
    by_password = password_login(cloud.url, password=None, password_file=file)
    no_user = dict.fromkeys(("username", "user_domain_name", "password_file", "project_name"))
    by_credential = {"application_credential_id": "credential-1", "application_credential_secret_file": file}
    login, right = {
        "password": (by_password, USER.password),
        "application credential": (by_password | no_user | by_credential, USER.application_credential_secret),
        "token": ({"auth": "token", "api_url": cloud.url, "auth_token_file": file, **QUICK}, "right-token"),
    }[kind]
    worker = await start_worker(None, **login)
    await shop.publish(*orders(COUNT))
    await worker.until_logged("cloud.probed", 2)
    await worker.until_ready(503, "account default")
    await shop.check_nothing_was_spent()

    replace(file, str(right))
    began = time.monotonic()
    told = await shop.created(COUNT)
    assert time.monotonic() - began < 5
    assert {1} == {event.data["attempts"] for event in told}
    assert COUNT == len(cloud.state.services)
    await worker.until_ready()


async def test_a_wrong_key_is_tried_twice_in_five_minutes_and_mended_by_a_new_file(
    shop: Shop, iam_cloud: Simulator, start_worker: StartWorker, tmp_path: Path
) -> None:
    access_key, secret_key = tmp_path / "access-key", tmp_path / "secret-key"
    access_key.write_text("AKOLD", encoding="utf-8")
    secret_key.write_text("wrong-secret-key", encoding="utf-8")
    keys = {"access_key": None, "access_key_file": access_key, "secret_key": None, "secret_key_file": secret_key}
    worker = await start_worker(iam_cloud.url, **key_login(**keys))
    await shop.publish(*orders(COUNT))
    await worker.until_logged("cloud.probed", 20)  # one each 0.3 s, none of them sent
    await worker.until_ready(503, "the next try in 4 min")

    assert 2 == iam_cloud.state.answers["401"]
    assert [] == iam_cloud.state.keys.locked()
    await shop.check_nothing_was_spent()

    replace(secret_key, str(USER.secret_key))
    replace(access_key, "AKRIGHT")
    await shop.created(COUNT)
    assert 2 == iam_cloud.state.answers["401"]
    assert 0 == iam_cloud.state.keys.bad_signatures["AKRIGHT"]
    assert COUNT == len(iam_cloud.state.services)
    await worker.until_ready(words="the access key of account default is accepted")


def replace(file: Path, text: str) -> None:
    """
    Puts another file in its place, as a vault's agent does.
    """
    new = file.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.rename(file)


async def test_an_identity_service_that_is_not_there_is_waited_for(
    shop: Shop, start_cloud: StartCloud, start_worker: StartWorker
) -> None:
    (port,) = free_ports(1)
    worker = await start_worker(None, **password_login(f"http://127.0.0.1:{port}"))
    await worker.until_ready(503, "127.0.0.1 did not answer")
    await shop.publish(*orders(COUNT))
    await worker.until_ready(503, "no requests are taken: iam_unreachable")
    await shop.check_nothing_was_spent()

    cloud = await start_cloud(port=port, users=(USER,))
    told = await shop.created(COUNT)
    assert {1} == {event.data["attempts"] for event in told}
    assert (COUNT, 1) == (len(cloud.state.services), cloud.state.calls["token"])


async def test_an_identity_service_in_trouble_is_waited_for(
    shop: Shop, iam_cloud: Simulator, start_worker: StartWorker
) -> None:
    iam_cloud.state.faults.add({"fault": "error_503", "on": "token", "times": None})
    worker = await start_worker(None, **password_login(iam_cloud.url))
    await worker.until_ready(503, "is in trouble")
    await shop.publish(*orders(COUNT))
    await worker.until_ready(503, "no requests are taken: iam_failing")
    await shop.check_nothing_was_spent()

    iam_cloud.state.faults.clear()
    await shop.created(COUNT)
    assert COUNT == len(iam_cloud.state.services)


@pytest.mark.parametrize(
    ("settings", "cloud_settings", "words"),
    [
        ({"project_name": "nowhere"}, {}, "check user, password, domain and project"),
        ({}, {"has_network_endpoint": False}, "The catalog has no service of type network; it has identity."),
        ({"region": "eu-nl"}, {}, "The catalog has no endpoint in region eu-nl; it has eu-de."),
        ({"username": "nobody"}, {}, "The login of user nobody for account default: 127.0.0.1 refuses it"),
    ],
    ids=["unknown project", "catalog without the service", "region not in the catalog", "unknown user"],
)
async def test_a_login_that_cannot_work_is_told_before_any_request_and_keeps_all_waiting(
    shop: Shop,
    start_cloud: StartCloud,
    start_worker: StartWorker,
    settings: dict[str, object],
    cloud_settings: dict[str, Any],
    words: str,
) -> None:
    cloud = await start_cloud(users=(USER,), **cloud_settings)
    worker = await start_worker(None, **password_login(cloud.url, **settings))
    await worker.until_ready(503, words)
    await shop.publish(*orders(COUNT))
    (tripped,) = await worker.until_logged("killswitch.tripped")

    assert words in tripped["reason"]
    assert 0 == cloud.state.calls["create"]
    await worker.until_logged("cloud.probed")
    await shop.check_nothing_was_spent()
    assert [] == worker.mistakes()


async def test_a_clock_that_is_off_is_told_in_words_and_spends_no_request(
    shop: Shop, iam_cloud: Simulator, start_worker: StartWorker
) -> None:
    iam_cloud.state.clock_ahead_s = 1230  # half a minute more than what is told, whatever is rounded on the way
    worker = await start_worker(iam_cloud.url, **key_login())
    await shop.publish(*orders(COUNT))
    await worker.until_ready(503, "this machine's clock is 20 min behind the cloud's")
    (tripped,) = await worker.until_logged("killswitch.tripped")

    assert tripped["reason"].startswith("clock_skew: ")
    assert "set the clock (NTP)" in tripped["reason"]
    await worker.until_logged("cloud.probed", 3)
    assert 2 >= iam_cloud.state.calls["create"] + iam_cloud.state.calls["list"]
    await shop.check_nothing_was_spent()


@pytest.mark.parametrize("ahead_s", [1200, -1200])
async def test_a_token_does_not_mind_a_clock_that_is_off(
    shop: Shop, iam_cloud: Simulator, start_worker: StartWorker, ahead_s: float
) -> None:
    iam_cloud.state.clock_ahead_s = ahead_s
    await start_worker(None, **password_login(iam_cloud.url))
    await shop.publish(*orders(COUNT))
    await shop.created(COUNT)

    assert (COUNT, 1) == (len(iam_cloud.state.services), iam_cloud.state.calls["token"])
