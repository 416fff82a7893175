"""
The cloud's memory: its VPN services, what became of them with time, and counts of what was done to it.
"""

import asyncio
import random
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial

from worker.simulator.accounts import Accounts
from worker.simulator.admission import check_quota, check_room, check_router
from worker.simulator.agenda import Agenda
from worker.simulator.attributes import Birth, new_attributes
from worker.simulator.capacity import Capacity, RateLimit
from worker.simulator.config import SimulatorConfig
from worker.simulator.dialect import Dialect, RefusalError
from worker.simulator.fault_book import FaultBook
from worker.simulator.journeys import Trip
from worker.simulator.key_ring import KeyRing
from worker.simulator.shelf import Service, Shelf

CALLS = ("create", "list", "show", "delete", "other", "token")


class CloudState:
    """
    Everything a simulated cloud knows. Not thread-safe; no change in it awaits, so every change is atomic.
    """

    def __init__(self, config: SimulatorConfig, dialect: Dialect) -> None:
        self.config = config
        self.dialect = dialect
        self._news = asyncio.Event()
        self._routers = None if config.routers is None else {router.id: router for router in config.routers}
        self.reset()

    def reset(self) -> None:
        """
        Back to the moment of the start: no services, all counts zero, the faults of the configuration.
        """
        self.clock_ahead_s = 0.0
        self._random = random.Random(self.config.seed)  # noqa: S311 - test data, no secret
        self.accounts = Accounts(self.config, self.now_s)
        self.keys = KeyRing(self.config.users, self.now_s)
        per_second = self.config.per_second
        self.rate = None if per_second is None else RateLimit(per_second, self.now_s)
        self.capacity = Capacity(self.config.capacity, self.config.queue_limit)
        self.faults = FaultBook(self.config.faults, self.config.seed)
        self._shelf = Shelf()
        self.calls: Counter[str] = Counter(dict.fromkeys(CALLS, 0))
        self.answers: Counter[str] = Counter()
        self.creates = 0
        self._agenda = Agenda()
        self.notify()

    @property
    def services(self) -> dict[str, Service]:
        """
        The services there are by id, oldest first, those included that no list shows yet.
        """
        return self._shelf.by_id

    @property
    def duplicates(self) -> Counter[tuple[str, str]]:
        """
        Services made although their router had one of that name, by router id and name.
        """
        return self._shelf.duplicates

    @property
    def failed_logins(self) -> Counter[str]:
        """
        Logins that failed, by account.
        """
        return self.accounts.failed_logins

    @property
    def peak_working(self) -> int:
        """
        Most creates that were ever worked on at once.
        """
        return self.capacity.peak_working

    @property
    def peak_waiting(self) -> int:
        """
        Most creates that ever stood in line.
        """
        return self.capacity.peak_waiting

    @property
    def is_clock_own(self) -> bool:
        """
        True if the cloud's time is not the machine's.
        """
        return self.config.clock is not time.time or self.clock_ahead_s != 0

    def now_s(self) -> float:
        """
        The cloud's time, in seconds since the epoch.
        """
        return self.config.clock() + self.clock_ahead_s

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
        Does what has fallen due: statuses that move on, services that were committed late.
        """
        self._agenda.catch_up(self.now_s())

    def create(self, request: Mapping[str, object], project_id: str | None = None) -> Service:
        """
        A new service for a request that passed the checks of its own; of the configured project if none is given.

        Raises:
            RefusalError: `quota`; `no_router`, `no_gateway` or `no_subnet`; `conflict`, when the VPC has all the
                services it can have.
        """
        self.advance()
        return self._add(request, self.now_s(), project_id or self.config.tenant_id)

    def create_late(self, request: Mapping[str, object], after_s: float, project_id: str | None = None) -> None:
        """
        Makes the service appear in `after_s` seconds, unless there is no room for it by then.
        """
        at = self.now_s() + after_s
        self._agenda.add(at, partial(self._add_if_free, dict(request), at, project_id or self.config.tenant_id))

    def create_many(self, count: int, project_id: str | None = None, status: str | None = None) -> list[Service]:
        """
        New services as if others had made them, each on a router of its own; no quota and no list of routers is looked at.

        Args:
            count: how many.
            project_id: whose; the configured project's if none is given.
            status: theirs for good; None for the usual one, which moves with time.
        """
        self.advance()
        now, owner_id = self.now_s(), project_id or self.config.tenant_id
        services = []
        for _ in range(count):
            router_id = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
            request = {"router_id": router_id, "name": f"simulated-{self._shelf.next_seq}"}
            service = self._put(request, now, owner_id)
            if status is None:
                self._set_out(service, now)
            else:
                service.spoil({"status": status})
            services.append(service)
        self.notify()
        return services

    def find(self, service_id: str, project_id: str | None = None) -> Service:
        """
        The service of that id, if it is the project's; any project's if none is given.

        Raises:
            RefusalError: `not_found`, also while the service is not visible yet.
        """
        self.advance()
        service = self.services.get(service_id)
        if service is None or service.visible_at > self.now_s() or not service.is_of(project_id):
            raise RefusalError("not_found", id=service_id)
        return service

    def delete(self, service_id: str, project_id: str | None = None) -> None:
        """
        Forgets the service.

        Raises:
            RefusalError: `not_found`; `conflict` in active-active (the API family refuses DELETE there).
        """
        service = self.find(service_id, project_id)
        if self.config.active_active:
            raise RefusalError("conflict", reason="A VPN service cannot be deleted in the active-active scenario.")
        self._shelf.remove(service)

    def vanish(self, service_id: str) -> bool:
        """
        Forgets the service, whatever the cloud's rules; False when there is none of that id.
        """
        service = self.services.get(service_id)
        if service is not None:
            self._shelf.remove(service)
            self.notify()
        return service is not None

    def visible(self, router_ids: list[str], after_seq: int = -1, project_id: str | None = None) -> Iterator[Service]:
        """
        The services a list shows, oldest first, from the one after `after_seq`; all VPCs if none is named.
        """
        self.advance()
        now = self.now_s()
        found = self._shelf.in_order(router_ids, after_seq)
        return (each for each in found if each.visible_at <= now and each.is_of(project_id))

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
            "tokens": self.accounts.tokens.count(),
            "failed_logins": dict(self.failed_logins),
            "bad_signatures": dict(self.keys.bad_signatures),
            "locked_keys": self.keys.locked(),
            "peak_working": self.peak_working,
            "peak_waiting": self.peak_waiting,
        }

    def _add(self, request: Mapping[str, object], now: float, project_id: str) -> Service:
        owner_id = str(request.get("tenant_id", project_id))
        router_id = str(request["router_id"])
        check_quota(self.config, self._shelf.count_by_project[owner_id])
        check_router(self._routers, request, owner_id)
        check_room(self.config, self.dialect, router_id, self._shelf.count_on(router_id))
        service = self._put(request, now, owner_id)
        self.creates += 1
        self.notify()
        self._set_out(service, now)
        return service

    def _put(self, request: Mapping[str, object], now: float, owner_id: str) -> Service:
        birth = Birth(self._shelf.next_seq, self._random.getrandbits(128), now)
        attributes = new_attributes(self.dialect, request, owner_id, birth)
        service = Service(birth.number, attributes, now + self.config.visible_after_s, owner_id)
        self._shelf.add(service)
        return service

    def _add_if_free(self, request: Mapping[str, object], at: float, project_id: str) -> None:
        try:
            self._add(request, at, project_id)
        except RefusalError:
            return

    def _set_out(self, service: Service, now: float) -> None:
        config = self.config
        if config.journey:
            late_s = config.journey_spread_s and config.journey_spread_s * self._random.random()
            self._travel(service, Trip(now + late_s, config.journey))
        elif config.settle_after_s is not None:
            self._travel(service, Trip(now, ((config.settle_after_s, self._settled_status()),)))

    def _settled_status(self) -> str:
        luck = self._random.random()
        if luck < self.config.error_share:
            return "ERROR"
        return "DOWN" if luck < self.config.error_share + self.config.down_share else "ACTIVE"

    def _travel(self, service: Service, trip: Trip) -> None:
        # One entry for each service, whatever the length of its way.
        self._agenda.add(trip.due_at_s, partial(self._arrive, service, trip))

    def _arrive(self, service: Service, trip: Trip) -> None:
        if service.is_pinned:
            return
        service.attributes["status"] = trip.status
        rest = trip.onward()
        if rest is not None:
            self._travel(service, rest)
