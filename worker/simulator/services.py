"""
The cloud's memory: its VPN services, what became of them with time, and counts of what was done to it.
"""

import asyncio
import heapq
import ipaddress
import itertools
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from worker.simulator.config import SimulatorConfig
from worker.simulator.dialect import Dialect, RefusalError
from worker.simulator.fault_book import FaultBook

CALLS = ("create", "list", "show", "delete", "other")


@dataclass(slots=True)
class Service:
    """
    One VPN service.

    Attributes:
        seq: place in the order of creation, from 0.
        attributes: what the cloud shows of it, in the order of the dialect.
        visible_at: from when list and show see it, in seconds since the epoch.
        is_pinned: its status was set by hand and no longer moves with time.
    """

    seq: int
    attributes: dict[str, object]
    visible_at: float
    is_pinned: bool = False

    @property
    def id(self) -> str:
        """
        The service id.
        """
        return str(self.attributes["id"])

    @property
    def status(self) -> str:
        """
        The status now, as of the last call to the cloud.
        """
        return str(self.attributes["status"])


class CloudState:
    """
    Everything a simulated cloud knows. Not thread-safe; no change in it awaits, so every change is atomic.
    """

    def __init__(self, config: SimulatorConfig, dialect: Dialect) -> None:
        self.config = config
        self.dialect = dialect
        self._news = asyncio.Event()
        self.reset()

    def reset(self) -> None:
        """
        Back to the moment of the start: no services, all counts zero, the faults of the configuration.
        """
        self._random = random.Random(self.config.seed)  # noqa: S311 - test data, no secret
        self.faults = FaultBook(self.config.faults, self.config.seed)
        self.services: dict[str, Service] = {}
        self.calls: Counter[str] = Counter(dict.fromkeys(CALLS, 0))
        self.answers: Counter[str] = Counter()
        self.creates = 0
        self.duplicates: Counter[tuple[str, str]] = Counter()
        self._ordered: list[Service | None] = []
        self._by_router: dict[str, dict[str, Service]] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._ticket = itertools.count()
        self.notify()

    def notify(self) -> None:
        """
        Wakes everybody who waits for `news`.
        """
        self._news.set()
        self._news = asyncio.Event()

    async def news(self) -> None:
        """
        Returns when something was done to the cloud; the passing of time alone is no news.
        """
        await self._news.wait()

    def advance(self) -> None:
        """
        Does what has fallen due: statuses that settle, services that were committed late.
        """
        now = self.config.clock()
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()

    def create(self, request: Mapping[str, object]) -> Service:
        """
        A new service for a request that passed every check.

        Raises:
            RefusalError: `conflict`, when the VPC has all the services it can have.
        """
        self.advance()
        return self._add(request, self.config.clock())

    def create_late(self, request: Mapping[str, object], after_s: float) -> None:
        """
        Makes the service appear in `after_s` seconds, unless its VPC is full by then.
        """
        at = self.config.clock() + after_s
        self._schedule(at, partial(self._add_if_free, dict(request), at))

    def find(self, service_id: str) -> Service:
        """
        The service of that id.

        Raises:
            RefusalError: `not_found`, also while the service is not visible yet.
        """
        self.advance()
        service = self.services.get(service_id)
        if service is None or service.visible_at > self.config.clock():
            raise RefusalError("not_found", id=service_id)
        return service

    def delete(self, service_id: str) -> None:
        """
        Forgets the service.

        Raises:
            RefusalError: `not_found`; `conflict` in active-active (the API family refuses DELETE there).
        """
        service = self.find(service_id)
        if self.config.active_active:
            raise RefusalError("conflict", reason="A VPN service cannot be deleted in the active-active scenario.")
        del self.services[service_id]
        del self._by_router[str(service.attributes["router_id"])][service_id]
        self._ordered[service.seq] = None

    def visible(self, router_ids: list[str], after_seq: int = -1) -> Iterator[Service]:
        """
        The services a list shows, oldest first, from the one after `after_seq`; all VPCs if none is named.
        """
        self.advance()
        now = self.config.clock()
        if router_ids:
            found = [each for key in set(router_ids) for each in self._by_router.get(key, {}).values()]
            found.sort(key=lambda service: service.seq)
            chosen: Iterable[Service | None] = found
        else:
            chosen = itertools.islice(self._ordered, after_seq + 1, None)
        return (each for each in chosen if each is not None and each.seq > after_seq and each.visible_at <= now)

    def snapshot(self) -> dict[str, object]:
        """
        All of it as JSON data, for tests and people; services that no list shows yet included.
        """
        self.advance()
        return {
            "services": [service.attributes for service in self.services.values()],
            "calls": dict(self.calls),
            "answers": dict(self.answers),
            "creates": self.creates,
            "duplicates": [
                {"router_id": router_id, "name": name, "count": count}
                for (router_id, name), count in self.duplicates.items()
            ],
            "faults": self.faults.listed(),
            "faults_hit": dict(self.faults.hits),
        }

    def _add(self, request: Mapping[str, object], now: float) -> Service:
        router_id = str(request["router_id"])
        siblings = self._by_router.setdefault(router_id, {})
        self._check_room(router_id, len(siblings))
        service = Service(len(self._ordered), self._attributes(request, now), now + self.config.visible_after_s)
        name = str(service.attributes["name"])
        if any(other.attributes["name"] == name for other in siblings.values()):
            self.duplicates[router_id, name] += 1
        self.services[service.id] = siblings[service.id] = service
        self._ordered.append(service)
        self.creates += 1
        self.notify()
        if self.config.settle_after_s is not None:
            settle = partial(self._settle, service, self._settled_status())
            self._schedule(now + self.config.settle_after_s, settle)
        return service

    def _add_if_free(self, request: Mapping[str, object], at: float) -> None:
        try:
            self._add(request, at)
        except RefusalError:
            return

    def _check_room(self, router_id: str, taken: int) -> None:
        most = self.config.services_per_vpc
        if most is None:
            rules = self.dialect
            most = rules.services_per_vpc_active_active if self.config.active_active else rules.services_per_vpc
        if most and taken >= most:
            reason = f"Only {most} VPN service(s) can be created for each VPC; router {router_id} has {taken}."
            raise RefusalError("conflict", reason=reason)

    def _attributes(self, request: Mapping[str, object], now: float) -> dict[str, object]:
        number = len(self._ordered)
        made: dict[str, object] = {
            "tenant_id": self.config.tenant_id,
            "external_v4_ip": self._v4_address(number),
            **{name: row.default for name, row in self.dialect.parameters.items() if row.default is not None},
            **request,
            "id": str(uuid.UUID(int=self._random.getrandbits(128), version=4)),
            "status": self.dialect.first_status,
            "external_v6_ip": str(self.dialect.v6_first + number),
            # doc: created_at, in UTC and without a zone
            "created_at": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
        }
        return {name: made.get(name) for name in self.dialect.answer_fields}

    def _v4_address(self, number: int) -> str:
        pool = self.dialect.v4_pool
        offset = int(self.dialect.v4_first) - int(pool.network_address) + number
        return str(ipaddress.IPv4Address(int(pool.network_address) + offset % pool.num_addresses))

    def _settled_status(self) -> str:
        luck = self._random.random()
        if luck < self.config.error_share:
            return "ERROR"
        return "DOWN" if luck < self.config.error_share + self.config.down_share else "ACTIVE"

    def _settle(self, service: Service, status: str) -> None:
        if not service.is_pinned:
            service.attributes["status"] = status

    def _schedule(self, at: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (at, next(self._ticket), action))
