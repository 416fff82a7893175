"""
What the cloud's answers say about the pace at which it can be asked.
"""

from __future__ import annotations

from worker.core.answers import Conflict, CreateAnswer, Created, ListAnswer, Listed, Refused, Throttled, Unknown
from worker.core.concurrency import Signal


def signal_of(answer: CreateAnswer | ListAnswer) -> Signal:
    """
    What an answer says about how many calls the cloud can take at once.
    """
    match answer:
        case Throttled():
            return Signal.THROTTLED
        case Created() | Refused() | Conflict() | Listed():
            return Signal.OK
        case Unknown(trouble=trouble) if trouble.code == "answer_lost" or trouble.http_status == 504:
            return Signal.TIMED_OUT
        case _:
            return Signal.FAILED
