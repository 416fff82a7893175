"""
Reads the metrics of a worker process over HTTP, and says that they moved.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.conftest import eventually
from worker.telemetry.metric_specs import SPECS, spec_named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.e2e.conftest import WorkerProcess

#: Values by a sample's name and labels.
Values = dict[tuple[str, frozenset[tuple[str, str]]], float]

#: The sample that counts, by the kind of the metric; and what is told once and for all.
COUNTED = {"counter": "", "histogram": "_count", "gauge": ""}
CONSTANT = frozenset({"build_info"})


class Meter:
    """
    One worker's metrics. What has moved as claimed is noted in `seen`, by its name without the prefix.

    Args:
        url: of the worker's HTTP port.
        seen: to add to.
        first: what the metrics were before anything happened.
    """

    def __init__(self, url: str, seen: set[str], first: Values) -> None:
        self._url = url
        self._seen = seen
        self._first = first

    async def values(self) -> Values:
        """
        All samples now.
        """
        async with aiohttp.ClientSession() as session, session.get(f"{self._url}/metrics") as answer:
            assert 200 == answer.status
            return values_of(await answer.text())

    async def rises(self, name: str, by: float = 1, **labels: str) -> None:
        """
        Waits until a counter, or the count of a histogram, is higher by this or more than it was at first.
        """
        await self._moves(name, labels, lambda first, now: now - first >= by, f"rise by {by:g}")

    async def shows(self, name: str, value: float, **labels: str) -> None:
        """
        Waits until a gauge has this value.
        """
        await self._moves(name, labels, lambda _, now: now == value, f"value {value:g}", was_other=value)

    async def exceeds(self, name: str, value: float, **labels: str) -> None:
        """
        Waits until a gauge is above a value that it was below at first.
        """
        await self._moves(name, labels, lambda first, now: first < value < now, f"value above {value:g}")

    async def falls(self, name: str, **labels: str) -> None:
        """
        Waits until a gauge is lower than it was at first.
        """
        await self._moves(name, labels, lambda first, now: now < first, "fall")

    async def _moves(
        self,
        name: str,
        labels: Mapping[str, str],
        claim: Callable[[float, float], bool],
        what: str,
        was_other: float = math.nan,
    ) -> None:
        spec = spec_named(name)
        key = (spec.full_name + COUNTED[spec.kind], frozenset(labels.items()))
        first = self._first.get(key, math.nan)
        if spec.kind != "gauge":
            assert key in self._first, f"{name} {labels} does not begin at 0"
        last: dict[str, float] = {}

        async def holds() -> bool:
            last["value"] = (await self.values()).get(key, math.nan)
            return claim(first, last["value"])

        try:
            await eventually(holds, name)
        except TimeoutError:
            raise AssertionError(f"{name} {labels or ''}: no {what}; first {first:g}, last {last['value']:g}") from None
        if first != was_other or name in CONSTANT:
            self._seen.add(name)


async def metered(worker: WorkerProcess, seen: set[str], *, is_new: bool = False) -> Meter:
    """
    A meter that begins with what the metrics are now, or for a new process with nothing but zeros.
    """
    meter = Meter(await worker.http_url(), seen, {})
    now = await meter.values()
    meter._first = dict.fromkeys(now, 0.0) if is_new else now
    return meter


def values_of(text: str) -> Values:
    """
    The samples of Prometheus' text.
    """
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def names() -> set[str]:
    """
    Every metric there is, without the prefix.
    """
    return {spec.name for spec in SPECS}
