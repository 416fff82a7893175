"""
The promises that a run is held against, in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """
    A promise that was broken.

    Attributes:
        rule: which promise; a key of RULES.
        ref: the request.
        words: what was found.
    """

    rule: str
    ref: str
    words: str


#: The rules, each with what it says; the order of the report.
RULES = MappingProxyType(
    {
        "lost": "requests lost: confirmed to the publisher, in no queue, known to nobody",
        "unspoken": "requests acked without a confirmed event: known to the ledger, in no queue, no outcome told",
        "outcomes": "requests with two different outcomes, or one outcome under two event ids",
        "doubled": "services created twice for a request",
        "service": "events of created that do not name the one service of the request",
        "leftover": "services of requests that were not told as created",
        "wrong": "requests with another outcome than they must have",
        "stranger": "events or services nobody asked for",
        "shared_id": "event ids used for two requests",
        "final": "services told as created short of their end, without exactly one final status event, ACTIVE",
        "named": "status events that name another service than the created event",
        "repeated": "statuses of a service told under two event ids",
        "order": "status events out of order: before the created event, after the final one, or back on the journey",
        "uninvited": "services followed that were not told as created, or only at their end",
        "ledger": "counts of the ledger that differ from the events",
        "dead": "rejected requests without a dead letter",
    }
)
