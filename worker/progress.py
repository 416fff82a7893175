"""
One round under way, and how it can end early.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from worker.core.following import Follow, FollowPolicy, Glimpse
from worker.core.rounds import Round


class Ended(Exception):  # noqa: N818 - a turn of events, not an error
    """
    The round ends before it is complete: the process stops, the broker confirms nothing, or another worker has it.
    """


class Unanswered(Ended):
    """
    The cloud does not answer, or not in a way that can be believed.
    """


@dataclass(slots=True)
class Progress:
    """
    How far a round has come.

    Attributes:
        tour: as it was taken.
        began_at: aware UTC; what was first followed later may not be on its pages.
        policy: what to tell.
        lease_s: how long the round is ours without a renewal.
        is_well: the cloud has answered everything, and did not ask for calm.
        pages, services: how much the cloud has listed.
        followed: how many followed ones the cloud has shown.
        shown: services that were asked for one by one.
        changes: what was told.
        asked_s: how long calls to the cloud were under way.
        heard_of: hashes of the followed services that the cloud has shown.
        eldest_until: the first of their deadlines: that of the one followed for longest.
        absent: services that are nowhere, beyond their grace, and elder than all that were shown.
        unshown: services in a row that could not be shown.
        deaf: batches of events in a row of which the broker has confirmed none.
        held_at: since when the round is known to be ours.
    """

    tour: Round
    began_at: datetime
    policy: FollowPolicy
    lease_s: float
    is_well: bool = True
    pages: int = 0
    services: int = 0
    followed: int = 0
    shown: int = 0
    changes: int = 0
    asked_s: float = 0.0
    heard_of: set[int] = field(default_factory=set)
    eldest_until: datetime | None = None
    absent: int = 0
    unshown: int = 0
    deaf: int = 0
    held_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.held_at = self.began_at

    @property
    def tenant_id(self) -> str | None:
        """
        Whose services are looked at.
        """
        return self.tour.tenant_id

    def note_shown(self, follow: Follow | Glimpse) -> None:
        """
        Notes that the cloud has shown a followed service.
        """
        self.followed += 1
        self.heard_of.add(hash(follow.service_id))
        self.eldest_until = min(self.eldest_until or follow.deadline_at, follow.deadline_at)

    def is_elder(self, follow: Follow) -> bool:
        """
        Whether a service has been followed for longer than any that the cloud has shown.
        """
        return self.eldest_until is None or follow.deadline_at < self.eldest_until

    def facts(self) -> dict[str, object]:
        """
        What the log tells of it.
        """
        names = ("tenant_id", "pages", "services", "followed", "shown", "changes", "is_well")
        return {name: getattr(self, name) for name in names} | {"asked_s": round(self.asked_s, 4)}
