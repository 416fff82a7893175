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
    The ledger refused; it is asked again.
    """

    error: str
    retry_in_s: float

    EVENT: ClassVar[str | None] = "ledger.unavailable"
    LEVEL: ClassVar[Level] = "warning"
