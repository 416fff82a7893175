"""
A cloud made of values: the VPN services of one router, and what lists show of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tests.core.samples import a_service
from worker.core.answers import Service

OWN = "own-"


@dataclass(frozen=True, slots=True)
class ModelCloud:
    """
    The VPN services of one router.

    Attributes:
        is_limited: one service per router, as `otc` enforces; else any number, as `openstack`.
        lag_s: age from which a list shows a service.
        is_stamped: services show when they were made.
        description: what the job's POST asks for, marks included; None for nothing.
        services: those there are, oldest first.
        late: when services appear for which nobody waits any more.
    """

    is_limited: bool
    lag_s: float = 0.0
    is_stamped: bool = True
    description: str | None = None
    services: tuple[Service, ...] = ()
    late: tuple[datetime, ...] = ()

    @property
    def own(self) -> tuple[Service, ...]:
        """
        The services that the job's POSTs made.
        """
        return tuple(one for one in self.services if one.id.startswith(OWN))

    def created(self, now: datetime, status: str = "PENDING_CREATE") -> ModelCloud:
        """
        With a service for the job, the last of all; unchanged when the router has one and may have no more.
        """
        if self.is_limited and self.services:
            return self
        described = {} if self.description is None else {"description": self.description}
        made_at = now if self.is_stamped else None
        service = a_service(f"{OWN}{len(self.own)}", created_at=made_at, status=status, **described)
        return replace(self, services=(*self.services, service))

    def created_later(self, at: datetime) -> ModelCloud:
        """
        With a service that comes when nobody waits for it any more.
        """
        return replace(self, late=(*self.late, at))

    def at(self, now: datetime) -> ModelCloud:
        """
        As it is at that moment: what was to come until then has come.
        """
        if not self.late or min(self.late) > now:
            return self
        cloud = replace(self, late=tuple(at for at in self.late if at > now))
        for at in sorted(at for at in self.late if at <= now):
            cloud = cloud.created(at)
        return cloud

    def listed(self, now: datetime, lag_s: float = 0.0) -> tuple[Service, ...]:
        """
        What a list shows that is `lag_s` seconds behind, or as far as all of this cloud's lists are.
        """
        newest = now - timedelta(seconds=max(lag_s, self.lag_s))
        return tuple(one for one in self.services if one.created_at is None or one.created_at <= newest)
