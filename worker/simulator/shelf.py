"""
The cloud's VPN services, found by id, router and order of creation, and counted by project.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(slots=True)
class Service:
    """
    One VPN service.

    Attributes:
        seq: place in the order of creation, from 0.
        attributes: what the cloud shows of it, in the order of the dialect.
        visible_at: from when list and show see it, in seconds since the epoch.
        project_id: whose quota it counts against.
        is_pinned: its status was set by hand and no longer moves with time.
    """

    seq: int
    attributes: dict[str, object]
    visible_at: float
    project_id: str
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

    def is_of(self, project_id: str | None) -> bool:
        """
        True if it belongs to the project; to any project for None.
        """
        return project_id is None or self.attributes["tenant_id"] == project_id

    def spoil(self, changes: Mapping[str, object]) -> None:
        """
        Sets attributes; a status set so stays.
        """
        self.attributes.update(changes)
        self.is_pinned = self.is_pinned or "status" in changes


class Shelf:
    """
    All services of one cloud.

    Attributes:
        by_id: the services there are.
        count_by_project: how many each project has.
        duplicates: services made although their router had one of that name, by router id and name.
    """

    def __init__(self) -> None:
        self.by_id: dict[str, Service] = {}
        self.count_by_project: Counter[str] = Counter()
        self.duplicates: Counter[tuple[str, str]] = Counter()
        self._ordered: list[Service | None] = []
        self._by_router: dict[str, dict[str, Service]] = {}

    @property
    def next_seq(self) -> int:
        """
        The place of the next service.
        """
        return len(self._ordered)

    def count_on(self, router_id: str) -> int:
        """
        How many services a router has.
        """
        return len(self._by_router.get(router_id, ()))

    def add(self, service: Service) -> None:
        """
        Puts a service with `next_seq` at the end.
        """
        router_id, name = str(service.attributes["router_id"]), str(service.attributes["name"])
        siblings = self._by_router.setdefault(router_id, {})
        if any(other.attributes["name"] == name for other in siblings.values()):
            self.duplicates[router_id, name] += 1
        self.by_id[service.id] = siblings[service.id] = service
        self._ordered.append(service)
        self.count_by_project[service.project_id] += 1

    def remove(self, service: Service) -> None:
        """
        Forgets a service; its place in the order stays empty.
        """
        del self.by_id[service.id]
        del self._by_router[str(service.attributes["router_id"])][service.id]
        self.count_by_project[service.project_id] -= 1
        self._ordered[service.seq] = None

    def in_order(self, router_ids: list[str], after_seq: int) -> Iterator[Service]:
        """
        The services of these routers, or of all if none is named, oldest first, from the one after `after_seq`.
        """
        if router_ids:
            found = [each for key in set(router_ids) for each in self._by_router.get(key, {}).values()]
            found.sort(key=lambda service: service.seq)
            chosen: Iterable[Service | None] = found
        else:
            # By index: a slice, islice's too, would walk over all that stood on the pages before.
            chosen = (self._ordered[seq] for seq in range(after_seq + 1, len(self._ordered)))
        return (each for each in chosen if each is not None and each.seq > after_seq)
