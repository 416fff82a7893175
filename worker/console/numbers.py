"""
The live numbers: a point every few seconds for a quarter of an hour, in memory that does not grow.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from messages.attributes import rfc3339
from worker.facts import Fact
from worker.facts.calls import ApiRequestEnded
from worker.facts.requests import OutcomeTold, RequestRejected

STEP_S = 5
_POINTS = 15 * 60 // STEP_S
#: Critical times kept of one step, for its percentiles; more of them change little.
_TIMES = 2_000
_OUTCOMES = ("created", "failed", "rejected", "in_doubt")
_API = ("calls", "errors", "throttled")


@dataclass(frozen=True, slots=True)
class Point:
    """
    One step. `waiting` is None while RabbitMQ cannot be asked, a time while there was no outcome.
    """

    at: datetime
    waiting: int | None
    in_flight: int
    counts: Counter[str]
    p50_s: float | None
    p95_s: float | None


class Numbers:
    """
    Counts facts; `heed` is the hook for them.

    Args:
        now: this machine's time, aware UTC.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._totals: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._times: list[float] = []
        self._points: deque[Point] = deque(maxlen=_POINTS)
        self.waiting: int | None = None
        self.dead: int | None = None

    def heed(self, fact: Fact) -> None:
        """
        Counts a fact, if it is one of ours.
        """
        match fact:
            case OutcomeTold(outcome=outcome, critical_s=critical_s):
                self._outcome(outcome, critical_s)
            case RequestRejected(critical_s=critical_s):
                self._outcome("rejected", critical_s)
            case ApiRequestEnded(target="api", status=status):
                self._add("calls")
                if status == 429:
                    self._add("throttled")
                elif status is None or status >= 500 or status in {401, 403}:
                    self._add("errors")
            case _:
                pass

    def step(self, waiting: int | None, dead: int | None, in_flight: int) -> None:
        """
        Ends a step.
        """
        self.waiting, self.dead = waiting, dead
        times = sorted(self._times)
        point = Point(self._now(), waiting, in_flight, self._counts, _share(times, 0.5), _share(times, 0.95))
        self._points.append(point)
        self._counts, self._times = Counter(), []

    def told(self) -> dict[str, object]:
        """
        The totals since the start, and the points as columns.
        """
        points = list(self._points)
        return {
            "waiting": self.waiting,
            "dead": self.dead,
            "outcomes": {name: self._totals[name] for name in _OUTCOMES},
            "api": {name: self._totals[name] for name in _API},
            "series": {
                "step_s": STEP_S,
                "at": [rfc3339(point.at) for point in points],
                "waiting": [point.waiting for point in points],
                "in_flight": [point.in_flight for point in points],
                **{name: [point.counts[name] for point in points] for name in _OUTCOMES},
                "critical_time_p50_s": [point.p50_s for point in points],
                "critical_time_p95_s": [point.p95_s for point in points],
                "api_calls": [point.counts["calls"] for point in points],
                "api_errors": [point.counts["errors"] + point.counts["throttled"] for point in points],
            },
        }

    def _outcome(self, outcome: str, critical_s: float) -> None:
        self._add(outcome)
        if len(self._times) < _TIMES:
            self._times.append(critical_s)

    def _add(self, name: str) -> None:
        self._totals[name] += 1
        self._counts[name] += 1


def _share(ordered: list[float], share: float) -> float | None:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 4) if ordered else None
