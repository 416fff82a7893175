"""
What the management API tells of a queue beside its arguments: policies, replicas, consumers, and what waits in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from messages.routes import Routes
from worker.broker.promises import Breach, breaches
from worker.broker.topology import UNROUTED_LIMIT, topology
from worker.ports import Finding, State

_NEARLY_FULL = 0.9


def queue_findings(routes: Routes, told: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """
    What there is to say of our queues.

    Args:
        routes: the names.
        told: what the management API says of each queue that there is, by its name.
    """
    yield from _policies(routes, told)
    for name, one in told.items():
        yield from _replicas(name, one)
    if work := told.get(routes.requests_queue):
        words = f"{_count(work, 'consumers')} consumers, {_count(work, 'messages')} requests waiting or under way."
        yield Finding("workers", State.OK, words)
    if count := _count(told.get(routes.dead_queue, {}), "messages"):
        yield Finding("dead letters", State.OK, f"{count} wait for a person.", "`vpn-worker dead list` shows them.")
    if count := _count(told.get(routes.unrouted_queue, {}), "messages"):
        yield _unrouted(count)


def _policies(routes: Routes, told: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """
    A finding for each thing that a policy does to us, whichever queues it does it to.
    """
    queues: dict[tuple[str, Breach | None], list[str]] = {}
    for spec in topology(routes).queues:
        one = told.get(spec.name, {})
        names = " and ".join(str(one[key]) for key in ("policy", "operator_policy") if one.get(key))
        definition = one.get("effective_policy_definition")
        if names and isinstance(definition, Mapping):
            broken: list[Breach | None] = [*breaches(routes, spec, definition)]
            for breach in broken or [None]:
                queues.setdefault((names, breach), []).append(spec.name)
    for (names, breach), matched in queues.items():
        yield _policy(f"policy {names}", breach, ", ".join(matched))


def _policy(subject: str, breach: Breach | None, queues: str) -> Finding:
    if breach is None:
        return Finding(subject, State.OK, f"It breaks no promise for {queues}.")
    return Finding(
        subject,
        breach.state,
        f"It sets {breach.key} for {queues}: it {breach.words}.",
        f"Let it not match these queues, or leave {breach.key} out.",
    )


def _replicas(queue: str, told: Mapping[str, Any]) -> Iterator[Finding]:
    members, online = told.get("members"), told.get("online")
    if not isinstance(members, list) or not isinstance(online, list):
        return
    subject = f"replicas of {queue}"
    here = f"{len(online)} of {len(members)} are up"
    start = "Start the other nodes; `rabbitmq-queues quorum_status` tells more."
    if not told.get("leader") or len(online) * 2 <= len(members):
        yield Finding(subject, State.FAULT, f"{here}: too few, the queue does not work.", start)
    elif len(online) < len(members):
        yield Finding(subject, State.WARNING, f"{here}: one more may not fail.", start)


def _unrouted(count: int) -> Finding:
    words = f"{count} events went to nobody, since no queue was bound for them."
    if count < UNROUTED_LIMIT * _NEARLY_FULL:
        return Finding("unrouted events", State.OK, words, "Bind a queue to the events, if somebody should read them.")
    remedy = "Read the queue, or purge it if nobody needs them; bind a queue to the events."
    return Finding("unrouted events", State.WARNING, f"{words} The oldest are thrown away soon.", remedy)


def _count(told: Mapping[str, Any], key: str) -> int:
    value = told.get(key)
    return value if isinstance(value, int) else 0
