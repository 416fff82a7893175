"""
How long to wait: quick tries with full jitter, then the ladder.
"""

from __future__ import annotations

from messages.routes import RUNGS, Rung

#: Tries that wait seconds, in memory, before the ladder begins.
QUICK_TRIES = 3
#: Waits of the ladder in seconds: the rungs' own.
LADDER_S = tuple(float(rung.delay_s) for rung in RUNGS)
#: A wait that was a moment longer when it was decided still means that rung.
_SLACK_S = 1.0
_QUICK_CAP_S = 4.0
_LOOK_CAP_S = 30.0
#: Until a request is tried again whose account alone is in trouble: one rung, for somebody has to mend something.
ACCOUNT_DELAY_S = 120.0


def retry_delay_s(attempt: int, roll: float, retry_after_s: float | None = None) -> float:
    """
    Seconds to wait before try number `attempt + 1`.

    Args:
        attempt: tries made so far, 1 or more.
        roll: luck in [0, 1), drawn by the caller.
        retry_after_s: what the cloud asked for (RFC 9110, 10.2.3); wins if longer.

    Returns:
        0.1 to 4.0 for the quick tries (full jitter), then 5 to 3600; never shorter than the time asked for.
    """
    if attempt <= QUICK_TRIES:
        delay_s = max(0.1, roll * min(_QUICK_CAP_S, 2.0 ** (attempt - 1)))
    else:
        delay_s = LADDER_S[min(attempt - QUICK_TRIES, len(LADDER_S)) - 1]
    return max(delay_s, retry_after_s or 0.0)


def look_delay_s(looks: int, roll: float) -> float:
    """
    Seconds to wait before look-up number `looks + 1`.

    Args:
        looks: look-ups made so far, 0 or more.
        roll: luck in [0, 1), drawn by the caller.

    Returns:
        0.25 to 30.0: half of it certain, half of it luck, so that the first look comes soon but not at once.
    """
    top_s = min(_LOOK_CAP_S, 0.5 * 2.0 ** min(looks, 10))
    return top_s * (0.5 + roll / 2)


def failed_look_delay_s(waited_s: float, roll: float) -> float:
    """
    Seconds to wait after a look-up that failed, so that an outage is not met with a hail of look-ups.

    Args:
        waited_s: since when the job looks, 0 or more.
        roll: luck in [0, 1), drawn by the caller.

    Returns:
        0.0 to 30.0, growing with the time waited.
    """
    return min(_LOOK_CAP_S, max(0.0, waited_s) / 2) * (0.5 + roll / 2)


def rung_for(delay_s: float) -> Rung:
    """
    The rung to wait on: the longest one that does not overshoot by more than a second, else the shortest.
    """
    fitting = [rung for rung in RUNGS if rung.delay_s <= delay_s + _SLACK_S]
    return fitting[-1] if fitting else RUNGS[0]
