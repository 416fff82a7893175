"""
A dead letter as values with names.
"""

from __future__ import annotations

from worker.core.letters import DeadLetter, router_of
from worker.shown.times import written


def letter_row(letter: DeadLetter) -> dict[str, object]:
    """
    What is told of a letter in one line.
    """
    asked = letter.asked()
    return {
        "letter": letter.id,
        "reason": letter.reason,
        "request": asked.id,
        "source": asked.source,
        "router": router_of(asked),
        "died_at": written(letter.died_at),
        "attempts": letter.attempts,
        "replays": letter.replays,
        "last_error": letter.last_error,
    }
