"""
Which policies break a promise, and how badly.
"""

from __future__ import annotations

from typing import Any

import pytest

from messages.routes import Routes
from worker.broker.promises import breaches
from worker.broker.topology import topology
from worker.ports import State

OK: list[tuple[str, State]] = []


def broken(queue: str, policy: dict[str, Any]) -> list[tuple[str, State]]:
    """
    Keys and states of what a policy breaks for one of our queues.
    """
    routes = Routes()
    (spec,) = (spec for spec in topology(routes).queues if spec.name == f"vpn.{queue}")
    return [(breach.key, breach.state) for breach in breaches(routes, spec, policy)]


@pytest.mark.parametrize("queue", ["requests.create", "dead", "unrouted", "retry.5s"])
def test_no_queue_may_vanish(queue: str) -> None:
    assert [("expires", State.FAULT)] == broken(queue, {"expires": 3_600_000})


@pytest.mark.parametrize(
    ("queue", "policy", "expected"),
    [
        ("requests.create", {"message-ttl": 60_000}, [("message-ttl", State.FAULT)]),
        ("requests.create", {"delivery-limit": 3}, [("delivery-limit", State.WARNING)]),
        ("requests.create", {"delivery-limit": 50}, OK),
        ("requests.create", {"delivery-limit": -1}, OK),
        ("requests.create", {"max-length": 10}, [("max-length", State.WARNING)]),
        ("requests.create", {"max-length-bytes": 10, "overflow": "drop-head"}, [("max-length-bytes", State.WARNING)]),
        ("requests.create", {"consumer-timeout": 60_000}, [("consumer-timeout", State.WARNING)]),
        ("requests.create", {"consumer-timeout": 3_600_000}, OK),
        # Our arguments win over these.
        ("requests.create", {"dead-letter-exchange": "elsewhere", "overflow": "drop-head"}, OK),
        ("requests.create", {"queue-leader-locator": "balanced", "target-group-size": 5}, OK),
        ("retry.1h", {"message-ttl": 60_000}, [("message-ttl", State.WARNING)]),
        ("retry.5s", {"message-ttl": 60_000}, OK),
        ("retry.5s", {"delivery-limit": 3}, OK),
        ("dead", {"message-ttl": 60_000}, [("message-ttl", State.FAULT)]),
        ("dead", {"delivery-limit": 20}, [("delivery-limit", State.FAULT)]),
        ("dead", {"max-length": 1000}, [("max-length", State.FAULT)]),
        ("dead", {"max-length": 1000, "overflow": "reject-publish"}, [("max-length", State.WARNING)]),
        ("unrouted", {"max-length": 1000}, [("max-length", State.WARNING)]),
        ("unrouted", {"max-length": 1_000_000}, OK),
        ("unrouted", {"message-ttl": 60_000}, [("message-ttl", State.WARNING)]),
    ],
    ids=str,
)
def test_what_loses_or_drops_is_told(queue: str, policy: dict[str, Any], expected: list[tuple[str, State]]) -> None:
    assert expected == broken(queue, policy)
