"""
What the management API tells of queues, as findings: replicas that are down, and what is nearly full.
"""

from __future__ import annotations

from typing import Any

import pytest

from messages.routes import Routes
from worker.broker.queue_findings import queue_findings
from worker.ports import Finding, State

WORK = "vpn.requests.create"


def found(queue: str, **told: Any) -> dict[str, Finding]:
    return {one.subject: one for one in queue_findings(Routes(), {queue: told})}


@pytest.mark.parametrize(
    ("leader", "online", "expected"),
    [
        ("rabbit@a", ["rabbit@a", "rabbit@b", "rabbit@c"], None),
        ("rabbit@a", ["rabbit@a", "rabbit@b"], State.WARNING),
        ("rabbit@a", ["rabbit@a"], State.FAULT),
        ("", [], State.FAULT),
        (None, ["rabbit@a", "rabbit@b"], State.FAULT),
    ],
)
def test_a_queue_needs_a_leader_and_most_of_its_replicas(
    leader: str | None, online: list[str], expected: State | None
) -> None:
    told = found(WORK, leader=leader, online=online, members=["rabbit@a", "rabbit@b", "rabbit@c"])
    finding = told.get(f"replicas of {WORK}")

    assert expected == (None if finding is None else finding.state)
    if finding is not None:
        assert f"{len(online)} of 3 are up" in finding.words
        assert "Start the other nodes" in finding.remedy


def test_a_queue_that_says_nothing_of_replicas_has_none_that_are_down() -> None:
    assert ["workers"] == list(found(WORK, consumers=2, messages=7))
    assert "2 consumers, 7 requests" in found(WORK, consumers=2, messages=7)["workers"].words


@pytest.mark.parametrize(("count", "expected"), [(1, State.OK), (95_000, State.WARNING)])
def test_events_that_nobody_reads_are_a_trouble_once_they_are_thrown_away(count: int, expected: State) -> None:
    finding = found("vpn.unrouted", messages=count)["unrouted events"]

    assert expected is finding.state
    assert str(count) in finding.words


def test_empty_queues_are_not_worth_a_word() -> None:
    assert {} == found("vpn.unrouted", messages=0) | found("vpn.dead", messages=0) | found("vpn.retry.5s", messages=9)
