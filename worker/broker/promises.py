"""
What a policy at the broker can do to our queues that breaks a promise of ours.

Our own arguments win over a user's policy, save that the smaller of two numbers holds (RabbitMQ, Policies, "Combining
Policy Definitions" and "Operator Policies"): so what matters is what a queue has no argument for, and what is smaller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from messages.routes import Routes
from worker.broker.topology import QueueSpec
from worker.ports import State


@dataclass(frozen=True, slots=True)
class Breach:
    """
    One key of a policy, and what it does to us.
    """

    key: str
    state: State
    words: str


#: How long a worker may hold a request while it waits for its turn at the cloud (worker.composing).
LONGEST_HELD_MS = 900_000

_GOES = "deletes the queue with all that is in it once nobody has used it for so long"
_FULL = "refuses what comes when the queue is full: publishers get a negative answer"
_DROPS = "throws messages away when the queue is full"
_LIMITS = ("max-length", "max-length-bytes")

_WORK = {
    "message-ttl": Breach(
        "message-ttl",
        State.FAULT,
        "makes requests that wait so long dead letters; an outage of the cloud may last longer",
    ),
    "delivery-limit": Breach(
        "delivery-limit",
        State.WARNING,
        "makes requests dead letters after fewer deliveries than ours allows, also innocent ones",
    ),
}
_RUNG = {
    "message-ttl": Breach("message-ttl", State.WARNING, "lets requests come back sooner than their rung says"),
}
_DEAD = {
    "message-ttl": Breach(
        "message-ttl", State.FAULT, "throws dead letters away after that time, before a person has looked"
    ),
    "delivery-limit": Breach("delivery-limit", State.FAULT, "throws dead letters away that were looked at so often"),
}
_UNROUTED = {
    "message-ttl": Breach("message-ttl", State.WARNING, "keeps events that nobody was bound for only so long"),
}


def breaches(routes: Routes, queue: QueueSpec, policy: Mapping[str, Any]) -> Iterator[Breach]:
    """
    What the policies in effect for one of our queues do to our promises.

    Args:
        routes: the names.
        queue: ours, with its arguments.
        policy: what all policies together say for it, as the management API tells.
    """
    if "expires" in policy:
        yield Breach("expires", State.FAULT, _GOES)
    held_ms = policy.get("consumer-timeout")
    if queue.name == routes.requests_queue and isinstance(held_ms, int) and held_ms < LONGEST_HELD_MS:
        yield Breach("consumer-timeout", State.WARNING, "takes requests back from a worker that holds them so long")
    for key, breach in _table(routes, queue.name).items():
        if key in policy and _is_smaller(policy[key], queue.arguments.get(f"x-{key}")):
            yield breach
    overflow = queue.arguments.get("x-overflow", policy.get("overflow", "drop-head"))
    for key in _LIMITS:
        if key in policy and _is_smaller(policy[key], queue.arguments.get(f"x-{key}")):
            yield _full(key, overflow, is_bounded=queue.name == routes.unrouted_queue)


def _table(routes: Routes, queue: str) -> dict[str, Breach]:
    tables = {routes.requests_queue: _WORK, routes.dead_queue: _DEAD, routes.unrouted_queue: _UNROUTED}
    return tables.get(queue, _RUNG)


def _full(key: str, overflow: object, *, is_bounded: bool) -> Breach:
    if overflow != "drop-head":
        return Breach(key, State.WARNING, _FULL)
    # Events nobody is bound for are bounded by us as well.
    return Breach(key, State.WARNING if is_bounded else State.FAULT, _DROPS)


def _is_smaller(theirs: Any, ours: object) -> bool:
    if not isinstance(theirs, int):
        return True
    # A negative one is none (RabbitMQ 4.x, "Poison Message Handling").
    return theirs >= 0 and (not isinstance(ours, int) or theirs < ours)
