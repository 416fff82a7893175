"""
Moments and ages as text.
"""

from __future__ import annotations

from datetime import datetime

from messages.attributes import rfc3339

_UNITS = ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def clock(moment: datetime | None) -> str:
    """
    A moment as a table shows it.
    """
    return f"{moment:%Y-%m-%d %H:%M:%S}Z" if moment else ""


def age(moment: datetime, now: datetime) -> str:
    """
    How long ago a moment was, in its largest whole unit: 3s, 12m, 5h, 2d.
    """
    age_s = max(0, int((now - moment).total_seconds()))
    unit_s, unit = next((one for one in _UNITS if age_s >= one[0]), _UNITS[-1])
    return f"{age_s // unit_s}{unit}"


def written(moment: datetime | None) -> str | None:
    """
    A moment as programs get it.
    """
    return rfc3339(moment) if moment else None
