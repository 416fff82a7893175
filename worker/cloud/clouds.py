"""
The cloud as the worker sees it: one client for each account, chosen by the tenant that a request names.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from worker.accounts.account import Account, AkskCredentials, ApplicationCredentials, PasswordCredentials
from worker.cloud.caller import Place
from worker.cloud.client import CloudClient
from worker.cloud.identity_api import UserRecords
from worker.cloud.login import LoginState
from worker.cloud.logins import Records, login_for
from worker.cloud.options import TransportOptions
from worker.cloud.transport import Transport
from worker.core.answers import Busy, CreateAnswer, ListAnswer, Listed, Misconfigured, Service, Throttled, Trouble
from worker.core.profile import Profile
from worker.ports import PageAnswer

A = TypeVar("A")

_NO_ACCOUNT = "No account serves this tenant any more; give it one in VPN_WORKER_ACCOUNTS_FILE."

#: How often to see which accounts are not well; how often they may really log in is for each login to say.
_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class CloudOptions:
    """
    Which cloud, and as whom.

    Attributes:
        profile: of the cloud.
        accounts: one, or several that each serve tenants of their own.
        transport: how to speak to it.
        calm_s: the least wait after a refused login.
    """

    profile: Profile
    accounts: tuple[Account, ...]
    transport: TransportOptions
    calm_s: float = 60.0


class Clouds:
    """
    Sends each call as the account that serves its tenant.

    Args:
        clients: by account.
    """

    def __init__(self, clients: Iterable[tuple[Account, CloudClient]]) -> None:
        self._clients = dict(clients)
        self._by_tenant = {
            tenant_id: client for account, client in self._clients.items() for tenant_id in account.tenant_ids or ()
        }
        defaults = [account for account in self._clients if account.is_default]
        self._default = self._clients[defaults[0]] if defaults else None
        self._serves_all = bool(defaults) and defaults[0].tenant_ids is None
        self._recovered = asyncio.Event()

    @property
    def logins(self) -> Mapping[str, LoginState]:
        """
        How the login of each account fares, by the account's name.
        """
        return {account.name: client.login for account, client in self._clients.items()}

    async def log_in(self) -> None:
        """
        Has every account log in, so that its state is known; returns within seconds, whatever comes of it.
        """
        await asyncio.gather(*(client.log_in() for client in self._clients.values()))

    async def keep_logged_in(self) -> None:
        """
        Has an account that is not well log in anew, as soon as that is wise: it is mended without a request. Never ends.
        """
        while True:
            await asyncio.sleep(_LOOK_S)
            ill = [client for client in self._clients.values() if not client.login.is_well]
            await asyncio.gather(*(client.log_in() for client in ill))
            if any(client.login.is_well for client in ill):
                # Whoever waits for this event is woken; who comes later waits for the next.
                news, self._recovered = self._recovered, asyncio.Event()
                news.set()

    async def recovered(self) -> None:
        """
        See Cloud.recovered.
        """
        await self._recovered.wait()

    async def create(self, body: bytes, tenant_id: str | None) -> CreateAnswer:
        """
        See Cloud.create.
        """
        return await self._asked(tenant_id, lambda client: client.create(body, tenant_id))

    async def list_services(self, router_id: str, tenant_id: str | None) -> ListAnswer:
        """
        See Cloud.list_services.
        """
        return await self._asked(tenant_id, lambda client: client.list_services(router_id, tenant_id))

    async def list_page(self, tenant_id: str | None, after: str | None = None) -> PageAnswer:
        """
        See Paging.list_page.
        """
        return await self._asked(tenant_id, lambda client: client.list_page(tenant_id, after))

    async def show(self, service_id: str, tenant_id: str | None) -> Service | ListAnswer:
        """
        See Showing.show.
        """
        return await self._asked(tenant_id, lambda client: client.show(service_id, tenant_id))

    async def delete(self, service_id: str, tenant_id: str | None) -> Busy | Throttled | Misconfigured | None:
        """
        See CloudClient.delete.
        """
        return await self._asked(tenant_id, lambda client: client.delete(service_id, tenant_id))

    async def probe(self) -> ListAnswer:
        """
        See Cloud.probe.
        """
        answer: ListAnswer = _no_account()
        # Those that are well first: neither one account's trouble nor its endpoint's must hide that the cloud answers.
        for client in sorted(self._clients.values(), key=lambda client: not client.is_well):
            answer = await client.probe()
            if isinstance(answer, Listed | Throttled):
                break
        return answer

    async def _asked(self, tenant_id: str | None, ask: Callable[[CloudClient], Awaitable[A]]) -> A | Misconfigured:
        """
        What the account of a tenant is answered; a trouble that all accounts have is not its own.
        """
        client = self._client(tenant_id)
        if client is None:
            return _no_account()
        answer = await ask(client)
        if isinstance(answer, Busy | Misconfigured) and self._is_everybodys(answer, client):
            return replace(answer, is_account_only=False)
        return answer

    def _is_everybodys(self, answer: Busy | Misconfigured, client: CloudClient) -> bool:
        """
        Whether what looks like one account's trouble is that of all: none of the others is well either.
        """
        if not answer.is_account_only or client.is_well:
            return False
        return not any(other.is_well for other in self._clients.values())

    def _client(self, tenant_id: str | None) -> CloudClient | None:
        if tenant_id is None or self._serves_all:
            return self._by_tenant.get(tenant_id or "", self._default)
        return self._by_tenant.get(tenant_id)


def _no_account() -> Misconfigured:
    # Requests of such tenants are rejected; this one was taken when there still was an account.
    return Misconfigured(Trouble("no_account", _NO_ACCOUNT), is_account_only=True)


@asynccontextmanager
async def open_clouds(options: CloudOptions) -> AsyncIterator[Clouds]:
    """
    Clients for all accounts, over one pool of connections, until the context ends.

    Raises:
        OSError, ssl.SSLError: a certificate file cannot be read.
    """
    async with Transport(options.transport) as transport, open_clients(options, transport) as clients:
        yield Clouds(clients)


@asynccontextmanager
async def open_clients(
    options: CloudOptions, transport: Transport
) -> AsyncIterator[tuple[tuple[Account, CloudClient], ...]]:
    """
    A client for each account over a transport that is open, until the context ends.
    """
    profile, accounts = options.profile, options.accounts
    endpoints = {_endpoint(profile, account) for account in accounts}
    async with AsyncExitStack() as stack:
        clients, records = [], Records(users=UserRecords(options.calm_s))
        for account in accounts:
            login = login_for(account, transport, records=records, catalog_types=profile.catalog_types)
            stack.push_async_callback(login.close)
            place = Place(
                profile,
                api_url=account.api_url or _hosted(profile, account),
                project_id=_project_id(account),
                is_alone=len(accounts) == 1,
                has_own_endpoint=len(endpoints) > 1,
            )
            clients.append((account, CloudClient(transport, login, place)))
        yield tuple(clients)


def _endpoint(profile: Profile, account: Account) -> str:
    """
    Where the API of an account is, as far as it is known before the login: the same text for the same endpoint.
    """
    known = account.api_url or _hosted(profile, account)
    if known is not None:
        return known
    return f"{getattr(account.credentials, 'iam_url', '')} {account.region} {account.interface}"


def _hosted(profile: Profile, account: Account) -> str | None:
    # A login with a catalog knows the endpoint better than the rule for host names.
    if (
        account.region is None
        or profile.api_host is None
        or isinstance(account.credentials, PasswordCredentials | ApplicationCredentials)
    ):
        return None
    return profile.api_host.format(region=account.region)


def _project_id(account: Account) -> str | None:
    match account.credentials:
        case AkskCredentials(project_id=project_id):
            return project_id
        case PasswordCredentials(project=project):
            return project.id if project else None
        case _:
            return None
