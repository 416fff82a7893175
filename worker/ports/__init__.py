"""
What the flows need from outside, as small protocols; each docstring is the promise an edge makes.
"""

from worker.ports.clock import Clock
from worker.ports.cloud import Cloud, Page, PageAnswer, Paging, Showing
from worker.ports.deliveries import Ack, Dead, Delivery, GiveBack, Later, Taking, Verdict
from worker.ports.findings import Finding, State
from worker.ports.follows import Follows
from worker.ports.jobs import Claim, Claimed, Held, Ledger, Reused, Saved
from worker.ports.letters import DeadLetters, Resender
from worker.ports.publishing import Published, Publisher, Replier
from worker.ports.records import Records
from worker.ports.watched import Mending, Watched

__all__ = [
    "Ack",
    "Claim",
    "Claimed",
    "Clock",
    "Cloud",
    "Dead",
    "DeadLetters",
    "Delivery",
    "Finding",
    "Follows",
    "GiveBack",
    "Held",
    "Later",
    "Ledger",
    "Mending",
    "Page",
    "PageAnswer",
    "Paging",
    "Published",
    "Publisher",
    "Records",
    "Replier",
    "Resender",
    "Reused",
    "Saved",
    "Showing",
    "State",
    "Taking",
    "Verdict",
    "Watched",
]
