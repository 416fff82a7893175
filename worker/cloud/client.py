"""
The cloud's VPN service API as one account sees it; whatever the cloud or the network does becomes an answer.
"""

from __future__ import annotations

import asyncio
import uuid

import structlog
from yarl import URL

from worker.cloud import answering
from worker.cloud.caller import Ask, Caller, Place
from worker.cloud.login import Login, LoginState
from worker.cloud.pages import Pages
from worker.cloud.reply import Reply
from worker.cloud.transport import Transport
from worker.cloud.wire import read_service, renamed
from worker.core.answers import (
    Busy,
    CreateAnswer,
    Created,
    ListAnswer,
    Listed,
    Misconfigured,
    Service,
    Throttled,
)
from worker.ports import PageAnswer

log = structlog.get_logger()

_CREATED = frozenset({200, 201, 202})
_DELETED = frozenset({200, 202, 204, 404})


class CloudClient:
    """
    One account's client.

    Args:
        transport: over which to call; shared.
        login: of the account.
        place: where its API is.
    """

    def __init__(self, transport: Transport, login: Login, place: Place) -> None:
        self._caller = Caller(transport, login, place)
        self._place = place
        self._profile = place.profile
        self._pages = Pages(self._caller, place)
        self._is_unlike = False

    @property
    def login(self) -> LoginState:
        """
        How the login fares, for readiness.
        """
        return self._caller.login

    @property
    def endpoint(self) -> URL | None:
        """
        Where its API is; None as long as the login has not told it.
        """
        return self._caller.endpoint

    @property
    def is_well(self) -> bool:
        """
        Whether it can log in and its endpoint answers, as far as it was tried.
        """
        return self._caller.is_well

    async def log_in(self) -> None:
        """
        Logs in ahead of the first call, if there is a login to make; `login` tells what came of it.
        """
        await self._caller.log_in()

    async def create(self, body: bytes, tenant_id: str | None = None) -> CreateAnswer:
        """
        See Cloud.create.
        """
        reply = await self._caller.ask(Ask("POST", body=renamed(body, self._profile), tenant_id=tenant_id))
        if not isinstance(reply, Reply):
            return answering.unanswered_create(reply, self._place)
        if reply.status not in _CREATED:
            return answering.refused_create(reply, self._place)
        service = read_service(reply.body, self._profile)
        if service is None:
            return answering.not_created(reply)
        self._check_likeness(service)
        return Created(service, reply.request_id, reply.status)

    def _check_likeness(self, service: Service) -> None:
        # A Neutron taken for a cloud with one service per VPC is sent a second POST after a lost answer.
        missing = sorted(self._profile.shows - service.attributes.keys())
        if missing and not self._is_unlike:
            self._is_unlike = True
            log.warning(
                "cloud.unlike_profile",
                profile=self._profile.name,
                missing=missing,
                remedy="check VPN_WORKER_CLOUD: after a lost answer, a wrong one can create a service twice",
            )

    async def list_services(self, router_id: str, tenant_id: str | None = None) -> ListAnswer:
        """
        See Cloud.list_services.
        """
        return await self._pages.of_router(router_id, tenant_id)

    async def list_page(self, tenant_id: str | None = None, after: str | None = None) -> PageAnswer:
        """
        See Paging.list_page.
        """
        return await self._pages.of_tenant(tenant_id, after)

    async def show(self, service_id: str, tenant_id: str | None = None) -> Service | ListAnswer:
        """
        See Showing.show.
        """
        reply = await self._caller.ask(Ask("GET", item=service_id, tenant_id=tenant_id))
        if not isinstance(reply, Reply):
            return answering.unanswered_look(reply, self._place)
        if reply.status == 404:
            return Listed(())
        service = read_service(reply.body, self._profile) if reply.status == 200 else None
        return service or answering.failed_look(reply, self._place)

    async def delete(self, service_id: str, tenant_id: str | None = None) -> Busy | Throttled | Misconfigured | None:
        """
        Deletes a service; None when it is gone. The worker deletes nothing: it is for those who check a real cloud.
        """
        reply = await self._caller.ask(Ask("DELETE", item=service_id, tenant_id=tenant_id))
        if not isinstance(reply, Reply):
            return answering.unanswered_look(reply, self._place)
        return None if reply.status in _DELETED else answering.failed_look(reply, self._place)

    async def recovered(self) -> None:
        """
        See Cloud.recovered. Never: whoever logs in for several accounts hears of it.
        """
        await asyncio.Event().wait()

    async def probe(self) -> ListAnswer:
        """
        See Cloud.probe.
        """
        # A router that nobody has: nothing is changed, and no trouble of one router can be met.
        return await self.list_services(str(uuid.uuid4()))
