"""
Every metric: its name, kind, labels and meaning, as data; docs/reference/metrics.md is written from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from messages.routes import RUNGS
from worker.core.causes import Cause, Resolution

PREFIX = "vpn_worker_"

#: Seconds. From one millisecond, what a commit takes, to a POST that a cloud holds for minutes.
CALL_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
#: Seconds. To a day, the default deadline of a request.
REQUEST_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0)
#: Seconds. A commit of SQLite takes less than one millisecond where the disk is quick.
COMMIT_BUCKETS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
GROUP_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

_ROLES = ("consume", "publish")
_KINDS = ("events", "retries", "dead", "reply")
_OUTCOMES = ("created", "failed", "rejected", "in_doubt")
_TRUTHS = ("false", "true")
_CLASSES = ("2xx", "3xx", "4xx", "5xx")


@dataclass(frozen=True, slots=True)
class Spec:
    """
    One metric.

    Attributes:
        name: without the prefix.
        kind: of Prometheus.
        help: one sentence.
        labels: every value that a label can have, where they are known beforehand; such series begin at 0.
        buckets: of a histogram, upper bounds.
        note: what one must know to read it; for the page.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    buckets: tuple[float, ...] = ()
    note: str = ""

    @property
    def full_name(self) -> str:
        """
        As Prometheus knows it.
        """
        return PREFIX + self.name


SPECS = (
    Spec(
        "requests_received_total",
        "counter",
        "Deliveries of requests that arrived.",
        {"redelivered": _TRUTHS},
        note="What comes back from a rung counts again. `redelivered`: by RabbitMQ, or a copy of such a one.",
    ),
    Spec(
        "outcomes_total",
        "counter",
        "Outcomes of requests that RabbitMQ confirmed.",
        {"outcome": _OUTCOMES},
        note="The outcome of a duplicate, or of a request whose worker died before the ack, is told and counted again.",
    ),
    Spec(
        "processing_seconds",
        "histogram",
        "From the arrival of a delivery to its verdict.",
        {"verdict": ("ack", "later", "dead", "give_back")},
        REQUEST_BUCKETS,
        note="Waiting in memory is part of it, waiting on a rung is not. `give_back`: the ledger refused during a stop.",
    ),
    Spec(
        "critical_seconds",
        "histogram",
        "Critical time: from the sending of a request to its confirmed outcome.",
        {"outcome": _OUTCOMES},
        REQUEST_BUCKETS,
        note="Everything counts: the queue, rungs, pauses. When it was sent say `ce-time`, and AMQP's `timestamp`, which has "
        "whole seconds and so is up to 1 s early; the later of the two counts. Without either, or with one to come, and for "
        "replays, it begins when a worker first saw the request. The clocks of publisher and worker must agree.",
    ),
    Spec(
        "in_flight",
        "gauge",
        "Deliveries being worked on.",
        note="At most `VPN_WORKER_CONCURRENCY`, those that wait in memory included.",
    ),
    Spec(
        "concurrency_limit",
        "gauge",
        "Calls to the cloud that may be under way at once, for now.",
        note="Found out from the answers, or `VPN_WORKER_API_CONCURRENCY`.",
    ),
    Spec(
        "api_in_flight",
        "gauge",
        "Calls to the cloud under way, or about to be.",
        note="Those for requests: following, probes and logins keep to limits of their own.",
    ),
    Spec(
        "retries_total",
        "counter",
        "Copies of requests put on a rung.",
        {"rung": tuple(rung.name for rung in RUNGS), "cause": tuple(cause.value for cause in Cause)},
        note="Tries that wait a few seconds in memory are not among them.",
    ),
    Spec(
        "dead_letters_total",
        "counter",
        "Copies of requests put into the dead letters.",
        {"reason": ("rejected", "failed", "in_doubt", "poison")},
        note="What RabbitMQ parks there itself is not among them.",
    ),
    Spec("joined_total", "counter", "Deliveries that joined a request under way.", {"redelivered": _TRUTHS}),
    Spec("strangers_total", "counter", "Redelivered requests that the ledger did not know; looked up first."),
    Spec(
        "unknown_answers_total",
        "counter",
        "POSTs that may have created a service, and nobody knows.",
        note="No answer, one that says nothing, or a worker that died before it wrote the answer down.",
    ),
    Spec(
        "unknown_resolved_total",
        "counter",
        "What came of them.",
        {"resolution": tuple(resolution.value for resolution in Resolution)},
        note="Often by another worker than the one that met it, so only sums over all workers can be compared.",
    ),
    Spec(
        "publishes_total",
        "counter",
        "Messages published, by what became of them.",
        {"kind": _KINDS, "result": ("acked", "nacked", "returned", "timed_out", "lost")},
        note="All but replies are published again until they are `acked`.",
    ),
    Spec(
        "publish_seconds",
        "histogram",
        "Until a publish was confirmed or given up.",
        {"kind": _KINDS},
        CALL_BUCKETS,
        note="Waiting for the end of an alarm at the broker is part of it.",
    ),
    Spec("stale_acks_total", "counter", "Acks that came too late: the channel of the delivery had gone."),
    Spec("broker_connected", "gauge", "1 while the connection to RabbitMQ is open.", {"role": _ROLES}),
    Spec("broker_reconnects_total", "counter", "Connections to RabbitMQ that were made anew.", {"role": _ROLES}),
    Spec("broker_blocked", "gauge", "1 while RabbitMQ takes no publishes (memory or disk alarm)."),
    Spec(
        "consumer_registered",
        "gauge",
        "1 while RabbitMQ has our consumer registered.",
        note="As far as it said so; `self_checks_total` looks whether it is true. 0 also while requests are not taken.",
    ),
    Spec(
        "self_checks_total",
        "counter",
        "Looks at the work queue.",
        {"result": ("well", "vanished", "unanswered")},
    ),
    Spec(
        "queue_messages",
        "gauge",
        "Requests ready in the work queue at the last look.",
        note="The same number from every worker: take `max`, not `sum`. No sample while RabbitMQ does not answer.",
    ),
    Spec(
        "api_requests_total",
        "counter",
        "HTTP requests to the cloud; status none: no answer, or not all of it.",
        {"target": ("api", "identity"), "method": ("GET", "POST"), "status": (*_CLASSES, "none")},
    ),
    Spec(
        "api_request_seconds",
        "histogram",
        "How long they took.",
        {"target": ("api", "identity"), "method": ("GET", "POST")},
        CALL_BUCKETS,
    ),
    Spec("throttle_waits_total", "counter", "Times that the cloud asked to slow down (429) and nothing was sent."),
    Spec(
        "throttle_wait_seconds_total",
        "counter",
        "Seconds of calm that it asked for.",
        note="Counted when they begin.",
    ),
    Spec(
        "pauses_total",
        "counter",
        "Times that no requests were taken.",
        {"reason": ("cloud_down", "settings", "throttled", "ledger")},
        note="Calm for 5 s or less is waited out with the requests at hand, and is no pause.",
    ),
    Spec("paused", "gauge", "1 while no requests are taken.", note="Not while it drains: see `ready`."),
    Spec(
        "logins_total",
        "counter",
        "Logins at the cloud.",
        {"result": ("succeeded", "refused", "failed")},
        note="For AK/SK: a key that was accepted for the first time, and each call that was refused for it. "
        "`refused`: somebody must mend something; `failed`: an outage.",
    ),
    Spec(
        "logins_failing",
        "gauge",
        "Accounts whose login is not well.",
        note="Refused, or without a token while the identity service does not answer; `/ready` says which and why.",
    ),
    Spec(
        "ledger_commit_seconds",
        "histogram",
        "From the begin of a transaction to its commit.",
        {},
        COMMIT_BUCKETS,
        note="Waiting for other workers on the same file or rows is part of it.",
    ),
    Spec("ledger_commit_writes", "histogram", "Reads and writes that shared a commit.", {}, GROUP_BUCKETS),
    Spec(
        "ledger_errors_total",
        "counter",
        "Calls to the ledger that it refused; each was tried again.",
        note="Once a second for each request that waits. A file that another process has locked is refused after 30 s.",
    ),
    Spec(
        "followed_services",
        "gauge",
        "Services that are followed, by all workers on the ledger.",
        note="Up to 15 s old, and the same number from every worker on the ledger: take `max`, not `sum`.",
    ),
    Spec("status_changes_total", "counter", "Changes of followed services that were told."),
    Spec("follow_rounds_total", "counter", "Rounds in which the followed services of a tenant were looked at."),
    Spec("event_loop_lag_seconds", "gauge", "How late the event loop was, at the worst in the last ten seconds."),
    Spec("ready", "gauge", "1 while /ready answers 200."),
    Spec("build_info", "gauge", "Always 1; the versions are in the labels.", {"version": (), "python": ()}),
)


def spec_named(name: str) -> Spec:
    """
    The metric of that name, without the prefix.
    """
    return next(spec for spec in SPECS if spec.name == name)
