"""
The clouds that the contract is checked at: the simulator in every profile and way to log in, or the one that is named.
"""

from __future__ import annotations

import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.cloud_contract.cloud import Cloud, Patience
from worker.accounts.account import (
    Account,
    AkskCredentials,
    ApplicationCredentials,
    Credentials,
    Identity,
    PasswordCredentials,
    TokenCredentials,
)
from worker.accounts.secret import Secret
from worker.cloud.clouds import CloudOptions, open_clouds
from worker.cloud.options import TransportOptions
from worker.core.answers import Misconfigured
from worker.errors import SettingsError
from worker.profiles import profile_named
from worker.settings import access_of, load_settings
from worker.settings.cloud import CloudSettings
from worker.simulator import Router, SimulatorConfig, User, start_simulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from worker.accounts.access import Access
    from worker.core.profile import Profile

#: In place of a URL: the catalog of the login has it.
CATALOG = "catalog"

_TOKEN = "simulated-token"
_USER = User(
    "contract",
    "simulated-password",
    application_credential_id="a2c5b1f7e0d94f6b8c3d7e1f2a4b6c8d",
    application_credential_secret="simulated-credential-secret",
    access_key="SIMULATEDACCESSKEY00",
    secret_key="simulated-secret-key",
)
#: A secret that is none.
WRONG = "wrong-and-never-shown"


@dataclass(frozen=True, slots=True)
class Simulated:
    """
    The simulator, in the dialect of one profile, entered in one way.

    Attributes:
        profile: name of profile and dialect.
        login: token, password, application_credential or aksk.
    """

    profile: str
    login: str

    def __str__(self) -> str:
        return f"{self.profile}-{self.login}"

    @asynccontextmanager
    async def open(self, settings: dict[str, Any]) -> AsyncIterator[Cloud]:
        """
        The cloud, with these settings of the simulator, until the context ends.
        """
        routers = tuple(str(uuid.uuid4()) for _ in range(3))
        usual = {"dialect": self.profile, "users": (_USER,), "token": _TOKEN, "routers": tuple(map(Router, routers))}
        simulator = await start_simulator(SimulatorConfig(**(usual | settings)))
        has_catalog = self.login in {"password", "application_credential"}
        account, intruder = (
            Account("default", credentials, api_url=None if has_catalog else simulator.url, region="eu-de")
            for credentials in (_credentials(self.login, simulator.url), _credentials(self.login, simulator.url, WRONG))
        )
        transport = TransportOptions(total_timeout_s=5.0)
        options = CloudOptions(profile_named(self.profile), (account,), transport, calm_s=0.0)
        try:
            async with open_clouds(options) as clouds:
                yield Cloud(clouds, options, intruder, routers, "simulated", Patience(2.0, 0.02), simulator)
        finally:
            await simulator.close()


@dataclass(frozen=True, slots=True)
class Real:
    """
    A cloud that somebody pointed us at.

    Attributes:
        url: of its API, or `catalog`.
        profile: its profile.
        access: how to log in.
        routers: that may be used; without a VPN service, since most clouds have room for one each.
        run_id: stands in the name or the description of everything that is created.
        patience_s: within which a cloud must show what was done.
        made: ids of what was created and not deleted yet, in the whole run.
    """

    url: str
    profile: Profile
    access: Access
    routers: tuple[str, ...]
    run_id: str
    patience_s: float
    made: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.profile.name}-{self.access.accounts[0].name}"

    @asynccontextmanager
    async def open(self, settings: dict[str, Any]) -> AsyncIterator[Cloud]:
        """
        The cloud, until the context ends; no settings can be given to it.
        """
        del settings
        tls = self.access.tls
        transport = TransportOptions(ca_file=tls.ca_file, cert_file=tls.cert_file, key_file=tls.key_file)
        account = next(account for account in self.access.accounts if account.is_default)
        options = CloudOptions(self.profile, (account,), transport)
        async with open_clouds(options) as clouds:
            patience = Patience(self.patience_s, 1.0)
            yield Cloud(clouds, options, self._intruder(account), self.routers, self.run_id, patience, made=self.made)

    async def refusal(self) -> str | None:
        """
        Why the account is not let in, found out with one look-up; None when it is.

        Sixty tests that each try a wrong password lock the account of whoever wants to help.
        """
        async with self.open({}) as cloud:
            answer = await cloud.clouds.probe()
        return answer.trouble.message if isinstance(answer, Misconfigured) else None

    async def sweep(self) -> dict[str, str]:
        """
        Deletes what tests have left on all the routers, being interrupted for example; see Cloud.sweep.
        """
        async with self.open({}) as cloud:
            cloud.used.update(self.routers)
            return await cloud.sweep()

    def _intruder(self, account: Account) -> Account | None:
        # A made-up token: a wrong password or signature would count towards a lock of the account. A token tells no
        # endpoint, so there is no such account where only the catalog has it.
        if account.api_url is None and (account.region is None or self.profile.api_host is None):
            return None
        return Account("default", TokenCredentials(Secret(WRONG)), api_url=account.api_url, region=account.region)


Site = Simulated | Real

SIMULATED = (
    Simulated("otc", "token"),
    Simulated("otc", "password"),
    Simulated("otc", "aksk"),
    Simulated("huawei", "password"),
    Simulated("huawei", "aksk"),
    Simulated("openstack", "password"),
    Simulated("openstack", "application_credential"),
)


def real_site(url: str, routers: str, patience_s: float) -> Real:
    """
    The cloud at a URL, with profile and login from the environment, as the worker reads them.

    Raises:
        pytest.UsageError: no routers are named, or the settings are wrong.
    """
    if not routers.split():
        raise pytest.UsageError(
            'Which routers may be used? Name one, better two, that have no VPN service: ROUTERS="id id". '
            "No router is created here: what that takes differs from cloud to cloud."
        )
    try:
        settings = load_settings({"api_url": None if url == CATALOG else url}, CloudSettings)
        access = access_of(settings)
    except SettingsError as exc:
        raise pytest.UsageError(str(exc)) from exc
    if not any(account.is_default for account in access.accounts):
        raise pytest.UsageError(
            "Which account? None of the accounts file is the default one; mark one `default: true`."
        )
    run_id = f"vpnw-{uuid.uuid4().hex[:8]}"
    return Real(url, profile_named(settings.cloud), access, tuple(routers.split()), run_id, patience_s)


def _credentials(login: str, url: str, secret: str | None = None) -> Credentials:
    """
    The simulator's own credentials; with another secret if one is given.
    """
    iam_url = f"{url}/v3"
    match login:
        case "token":
            return TokenCredentials(Secret(secret or _TOKEN))
        case "password":
            user = Identity(name=_USER.name, domain_name=_USER.domain)
            return PasswordCredentials(iam_url, user, Secret(secret or _USER.password), Identity(id=_USER.project_id))
        case "application_credential":
            known = Secret(secret or _USER.application_credential_secret)
            return ApplicationCredentials(iam_url, _USER.application_credential_id, None, None, known)
        case _:
            access_key, secret_key = Secret(_USER.access_key), Secret(secret or _USER.secret_key)
            return AkskCredentials(access_key, secret_key, project_id=_USER.project_id)
