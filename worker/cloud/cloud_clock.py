"""
How this machine's clock compares with the cloud's, by the Date headers of its answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from yarl import URL

from worker.cloud.login import duration
from worker.cloud.reply import Reply
from worker.ports import Finding, State

#: A difference worth a word.
_WORTH_TELLING_S = 30.0
#: Signatures this far off the cloud's time are refused (cloud API family, AK/SK).
_SIGNATURES_S = 15 * 60.0
#: Date tells whole seconds (RFC 9110, 5.6.7): on average, half of one has passed.
_HALF = timedelta(seconds=0.5)
_REMEDY = "Set this machine's clock: let NTP keep it."


@dataclass(frozen=True, slots=True)
class Answered:
    """
    An answer of the cloud's.

    Attributes:
        url: that was asked.
        reply: the answer.
        at: when it was made, about, by this machine's clock; aware.
    """

    url: URL
    reply: Reply
    at: datetime


def clock_findings(answers: Iterable[Answered], tolerance_s: float, *, has_keys: bool) -> list[Finding]:
    """
    A finding for each host that told its time.

    Args:
        answers: what came.
        tolerance_s: how far the cloud's clock may be behind ours.
        has_keys: an account signs its calls.
    """
    ahead: dict[str, float] = {}
    for answered in answers:
        told = answered.reply.cloud_time
        if told is not None:
            ahead[answered.url.authority] = (answered.at - told - _HALF).total_seconds()
    return [_finding(f"clock of {place}", ahead_s, tolerance_s, has_keys=has_keys) for place, ahead_s in ahead.items()]


def _finding(subject: str, ahead_s: float, tolerance_s: float, *, has_keys: bool) -> Finding:
    off_s = abs(ahead_s)
    if off_s <= min(_WORTH_TELLING_S, tolerance_s or _WORTH_TELLING_S):
        return Finding(subject, State.OK, f"Within {max(1.0, off_s):.0f} s of this machine's.")
    words = f"It is {duration(off_s)} {'behind' if ahead_s > 0 else 'ahead of'} this machine's"
    if has_keys and off_s > _SIGNATURES_S:
        return Finding(subject, State.FAULT, f"{words}: AK/SK signatures are refused beyond 15 min.", _REMEDY)
    if ahead_s > tolerance_s:
        words += ", beyond VPN_WORKER_CLOCK_TOLERANCE_S: after a lost answer, our own service counts as an older one."
        return Finding(subject, State.FAULT, words, _REMEDY)
    return Finding(subject, State.WARNING, f"{words}.", _REMEDY)
