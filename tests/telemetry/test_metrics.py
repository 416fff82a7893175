"""
Metrics: each kind of fact adds to its own and to no other, and nothing can make a series that was not foreseen.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as prometheus_text

import worker.facts
from worker.core.causes import Cause, Resolution
from worker.facts import Fact, hooked, note
from worker.facts.broker import AckStale, BrokerConnected, ConsumerVanished, PublishEnded, QueueLooked
from worker.facts.calls import (
    ApiAnswered,
    ApiRequestEnded,
    CalmBegun,
    CalmLengthened,
    LoginSucceeded,
    LoginUnsuccessful,
    TakingResumed,
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
    RequestShelved,
    RetryScheduled,
    RoundMade,
    StatusTold,
    StrangerMet,
    UnknownMet,
    UnknownResolved,
)
from worker.ports import Published
from worker.telemetry.metric_specs import SPECS, spec_named
from worker.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What is logged, and counted by another fact or not worth it.
LOGGED_ONLY: set[type[Fact]] = {ApiAnswered, ConsumerVanished, RequestShelved, TakingResumed}
SECRETS = ("password", "secret", "token", "key", "body", "header", "auth", "url")

Values = dict[tuple[str, frozenset[tuple[str, str]]], float]
#: By name and labels.
Moved = Mapping[Any, float]


def outcome(kind: str) -> OutcomeTold:
    """
    The fact that an outcome of this kind was told, after two seconds and five.
    """
    return OutcomeTold(
        outcome=kind,
        service_id="s-1",
        status="ACTIVE",
        attempts=1,
        reconciled=False,
        code=None,
        http_status=None,
        api_request_id=None,
        total_s=2.0,
        critical_s=5.0,
    )


def login(*, is_refused: bool) -> LoginUnsuccessful:
    """
    The fact that a login did not work.
    """
    return LoginUnsuccessful("a", "no", is_refused=is_refused, is_news=False)


STATUS = StatusTold("r-1", "/shop", "s-1", "ACTIVE", "BUILD", is_final=True, deadline_reached=False)
OTHER_TARGET = ("api", "GET")

#: Facts, and what they add: a counter's name or a histogram's, its labels' values, and by how much.
CASES: list[tuple[Fact, Moved]] = [
    (DeliveryTaken(is_redelivered=False), {("requests_received_total", "false"): 1}),
    (DeliveryTaken(is_redelivered=True), {("requests_received_total", "true"): 1}),
    *(
        (DeliveryProcessed(verdict, 3.0), {("processing_seconds", verdict): 3.0})
        for verdict in ("ack", "later", "dead", "give_back")
    ),
    *(
        (outcome(kind), {("outcomes_total", kind): 1, ("critical_seconds", kind): 5.0})
        for kind in ("created", "failed", "in_doubt")
    ),
    (RequestRejected("bad", 2, 4.0), {("outcomes_total", "rejected"): 1, ("critical_seconds", "rejected"): 4.0}),
    (RequestJoined(is_redelivered=True), {("joined_total", "true"): 1}),
    (RequestJoined(is_redelivered=False), {("joined_total", "false"): 1}),
    (StrangerMet(), {("strangers_total",): 1}),
    *((RetryScheduled("5s", cause.value), {("retries_total", "5s", cause.value): 1}) for cause in Cause),
    *(
        (DeadLettered(reason), {("dead_letters_total", reason): 1})
        for reason in ("rejected", "failed", "in_doubt", "poison")
    ),
    (UnknownMet(), {("unknown_answers_total",): 1}),
    *((UnknownResolved(one.value), {("unknown_resolved_total", one.value): 1}) for one in Resolution),
    *(
        (
            PublishEnded("events", result.value, 0.5),
            {("publishes_total", "events", result.value): 1, ("publish_seconds", "events"): 0.5},
        )
        for result in Published
    ),
    (AckStale(), {("stale_acks_total",): 1}),
    (BrokerConnected("consume", is_first=True), {}),
    (BrokerConnected("consume", is_first=False), {("broker_reconnects_total", "consume"): 1}),
    (BrokerConnected("publish", is_first=False), {("broker_reconnects_total", "publish"): 1}),
    *((QueueLooked(result), {("self_checks_total", result): 1}) for result in ("well", "vanished", "unanswered")),
    *(
        (
            ApiRequestEnded("api", "GET", status, 2.0),
            {("api_requests_total", *OTHER_TARGET, label): 1, ("api_request_seconds", *OTHER_TARGET): 2.0},
        )
        for status, label in (
            (None, "none"),
            (201, "2xx"),
            (302, "3xx"),
            (404, "4xx"),
            (503, "5xx"),
            (101, "none"),
            (799, "none"),
        )
    ),
    (CalmBegun(7.0, "429"), {("throttle_waits_total",): 1, ("throttle_wait_seconds_total",): 7.0}),
    (CalmLengthened(2.0), {("throttle_wait_seconds_total",): 2.0}),
    *(
        (TakingStopped(cause, "why"), {("pauses_total", cause): 1})
        for cause in ("cloud_down", "settings", "throttled", "ledger")
    ),
    (LoginSucceeded("a"), {("logins_total", "succeeded"): 1}),
    (login(is_refused=True), {("logins_total", "refused"): 1}),
    (login(is_refused=False), {("logins_total", "failed"): 1}),
    (LedgerCommitted(3, 0.5), {("ledger_commit_seconds",): 0.5, ("ledger_commit_writes",): 3}),
    (LedgerFailed("full", 1.0), {("ledger_errors_total",): 1}),
    (STATUS, {("status_changes_total",): 1}),
    (RoundMade(), {("follow_rounds_total",): 1}),
]


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    """
    Metrics that hear of every fact of this process.
    """
    made = Metrics()
    with hooked(made.heed):
        yield made


def values(metrics: Metrics) -> Values:
    """
    What a scrape would see, of our own metrics; a histogram's buckets left out.
    """
    text, _ = metrics.text()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in prometheus_text(text.decode())
        for sample in family.samples
        if sample.name.startswith("vpn_worker_") and not sample.name.endswith("_bucket")
    }


def expected(moved: Moved) -> Values:
    """
    The samples that a fact adds to, as values of `moved`.
    """
    wanted: Values = {}
    for (name, *labels), by in moved.items():
        spec = spec_named(name)
        given = frozenset(zip(spec.labels, labels, strict=True))
        if spec.kind == "histogram":
            wanted |= {(f"{spec.full_name}_sum", given): by, (f"{spec.full_name}_count", given): 1}
        else:
            wanted[(spec.full_name, given)] = by
    return wanted


def every_kind() -> set[type[Fact]]:
    """
    Every kind of fact that worker.facts has.
    """
    modules = [
        importlib.import_module(f"worker.facts.{one.name}") for one in pkgutil.iter_modules(worker.facts.__path__)
    ]
    members = {member for module in modules for member in vars(module).values() if isinstance(member, type)}
    return {member for member in members if issubclass(member, Fact)} - {Fact}


@pytest.mark.parametrize(("fact", "moved"), CASES, ids=lambda case: repr(case) if isinstance(case, Fact) else "")
def test_a_fact_moves_exactly_its_own_metrics(metrics: Metrics, fact: Fact, moved: Moved) -> None:
    before = values(metrics)
    note(fact)
    after = values(metrics)

    assert expected(moved) == {key: after[key] - before[key] for key in after if after[key] != before.get(key)}


def test_every_kind_of_fact_is_counted_or_known_to_be_only_logged() -> None:
    counted = {type(fact) for fact, moved in CASES if moved}

    assert every_kind() == counted | LOGGED_ONLY
    assert set() == counted & LOGGED_ONLY
    assert all(kind.EVENT is not None for kind in LOGGED_ONLY)


def test_every_value_of_every_label_is_reached_by_some_fact() -> None:
    """
    Of metrics with several labels, each value at least once.
    """
    reached = {
        (name, label, value)
        for _, moved in CASES
        for name, *labels in moved
        for label, value in zip(spec_named(name).labels, labels, strict=True)
    }
    wanted = {
        (spec.name, label, value)
        for spec in SPECS
        if spec.kind != "gauge"
        for label, known in spec.labels.items()
        for value in known
    }
    #: The same fact with another kind, rung, target or method; and a series that must stay at 0.
    alike = {"kind", "rung", "target", "method"}

    assert set() == {one for one in wanted - reached if one[1] not in alike}
    assert set() == reached - wanted
    assert {spec.name for spec in SPECS if spec.kind != "gauge"} == {name for _, moved in CASES for name, *_ in moved}


def test_every_combination_of_labels_begins_at_0(metrics: Metrics) -> None:
    found = values(metrics)
    for spec in SPECS:
        if spec.kind == "gauge":
            continue
        count = 1
        for known in spec.labels.values():
            count *= len(known)
        suffix = "_count" if spec.kind == "histogram" else ""
        series = {labels: value for (name, labels), value in found.items() if name == spec.full_name + suffix}

        assert (spec.name, count) == (spec.name, len(series))
        assert {0.0} == set(series.values())


@pytest.mark.parametrize(
    "fact",
    [
        RetryScheduled("7s", "a cause"),
        DeadLettered("order-4711"),
        ApiRequestEnded("elsewhere", "PATCH", 200, 1.0),
        PublishEnded("gossip", "eaten", 1.0),
        DeliveryProcessed("shrug", 1.0),
        outcome("exploded"),
    ],
    ids=repr,
)
def test_a_value_nobody_foresaw_makes_one_more_series_and_no_further_ones(metrics: Metrics, fact: Fact) -> None:
    note(fact)
    once = values(metrics)
    note(fact)
    twice = values(metrics)

    told = {value for _, labels in once for _, value in labels}
    assert set(once) == set(twice)
    assert "other" in told
    assert set() == told & {"7s", "a cause", "order-4711", "elsewhere", "PATCH", "gossip", "eaten", "shrug", "exploded"}


def test_a_gauge_shows_what_is_read_at_that_moment_and_nothing_when_it_is_not_known(metrics: Metrics) -> None:
    now: list[float | None] = [None]
    metrics.read("followed_services", lambda: now[0])
    metrics.read("broker_connected", lambda: {"consume": True, "publish": False})
    key = ("vpn_worker_followed_services", frozenset[tuple[str, str]]())

    assert key not in values(metrics)
    now[0] = 7
    assert 7 == values(metrics)[key]
    roles = {labels: value for (name, labels), value in values(metrics).items() if name.endswith("broker_connected")}
    assert {frozenset({("role", "consume")}): 1, frozenset({("role", "publish")}): 0} == roles


def test_the_queue_is_as_the_last_look_found_it(metrics: Metrics) -> None:
    key = ("vpn_worker_queue_messages", frozenset[tuple[str, str]]())
    seen = []
    for look in (None, QueueLooked("well", 3), QueueLooked("vanished", 0), QueueLooked("unanswered")):
        if look is not None:
            note(look)
        seen.append(values(metrics).get(key))

    assert [None, 3, 0, None] == seen


@pytest.mark.parametrize(
    ("accept", "kind", "read"),
    [
        ("", "text/plain", prometheus_text),
        ("application/openmetrics-text", "application/openmetrics-text", open_metrics),
    ],
)
def test_both_formats_can_be_read(metrics: Metrics, accept: str, kind: str, read: Any) -> None:
    for fact, _ in CASES:
        note(fact)
    metrics.read("ready", lambda: True)
    text, content_type = metrics.text(accept)
    families = {family.name: family for family in read(text.decode())}

    assert content_type.startswith(kind)
    for spec in SPECS:
        if spec.kind == "gauge" and spec.name not in {"ready", "build_info", "queue_messages"}:
            continue
        family = families[spec.full_name.removesuffix("_total")]
        assert (spec.kind, spec.help) == (family.type, family.documentation)
    assert not any("_created" in name for name in families)


def test_no_fact_has_a_field_for_a_secret_or_a_body() -> None:
    named = {(kind.__name__, field.name) for kind in every_kind() for field in fields(kind)}

    assert set() == {one for one in named if any(word in one[1].lower() for word in SECRETS)}


def test_two_workers_in_one_process_count_for_themselves() -> None:
    first, second = Metrics(), Metrics()
    first.heed(StrangerMet())
    key = ("vpn_worker_strangers_total", frozenset[tuple[str, str]]())

    assert (1, 0) == (values(first)[key], values(second)[key])


def test_a_gauge_that_cannot_be_read_hides_no_other() -> None:
    def broken() -> float:
        raise ValueError("a fault of ours")

    metrics = Metrics()
    metrics.read("in_flight", broken)
    metrics.read("ready", lambda: 1.0)
    text = metrics.text()[0].decode()

    assert "vpn_worker_ready 1.0" in text
    assert "vpn_worker_in_flight " not in "\n".join(line for line in text.splitlines() if not line.startswith("#"))
