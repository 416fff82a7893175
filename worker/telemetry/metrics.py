"""
Metrics: what the facts add up to, and the state of the worker at the moment it is asked, in Prometheus' form.
"""

from __future__ import annotations

import itertools
import platform
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from typing import Any

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

from worker.facts import Fact
from worker.facts.broker import AckStale, BrokerConnected, PublishEnded, QueueLooked
from worker.facts.calls import (
    ApiRequestEnded,
    CalmBegun,
    CalmLengthened,
    LoginSucceeded,
    LoginUnsuccessful,
    TakingStopped,
)
from worker.facts.ledger import LedgerCommitted, LedgerFailed
from worker.facts.requests import (
    DeadLettered,
    DeliveryProcessed,
    DeliveryTaken,
    OutcomeTold,
    RequestJoined,
    RequestRejected,
    RetryScheduled,
    RoundMade,
    StatusTold,
    StrangerMet,
    UnknownMet,
    UnknownResolved,
)
from worker.telemetry.metric_specs import SPECS, Spec, spec_named

#: What a label says of a value that its metric does not foresee.
OTHER = "other"

log = structlog.get_logger()

#: A gauge's value now, or one for each value of its label; None when it is not known.
Reading = Callable[[], float | Mapping[str, float] | None]


class Metrics:
    """
    All metrics of a process. `heed` is a hook for facts; gauges are read when somebody asks for the text.
    """

    def __init__(self) -> None:
        # A gauge beside each counter, which nobody asks for, and a fifth of all that is scraped.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # of the library
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._made = {spec.name: self._make(spec) for spec in SPECS if spec.kind != "gauge"}
        self._children: dict[tuple[str, ...], Any] = {}
        for spec in SPECS:
            if spec.kind != "gauge":
                for values in itertools.product(*spec.labels.values()):
                    self._kept(spec.name, *values)
        info = self._make(spec_named("build_info"))
        info.labels(version=version("vpn-worker"), python=platform.python_version()).set(1)
        self._gauges = _Gauges()
        self._registry.register(self._gauges)
        self._queue_messages: float | None = None
        self.read("queue_messages", lambda: self._queue_messages)

    def read(self, name: str, reading: Reading) -> None:
        """
        Has a gauge read from now on; must not block. What it raises is logged, and there is no sample.
        """
        self._gauges.readings[name] = reading

    def text(self, accept: str = "") -> tuple[bytes, str]:
        """
        All metrics, and their content type: OpenMetrics where the `Accept` header asks for it, else Prometheus' text.
        """
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def heed(self, fact: Fact) -> None:
        """
        Counts a fact.
        """
        count = _COUNTED.get(type(fact))
        if count is not None:
            count(self, fact)

    def add(self, name: str, *labels: str, by: float = 1.0) -> None:
        """
        Adds to a counter.
        """
        self._child(name, *labels).inc(by)

    def observe(self, name: str, value: float, *labels: str) -> None:
        """
        Adds a value to a histogram.
        """
        self._child(name, *labels).observe(value)

    def _child(self, name: str, *labels: str) -> Any:
        # Bound once: looking a child up by its labels costs more than counting with it.
        child = self._children.get((name, *labels))
        if child is not None:
            return child
        # Only values that are known beforehand have a series of their own, lest there be ever more of them.
        known = spec_named(name).labels.values()
        folded = tuple(value if value in values else OTHER for value, values in zip(labels, known, strict=True))
        return self._kept(name, *folded)

    def _kept(self, name: str, *labels: str) -> Any:
        child = self._children.get((name, *labels))
        if child is None:
            made = self._made[name]
            child = self._children[(name, *labels)] = made.labels(*labels) if labels else made
        return child

    def _make(self, spec: Spec) -> Any:
        labels = tuple(spec.labels)
        match spec.kind:
            case "counter":
                return Counter(spec.full_name, spec.help, labels, registry=self._registry)
            case "gauge":
                return Gauge(spec.full_name, spec.help, labels, registry=self._registry)
            case "histogram":
                return Histogram(spec.full_name, spec.help, labels, registry=self._registry, buckets=spec.buckets)

    def _heed_queue(self, fact: QueueLooked) -> None:
        self.add("self_checks_total", fact.result)
        self._queue_messages = fact.messages


class _Gauges:
    """
    Reads the worker's state when it is asked for.
    """

    def __init__(self) -> None:
        self.readings: dict[str, Reading] = {}

    def collect(self) -> Iterable[Metric]:
        """
        See prometheus_client's Collector.
        """
        for name, reading in self.readings.items():
            spec, value = spec_named(name), _read(name, reading)
            family = GaugeMetricFamily(spec.full_name, spec.help, labels=tuple(spec.labels))
            if isinstance(value, Mapping):
                for label, one in value.items():
                    family.add_metric((label,), one)
            elif value is not None:
                family.add_metric((), value)
            yield family


def _read(name: str, reading: Reading) -> float | Mapping[str, float] | None:
    try:
        return reading()
    except Exception:
        # One that cannot be read must not take all others with it.
        log.exception("metric.not_read", metric=name)
        return None


def _truth(claim: bool) -> str:  # noqa: FBT001 - it is what is turned into a label
    return "true" if claim else "false"


def _status_class(status: int | None) -> str:
    # A server can write any three digits; what is no class of HTTP's answers counts as none.
    return f"{status // 100}xx" if status is not None and 200 <= status < 600 else "none"


def _login(fact: LoginUnsuccessful) -> str:
    return "refused" if fact.is_refused else "failed"


def _count_outcome(metrics: Metrics, fact: OutcomeTold) -> None:
    metrics.add("outcomes_total", fact.outcome)
    metrics.observe("critical_seconds", fact.critical_s, fact.outcome)


def _count_rejection(metrics: Metrics, fact: RequestRejected) -> None:
    metrics.add("outcomes_total", "rejected")
    metrics.observe("critical_seconds", fact.critical_s, "rejected")


def _count_publish(metrics: Metrics, fact: PublishEnded) -> None:
    metrics.add("publishes_total", fact.kind, fact.result)
    metrics.observe("publish_seconds", fact.duration_s, fact.kind)


def _count_api_request(metrics: Metrics, fact: ApiRequestEnded) -> None:
    metrics.add("api_requests_total", fact.target, fact.method, _status_class(fact.status))
    metrics.observe("api_request_seconds", fact.duration_s, fact.target, fact.method)


def _count_calm(metrics: Metrics, fact: CalmBegun) -> None:
    metrics.add("throttle_waits_total")
    metrics.add("throttle_wait_seconds_total", by=fact.pause_s)


def _count_commit(metrics: Metrics, fact: LedgerCommitted) -> None:
    metrics.observe("ledger_commit_seconds", fact.duration_s)
    metrics.observe("ledger_commit_writes", fact.writes)


def _count_connection(metrics: Metrics, fact: BrokerConnected) -> None:
    if not fact.is_first:
        metrics.add("broker_reconnects_total", fact.role)


#: What each kind of fact adds to; one row a kind.
_COUNTED: dict[type[Fact], Callable[[Metrics, Any], None]] = {
    DeliveryTaken: lambda metrics, fact: metrics.add("requests_received_total", _truth(fact.is_redelivered)),
    DeliveryProcessed: lambda metrics, fact: metrics.observe("processing_seconds", fact.duration_s, fact.verdict),
    OutcomeTold: _count_outcome,
    RequestRejected: _count_rejection,
    RequestJoined: lambda metrics, fact: metrics.add("joined_total", _truth(fact.is_redelivered)),
    StrangerMet: lambda metrics, _: metrics.add("strangers_total"),
    RetryScheduled: lambda metrics, fact: metrics.add("retries_total", fact.rung, fact.cause),
    DeadLettered: lambda metrics, fact: metrics.add("dead_letters_total", fact.reason),
    UnknownMet: lambda metrics, _: metrics.add("unknown_answers_total"),
    UnknownResolved: lambda metrics, fact: metrics.add("unknown_resolved_total", fact.resolution),
    PublishEnded: _count_publish,
    AckStale: lambda metrics, _: metrics.add("stale_acks_total"),
    BrokerConnected: _count_connection,
    QueueLooked: Metrics._heed_queue,  # noqa: SLF001 - in its own file
    ApiRequestEnded: _count_api_request,
    CalmBegun: _count_calm,
    CalmLengthened: lambda metrics, fact: metrics.add("throttle_wait_seconds_total", by=fact.pause_s),
    TakingStopped: lambda metrics, fact: metrics.add("pauses_total", fact.cause),
    LoginSucceeded: lambda metrics, _: metrics.add("logins_total", "succeeded"),
    LoginUnsuccessful: lambda metrics, fact: metrics.add("logins_total", _login(fact)),
    LedgerCommitted: _count_commit,
    LedgerFailed: lambda metrics, _: metrics.add("ledger_errors_total"),
    StatusTold: lambda metrics, _: metrics.add("status_changes_total"),
    RoundMade: lambda metrics, _: metrics.add("follow_rounds_total"),
}
