"""
The list call, page by page: all services of one router, or of one tenant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import structlog
from yarl import URL

from worker.cloud import answering
from worker.cloud.call import MOST_BYTES
from worker.cloud.caller import Ask, Caller, Place
from worker.cloud.classify import classify
from worker.cloud.login import LoginFailed
from worker.cloud.reply import NoReply, Reply
from worker.cloud.wire import read_services
from worker.core.answers import Busy, ListAnswer, Listed, Service, Trouble
from worker.core.meanings import Class
from worker.ports import Page, PageAnswer

log = structlog.get_logger()

_MOST_PAGES = 100
#: Services of a tenant to ask for at once.
_PAGE_SERVICES = 100
#: A cloud that knows no pages sends everything at once: at half a kilobyte each, this is more than 100,000 services.
_PAGE_BYTES = 64 * MOST_BYTES


class Pages:
    """
    Reads lists for one account.

    Args:
        caller: makes its calls.
        place: where its API is.
    """

    def __init__(self, caller: Caller, place: Place) -> None:
        self._caller = caller
        self._place = place
        self._is_unfiltered = False

    async def of_router(self, router_id: str, tenant_id: str | None) -> ListAnswer:
        """
        See Cloud.list_services.
        """
        query: Mapping[str, str] = {self._named("router_id"): router_id}
        services: list[Service] = []
        for _ in range(_MOST_PAGES):
            page = self._read(await self._caller.ask(Ask("GET", query=query, tenant_id=tenant_id)), query)
            if not isinstance(page, Page):
                return page
            services.extend(page.services)
            if page.next is None:
                return Listed(tuple(services))
            query = _query(page.next)
        return Busy(Trouble("look_failed", f"The list of router {router_id} has more than {_MOST_PAGES} pages."))

    async def of_tenant(self, tenant_id: str | None, after: str | None) -> PageAnswer:
        """
        See Paging.list_page.
        """
        if after is None:
            page = await self._first(tenant_id)
        else:
            query = _query(after)
            page = self._read(await self._ask(query, tenant_id), query)
        if not tenant_id or not isinstance(page, Page):
            return page
        # A cloud may ignore the filter, or its link may have lost it.
        return replace(page, services=tuple(one for one in page.services if _may_be_of(one, tenant_id)))

    async def _first(self, tenant_id: str | None) -> PageAnswer:
        if not self._is_unfiltered:
            query = {"limit": str(_PAGE_SERVICES)} | ({self._named("tenant_id"): tenant_id} if tenant_id else {})
            reply = await self._ask(query, tenant_id)
            if not self._is_query_refused(reply):
                return self._read(reply, query)
        # Some document only `fields` for this list (cloud API family, Look-ups), and refuse what they do not know.
        page = self._read(await self._ask({}, tenant_id), {})
        if isinstance(page, Page) and not self._is_unfiltered:
            self._is_unfiltered = True
            log.info("cloud.list_unfiltered", profile=self._place.profile.name)
        return page

    async def _ask(self, query: Mapping[str, str], tenant_id: str | None) -> Reply | NoReply | LoginFailed:
        return await self._caller.ask(Ask("GET", query=query, tenant_id=tenant_id, most_bytes=_PAGE_BYTES))

    def _is_query_refused(self, reply: Reply | NoReply | LoginFailed) -> bool:
        if not isinstance(reply, Reply) or reply.status != 400:
            return False
        return classify(reply.fault(), self._place.profile.rows)[0] is Class.REFUSED

    def _read(self, reply: Reply | NoReply | LoginFailed, query: Mapping[str, str]) -> PageAnswer:
        """
        The page in an answer to a list call with this query, or why there is none.
        """
        if not isinstance(reply, Reply):
            return answering.unanswered_look(reply, self._place)
        read = read_services(reply.body, self._place.profile) if reply.status == 200 else None
        if read is None:
            return answering.failed_look(reply, self._place)
        services, link = read
        if link is None:
            return Page(services)
        try:
            # Only the query of a link is used: credentials never follow a link to another host.
            following = URL(link).raw_query_string
        except ValueError:
            return _lost(reply, "cannot be read")
        if sorted(_query(following).items()) == sorted(query.items()):
            return _lost(reply, "leads to the same page")
        return Page(services, following)

    def _named(self, name: str) -> str:
        return self._place.profile.renames.get(name, name)


def _query(text: str) -> Mapping[str, str]:
    return URL.build(query_string=text, encoded=True).query


def _may_be_of(service: Service, tenant_id: str) -> bool:
    return service.attributes.get("tenant_id") in (None, tenant_id)


def _lost(reply: Reply, words: str) -> Busy:
    words = f"The cloud's link to the next page {words}."
    return Busy(Trouble("look_failed", words, reply.status, None, reply.request_id))
