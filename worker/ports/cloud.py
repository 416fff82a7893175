"""
The cloud, as the flows and a person's commands see it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from worker.core.answers import Busy, CreateAnswer, ListAnswer, Misconfigured, Service, Throttled


class Cloud(Protocol):
    """
    The cloud's VPN service API. Never raises for what the cloud or the network does: that is an answer.

    `tenant_id` chooses the account: the one the request names, None for the default.
    """

    async def create(self, body: bytes, tenant_id: str | None) -> CreateAnswer:
        """
        POSTs `body` once; once more only where the first was refused for its login alone. Not safe to repeat after Unknown.
        """
        ...

    async def list_services(self, router_id: str, tenant_id: str | None) -> ListAnswer:
        """
        Every service of a router, all pages. Safe to repeat.
        """
        ...

    async def recovered(self) -> None:
        """
        Returns when a login that had failed works again: a probe need not wait any longer. Perhaps never.
        """
        ...

    async def probe(self) -> ListAnswer:
        """
        A look-up for nobody, by an account that can log in: shows whether the cloud answers. Safe to repeat.
        """
        ...


class Showing(Protocol):
    """
    The cloud, as far as a person needs it who decides about a request in doubt.
    """

    async def show(self, service_id: str, tenant_id: str | None) -> Service | ListAnswer:
        """
        One service by its id, Listed(()) when there is none, or why it could not be shown. Safe to repeat.
        """
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """
    Some services of a tenant.

    Attributes:
        services: as the cloud shows them.
        next: leads to the page after it; None on the last one.
    """

    services: tuple[Service, ...]
    next: str | None = None


PageAnswer = Page | Busy | Throttled | Misconfigured


class Paging(Showing, Protocol):
    """
    The cloud, as far as the follower needs it. Never raises for what the cloud or the network does: that is an answer.
    """

    async def list_page(self, tenant_id: str | None, after: str | None = None) -> PageAnswer:
        """
        One page of all services of a tenant, whatever their router. Safe to repeat.

        Args:
            tenant_id: whose; None for the default account's own project.
            after: `next` of the page before; None for the first.
        """
        ...
