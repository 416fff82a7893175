"""
`make test-cloud` against processes that stand for a real cloud: it knows nothing of them but URL, routers and login.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.cloud_contract.sites import real_site
from worker.sandbox.processes import Child
from worker.simulator import SimulatorConfig, User, start_simulator

if TYPE_CHECKING:
    from pathlib import Path

START_S = 60.0
ROUTERS = (str(uuid.uuid4()), str(uuid.uuid4()))
PROJECT_ID = "10039663455a446d8ba2cbb058b0f578"
USERS = (User("contract", "its-password", project_id=PROJECT_ID),)


@pytest.fixture(autouse=True)
def not_at_a_real_cloud(request: pytest.FixtureRequest) -> None:
    """
    The suite does not start itself without end.
    """
    if request.config.getoption("--cloud-url", ""):
        pytest.skip("starts runs like this one itself")


def environment(**settings: str) -> dict[str, str]:
    """
    The environment of somebody who has these settings and runs no tests at the moment.
    """
    dropped = ("VPN_WORKER_", "OS_", "PYTEST_", "MAKE")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)} | settings


def openstack_login(iam_url: str) -> dict[str, str]:
    """
    A login as an openrc file sets it.
    """
    user = {"OS_USERNAME": "contract", "OS_PASSWORD": "its-password", "OS_USER_DOMAIN_NAME": "Default"}
    return environment(VPN_WORKER_CLOUD="openstack", OS_AUTH_URL=iam_url, OS_PROJECT_ID=PROJECT_ID, **user)


def command(url: str, routers: tuple[str, ...], args: str = "") -> list[str]:
    """
    What `make test-cloud` runs; it is not run by make, so that it ends together with the test.
    """
    variables = [f"CLOUD_URL={url}", f"ROUTERS={' '.join(routers)}", f"ARGS={args}"]
    said = subprocess.run(
        ["make", "--dry-run", "test-cloud", *variables], env=environment(), check=True, capture_output=True, text=True
    )
    return [sys.executable, *shlex.split(said.stdout.splitlines()[-1])[1:], "-p", "no:cacheprovider"]


async def run(argv: list[str], env: dict[str, str], log_file: Path) -> tuple[int, str]:
    """
    Exit status and everything a command said.
    """
    async with Child(argv, log_file=log_file, env=env) as child:
        status = await child.wait()
    return status, said_by(child)


def said_by(child: Child) -> str:
    """
    Its stdout, then its stderr.
    """
    return "\n".join([*child.lines, child.log_file.read_text(encoding="utf-8")])


async def state_of(url: str) -> Any:
    """
    Everything that the simulator at a URL knows.
    """
    async with aiohttp.ClientSession() as session, session.get(f"{url}/_simulator/state") as answer:
        return await answer.json()


async def test_a_cloud_in_another_process_passes_and_is_left_clean(tmp_path: Path) -> None:
    routers = [part for router_id in ROUTERS for part in ("--router", router_id)]
    simulate = ["simulate", "--port", "0", "--dialect", "openstack", *routers]
    env = environment(VPN_WORKER_SIMULATOR_USERS=f"contract:its-password:{PROJECT_ID}")
    argv = [sys.executable, "-m", "worker", *simulate]
    async with Child(argv, log_file=tmp_path / "cloud.log", env=env) as cloud:
        url = (await cloud.ready_line("Simulated cloud", START_S)).split()[-1]
        status, said = await run(command(url, ROUTERS), openstack_login(f"{url}/v3"), tmp_path / "suite.log")
        state = await state_of(url)

    assert 0 == status, said
    assert "at the simulator alone" in said
    assert state["creates"] > 10
    assert [] == state["services"]


async def test_a_login_that_is_refused_is_tried_once_and_no_more(tmp_path: Path) -> None:
    """
    Sixty tests with a wrong password would lock somebody's account.
    """
    simulator = await start_simulator(SimulatorConfig(dialect="openstack", users=USERS))
    try:
        env = openstack_login(f"{simulator.url}/v3") | {"OS_PASSWORD": "mistyped"}
        status, said = await run(command(simulator.url, ROUTERS[:1]), env, tmp_path / "suite.log")
    finally:
        await simulator.close()

    assert pytest.ExitCode.USAGE_ERROR == status
    assert "The cloud does not let us in, so nothing else was tried." in said
    assert (1, 0) == (simulator.state.calls["token"], simulator.state.calls["create"])
    assert "mistyped" not in said


async def test_what_cannot_be_deleted_is_listed_by_id(tmp_path: Path) -> None:
    """
    Here the cloud says that it deletes, and does not; where its API is, the catalog tells.
    """
    faults = ({"fault": "answer", "status": 204, "body": "", "on": "delete", "times": None},)
    simulator = await start_simulator(SimulatorConfig(dialect="openstack", users=USERS, faults=faults))
    try:
        argv = command("catalog", ROUTERS[:1], "--patience-s 0.3 -k 'name_is_enough or second_delete'")
        status, said = await run(argv, openstack_login(f"{simulator.url}/v3"), tmp_path / "suite.log")
    finally:
        await simulator.close()

    (left,) = simulator.state.services
    summary = said.partition("left at the cloud; delete it by hand")[2]
    assert 1 == status
    assert f"{left}: service {left} should be gone after its delete, and is still shown" in summary
    assert "stopped: what is created cannot be deleted, so nothing more is created" in summary


async def test_what_an_interrupted_run_made_is_deleted(tmp_path: Path) -> None:
    simulator = await start_simulator(SimulatorConfig(dialect="openstack", users=USERS, latency_ms=100))
    try:
        argv, env = command(simulator.url, ROUTERS[:1]), openstack_login(f"{simulator.url}/v3")
        async with Child(argv, log_file=tmp_path / "suite.log", env=env) as suite:
            await simulator.until(lambda state: state.creates == 1, START_S)
            os.kill(suite.pid, signal.SIGINT)
            status = await suite.wait()
    finally:
        await simulator.close()

    assert pytest.ExitCode.INTERRUPTED == status, said_by(suite)
    assert not simulator.state.services
    assert "Interrupted; what the cloud still shows later has vpnw-" in said_by(suite)


@pytest.mark.parametrize(
    ("url", "routers", "words"),
    [
        ("http://127.0.0.1:9", "", "Which routers may be used?"),
        ("127.0.0.1", "r", "VPN_WORKER_API_URL: must look like https://"),
        ("http://127.0.0.1:9", "r", "VPN_WORKER_AUTH_TOKEN: is needed"),
    ],
    ids=["no-routers", "no-url", "no-login"],
)
def test_what_is_missing_is_said_before_anything_is_done(url: str, routers: str, words: str) -> None:
    with pytest.raises(pytest.UsageError) as caught:
        real_site(url, routers, patience_s=1.0)

    assert words in str(caught.value)


def test_without_a_url_one_sentence_says_what_to_give() -> None:
    # The stamp counts as old, so that nothing is installed for it.
    argv = ["make", "--old-file", ".venv/.installed-dev", "test-cloud"]
    said = subprocess.run(argv, env=environment(), check=False, capture_output=True, text=True)

    assert 2 == said.returncode
    assert "" == said.stdout
    assert said.stderr.startswith("Which cloud? make test-cloud CLOUD_URL=https://")
