"""
Time and luck.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """
    Time and luck; the only source of both for the flows.
    """

    def now(self) -> datetime:
        """
        The time, aware UTC.
        """
        ...

    def roll(self) -> float:
        """
        A random number in [0, 1).
        """
        ...
