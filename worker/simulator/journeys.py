"""
Journeys: the statuses that a service goes through by itself, and at which age.
"""

import itertools
import math
from dataclasses import dataclass

#: Age in seconds and status, in order.
Journey = tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Trip:
    """
    One service on its journey.

    Attributes:
        begun_at_s: when it set out, in seconds since the epoch.
        journey: where to.
        stop: which of its statuses comes next, from 0.
    """

    begun_at_s: float
    journey: Journey
    stop: int = 0

    @property
    def status(self) -> str:
        """
        The status that comes next.
        """
        return self.journey[self.stop][1]

    @property
    def due_at_s(self) -> float:
        """
        When it comes, in seconds since the epoch.
        """
        return self.begun_at_s + self.journey[self.stop][0]

    def onward(self) -> "Trip | None":
        """
        The rest of the way once the next status has come; None at its end.
        """
        stop = self.stop + 1
        return Trip(self.begun_at_s, self.journey, stop) if stop < len(self.journey) else None


def journey_faults(journey: Journey, spread_s: float) -> list[tuple[bool, str]]:
    """
    Claims about a journey of the configuration, each with the sentence to say when it does not hold.
    """
    ages_s = [age_s for age_s, _ in journey]
    return [
        (all(0 <= age_s < math.inf for age_s in ages_s), "The ages of the journey must be 0 s or more."),
        (all(a < b for a, b in itertools.pairwise(ages_s)), "The ages of the journey must rise."),
        (all(status.strip() for _, status in journey), "Every status of the journey must have a name."),
        (0 <= spread_s < math.inf, "The spread of the journey must be 0 s or more."),
        (bool(journey) or spread_s == 0, "A spread needs a journey."),
    ]
