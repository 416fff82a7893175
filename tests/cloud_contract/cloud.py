"""
The cloud under test: what can be asked of it, which routers are free, and what is to be deleted again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
import pytest

from tests.cloud_contract.saying import expect, told
from worker.core.admission import Admission
from worker.core.answers import CreateAnswer, Created, ListAnswer, Listed, Service, Throttled
from worker.ports import Page

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from worker.accounts.account import Account
    from worker.cloud.clouds import CloudOptions, Clouds
    from worker.core.profile import Profile
    from worker.simulator import Simulator

T = TypeVar("T")
_THROTTLED_S = 10.0


@dataclass(frozen=True, slots=True)
class Patience:
    """
    How long a cloud may take to show what was done, and how often to look.
    """

    limit_s: float
    interval_s: float


@dataclass(slots=True)
class Cloud:
    """
    One cloud.

    Attributes:
        clouds: the code under test.
        options: with which it was opened.
        intruder: an account with wrong credentials; None where there can be none.
        routers: that may be used.
        run_id: in the name or the description of everything that is created.
        patience: how patient to be.
        simulator: None where it is a real cloud.
        made: ids of what was created and not deleted.
        used: routers that something was created on.
    """

    clouds: Clouds
    options: CloudOptions
    intruder: Account | None
    routers: tuple[str, ...]
    run_id: str
    patience: Patience
    simulator: Simulator | None = None
    made: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    @property
    def profile(self) -> Profile:
        """
        Of this cloud.
        """
        return self.options.profile

    @property
    def admission(self) -> Admission:
        """
        Everybody may ask for everything that this cloud takes.
        """
        return Admission(self.profile)

    @property
    def simulated(self) -> Simulator:
        """
        The simulator, for tests that are marked as its own.
        """
        assert self.simulator is not None, "the test needs the mark `simulated`"
        return self.simulator

    async def free_router(self) -> str:
        """
        A router without a service.
        """
        return (await self.free_routers(1))[0]

    async def free_routers(self, count: int) -> tuple[str, ...]:
        """
        So many routers without a service; the test is skipped where fewer were named.
        """
        if len(self.routers) < count:
            pytest.skip(f"needs {count} routers, and {len(self.routers)} was named")
        for router_id in self.routers[:count]:
            there = ", ".join(one.id for one in await self.services_of(router_id))
            if there:
                pytest.fail(f"router {router_id} has a VPN service already ({there}); name routers that have none")
        return self.routers[:count]

    def wanted(self, router_id: str, **fields: object) -> dict[str, object]:
        """
        The attributes of a request that can be told from everybody else's.
        """
        usual = {"router_id": router_id, "name": self.run_id, "description": f"contract suite, run {self.run_id}"}
        return usual | fields

    async def create(self, wanted: Mapping[str, object]) -> CreateAnswer:
        """
        The answer to a create with these attributes.
        """
        self.used.add(str(wanted.get("router_id")))
        body = orjson.dumps({"vpnservice": wanted})
        answer = await self._calmly(lambda: self.clouds.create(body, None))
        if isinstance(answer, Created):
            self.made.append(answer.service.id)
        return answer

    async def created(self, wanted: Mapping[str, object]) -> Created:
        """
        The service that was created, or the test fails.
        """
        return expect(Created, await self.create(wanted), "a valid request should create a service")

    async def list_services(self, router_id: str) -> ListAnswer:
        """
        The answer to a list of one router.
        """
        return await self._calmly(lambda: self.clouds.list_services(router_id, None))

    async def services_of(self, router_id: str) -> tuple[Service, ...]:
        """
        The services of one router, or the test fails. Sorted out again, as the worker does: a cloud may ignore the filter.
        """
        answer = await self.list_services(router_id)
        listed = expect(Listed, answer, f"the services of router {router_id} should be listed")
        return tuple(one for one in listed.services if one.attributes.get("router_id") == router_id)

    async def pages_of(self, tenant_id: str | None) -> tuple[Service, ...]:
        """
        The services on all pages of a tenant, or the test fails.
        """
        services, after = await self._page(tenant_id, None)
        while after is not None:
            more, after = await self._page(tenant_id, after)
            services += more
        return services

    async def show(self, service_id: str) -> Service | ListAnswer:
        """
        The answer to a show.
        """
        return await self._calmly(lambda: self.clouds.show(service_id, None))

    async def delete(self, service_id: str) -> None:
        """
        Deletes a service and waits until the cloud does not show it any more, or the test fails.
        """
        answer = await self._calmly(lambda: self.clouds.delete(service_id, None))
        expect(type(None), answer, f"service {service_id} should be deleted")

        async def is_gone() -> bool:
            return await self.show(service_id) == Listed(())

        await self.until(is_gone, f"service {service_id} should be gone after its delete, and is still shown")
        if service_id in self.made:
            self.made.remove(service_id)

    async def until(self, is_so: Callable[[], Awaitable[bool]], claim: str) -> None:
        """
        Returns once it is so; clouds may be eventually consistent. Else the test fails with the claim.
        """
        loop = asyncio.get_running_loop()
        end_s = loop.time() + self.patience.limit_s
        while True:
            if await is_so():
                return
            if loop.time() > end_s:
                pytest.fail(f"{claim} (waited {self.patience.limit_s:g} s)")
            await asyncio.sleep(self.patience.interval_s)

    async def sweep(self) -> dict[str, str]:
        """
        Deletes everything of this run, also what was created without telling.

        Returns:
            What could not be deleted: ids, each with the reason.
        """
        leftovers: dict[str, str] = {}
        found = list(self.made)
        for router_id in self.used & set(self.routers):
            answer = await self.list_services(router_id)
            if isinstance(answer, Listed):
                found += [one.id for one in answer.services if self._is_ours(one.attributes)]
            else:
                leftovers[f"whatever is on router {router_id}"] = told(answer)
        for service_id in dict.fromkeys(found):
            try:
                await self.delete(service_id)
            except pytest.fail.Exception as exc:
                leftovers[service_id] = str(exc)
        return leftovers

    async def _page(self, tenant_id: str | None, after: str | None) -> tuple[tuple[Service, ...], str | None]:
        answer = await self._calmly(lambda: self.clouds.list_page(tenant_id, after))
        page = expect(Page, answer, "the services of a tenant should be listed, whatever their router")
        return page.services, page.next

    def _is_ours(self, shown: Mapping[str, Any]) -> bool:
        return any(self.run_id in str(shown.get(name)) for name in ("name", "description"))

    async def _calmly(self, call: Callable[[], Awaitable[T]]) -> T:
        """
        The answer; a real cloud that asks to slow down is asked again later.
        """
        for _ in range(5):
            answer = await call()
            if self.simulator is not None or not isinstance(answer, Throttled):
                return answer
            await asyncio.sleep(answer.retry_after_s or _THROTTLED_S)
        return await call()
