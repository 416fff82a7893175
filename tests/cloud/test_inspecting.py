"""
A look at the cloud: every trouble of a login, of the API, of a clock or certificate is told with its remedy.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.authority import Authority
from tests.cloud.conftest import RawServer, http
from worker.accounts.account import (
    Account,
    AkskCredentials,
    Credentials,
    Identity,
    NoCredentials,
    PasswordCredentials,
    TokenCredentials,
)
from worker.accounts.secret import Secret
from worker.cloud.clouds import CloudOptions
from worker.cloud.inspecting import CloudRules, inspect_cloud
from worker.cloud.options import TransportOptions
from worker.ports import Finding, State
from worker.profiles import profile_named
from worker.simulator import Simulator, SimulatorConfig, User, start_simulator

AnswerRaw = Callable[..., Awaitable[RawServer]]
StartCloud = Callable[..., Awaitable[Simulator]]
SK = "the-right-secret-key"
USER = User("worker", "right-password", access_key="AK-1", secret_key=SK)
NOTHING = http("200 OK", b'{"vpnservices": []}', "Content-Type: application/json")


@pytest.fixture
async def start_cloud(stack: AsyncExitStack) -> StartCloud:
    """
    Starts simulated clouds that end with the test.
    """

    async def start(**settings: Any) -> Simulator:
        simulator = await start_simulator(SimulatorConfig(**settings))
        stack.push_async_callback(simulator.close)
        return simulator

    return start


def account(url: str | None, credentials: Credentials | None = None, name: str = "default") -> Account:
    return Account(name, credentials or NoCredentials(), api_url=url)


def by_password(cloud_url: str, password: str = str(USER.password), name: str = "default") -> Account:
    user = Identity(name=USER.name, domain_name=USER.domain)
    project = Identity(id=USER.project_id)
    return account(None, PasswordCredentials(f"{cloud_url}/v3", user, Secret(password), project), name)


def by_key(cloud_url: str, secret_key: str = SK) -> Account:
    return account(cloud_url, AkskCredentials(Secret("AK-1"), Secret(secret_key), project_id=USER.project_id))


async def look(*accounts: Account, profile: str = "otc", limit_s: float = 12.0, **options: Any) -> dict[str, Finding]:
    """
    The findings by what they are of; all that is not well has its remedy, and nothing shows a secret.
    """
    transport = TransportOptions(**{"connect_timeout_s": 2.0, **options})
    chosen = CloudOptions(profile_named(profile), accounts, transport)
    findings = await inspect_cloud(chosen, CloudRules(limit_s=limit_s), {"default": "from the test"})
    for finding in findings:
        assert (finding.state is State.OK) != bool(finding.remedy), finding
        assert not any(secret in str(finding) for secret in ("right-password", "wrong-password", SK, "bad-key"))
    assert len(findings) == len({finding.subject for finding in findings})
    return {finding.subject: finding for finding in findings}


def states(findings: Iterable[Finding]) -> dict[str, str]:
    return {finding.subject: finding.state.value for finding in findings if finding.state is not State.OK}


class TestLogin:
    async def test_a_good_one_tells_how_long_it_lasts_and_where_it_came_from(self, start_cloud: StartCloud) -> None:
        cloud = await start_cloud(users=(USER,), token_ttl_s=3600)

        found = await look(by_password(cloud.url))

        assert {} == states(found.values())
        assert "Token of account default, good for 1 h (from the test)." == found["login default"].words
        assert found["API default"].words.startswith(f"{cloud.url} answered in ")

    async def test_a_wrong_password_is_tried_once(self, start_cloud: StartCloud) -> None:
        cloud = await start_cloud(users=(USER,))

        found = await look(by_password(cloud.url, "wrong-password"))

        assert {"login default": "fault", "API default": "unseen"} == states(found.values())
        assert "refuses it; check user, password, domain and project" in found["login default"].words
        assert "lock the user" in found["login default"].remedy
        assert 1 == cloud.state.failed_logins[USER.name]

    async def test_a_key_that_is_right(self, start_cloud: StartCloud) -> None:
        cloud = await start_cloud(users=(USER,))

        found = await look(by_key(cloud.url))

        assert {} == states(found.values())
        assert "The access key of account default is accepted" in found["login default"].words

    async def test_a_wrong_key(self, start_cloud: StartCloud) -> None:
        cloud = await start_cloud(users=(USER,))

        found = await look(by_key(cloud.url, "bad-key"))

        assert {"login default": "fault", "API default": "unseen"} == states(found.values())

    async def test_a_token_that_is_refused(self, start_cloud: StartCloud) -> None:
        cloud = await start_cloud(token="the-right-one")

        found = await look(account(cloud.url, TokenCredentials(Secret("right-password"))))

        assert {"login default": "fault", "API default": "unseen"} == states(found.values())
        assert "wrong, expired or revoked" in found["login default"].words

    async def test_one_accounts_trouble_hides_no_other(self, start_cloud: StartCloud) -> None:
        cloud = await start_cloud(users=(USER,))

        found = await look(account(cloud.url, name="open"), by_password(cloud.url, name="named"))

        assert {"login open", "login named"} <= set(found)
        assert State.OK is found["API named"].state

    async def test_an_identity_service_that_is_down(self, unused_tcp_port: int) -> None:
        found = await look(by_password(f"http://127.0.0.1:{unused_tcp_port}"))

        assert {"login default": "fault", "API default": "unseen"} == states(found.values())
        assert "did not answer" in found["login default"].words
        assert "VPN_WORKER_IAM_URL" in found["login default"].remedy

    async def test_an_identity_service_that_hangs_is_left_in_time(self, start_cloud: StartCloud) -> None:
        cloud = await start_cloud(users=(USER,), login_ms=30_000)
        began_s = asyncio.get_running_loop().time()

        found = await look(by_password(cloud.url), limit_s=0.5)

        assert {"login default": "fault"} == states(found.values())
        assert asyncio.get_running_loop().time() - began_s < 3.0


class TestApi:
    async def test_one_that_is_down(self, unused_tcp_port: int) -> None:
        found = await look(account(f"http://127.0.0.1:{unused_tcp_port}"))

        assert {"API default": "fault"} == states(found.values())
        assert "VPN_WORKER_API_URL" in found["API default"].remedy

    async def test_one_in_trouble(self, answer_raw: AnswerRaw) -> None:
        server = await answer_raw(http("503 Service Unavailable"), stays=True)

        found = await look(account(server.url))

        assert {"API default": "fault"} == states(found.values())
        assert "HTTP 503" in found["API default"].words

    async def test_one_that_throttles_is_there(self, answer_raw: AnswerRaw) -> None:
        server = await answer_raw(http("429 Too Many Requests"), stays=True)

        assert {"API default": "warning"} == states((await look(account(server.url))).values())

    async def test_a_wrong_path(self, answer_raw: AnswerRaw) -> None:
        server = await answer_raw(http("404 Not Found", b"<html>nothing here</html>"), stays=True)

        found = await look(account(f"{server.url}/wrong"))

        assert {"API default": "fault"} == states(found.values())
        assert "check VPN_WORKER_API_URL" in found["API default"].words

    async def test_a_cloud_of_another_kind(self, start_cloud: StartCloud) -> None:
        """
        A Neutron taken for Open Telekom Cloud has no `created_at`, say; nothing else would tell before it is too late.
        """
        cloud = await start_cloud(dialect="openstack")
        await create_one(cloud.url)

        found = await look(account(cloud.url))

        assert {"profile otc": "warning"} == states(found.values())
        assert "VPN_WORKER_CLOUD" in found["profile otc"].remedy

    async def test_a_cloud_of_the_right_kind(self, start_cloud: StartCloud) -> None:
        cloud = await start_cloud()
        await create_one(cloud.url)

        found = await look(account(cloud.url))

        assert {} == states(found.values())
        assert "profile otc" in found


async def create_one(url: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/v2.0/vpn/vpnservices", json={"vpnservice": {"router_id": str(uuid.uuid4())}}) as answer,
    ):
        assert answer.status in {200, 201, 202}


class TestClock:
    @pytest.mark.parametrize(
        ("ahead_s", "words", "state"),
        [
            (10, "Within ", "ok"),
            (45, " s ahead of this machine's", "warning"),
            (-45, " s behind this machine's", "warning"),
            (-330, "5 min behind this machine's, beyond VPN_WORKER_CLOCK_TOLERANCE_S", "fault"),
            (3630, "1 h ahead of this machine's", "warning"),
        ],
    )
    async def test_a_difference_is_told(self, start_cloud: StartCloud, ahead_s: float, words: str, state: str) -> None:
        cloud = await start_cloud()
        cloud.state.clock_ahead_s = ahead_s

        found = (await look(account(cloud.url)))[f"clock of {cloud.url.removeprefix('http://')}"]

        assert state == found.state.value
        assert words in found.words

    async def test_signatures_are_refused_beyond_a_quarter_of_an_hour(self, start_cloud: StartCloud) -> None:
        cloud = await start_cloud(users=(USER,))
        cloud.state.clock_ahead_s = 3600.0

        found = await look(by_key(cloud.url))

        clock = found[f"clock of {cloud.url.removeprefix('http://')}"]
        assert State.FAULT is clock.state
        assert "AK/SK signatures are refused" in clock.words
        assert "let NTP keep it" in found["login default"].remedy


class TestCertificates:
    async def test_one_that_ends_soon_is_told(self, answer_raw: AnswerRaw, authority: Authority) -> None:
        server = await answer_raw(NOTHING, stays=True, tls=authority.server("good"))

        found = await look(account(server.url), ca_file=authority.certificate)

        place = server.url.removeprefix("https://")
        assert {f"certificate of {place}": "warning"} == states(found.values())
        assert found[f"certificate of {place}"].words.startswith("It ends in 1 days")

    async def test_one_that_is_not_trusted_is_a_fault_of_the_api(
        self, answer_raw: AnswerRaw, authority: Authority
    ) -> None:
        server = await answer_raw(NOTHING, stays=True, tls=authority.server("good"))

        found = await look(account(server.url))

        assert {"API default": "fault"} == states(found.values())
        assert "VPN_WORKER_API_CA_FILE" in found["API default"].words

    async def test_a_file_that_is_no_certificate(self, tmp_path: Path) -> None:
        wrong = tmp_path / "ca.pem"
        wrong.write_text("no certificate")

        found = await look(account("https://127.0.0.1:1"), ca_file=wrong)

        assert {"certificate files": "fault"} == states(found.values())
