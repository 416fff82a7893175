"""
Facts about the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from worker.facts.noting import Fact, Level


@dataclass(frozen=True, slots=True)
class LedgerCommitted(Fact):
    """
    A transaction is on disk. `writes`: how many calls shared it. `duration_s`: from its begin to its commit.
    """

    writes: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class LedgerFailed(Fact):
    """
    The ledger refused; it is asked again. `refusals`: how many of them this line tells; 0: a line before told it, and
    it is counted alone.
    """

    error: str
    retry_in_s: float
    refusals: int = 1

    EVENT: ClassVar[str | None] = "ledger.unavailable"
    LEVEL: ClassVar[Level] = "warning"

    @property
    def event(self) -> str | None:
        """
        None where it is not logged.
        """
        return self.EVENT if self.refusals else None
