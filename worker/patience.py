"""
Patience with the ledger: a full disk or a locked file passes, and until then the unacked message is safe.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from worker.errors import LedgerError
from worker.facts import note
from worker.facts.ledger import LedgerFailed
from worker.gate import Gate

T = TypeVar("T")

_WAIT_S = 1.0


async def insist(gate: Gate, act: Callable[[], Awaitable[T]]) -> T:
    """
    What `act` gives, tried again every second while the ledger refuses.

    Args:
        gate: tells when the process stops.
        act: a call to the ledger that is safe to repeat.

    Raises:
        LedgerError: it still refuses, and the process is stopping.
    """
    while True:
        try:
            done = await act()
        except LedgerError as exc:
            note(LedgerFailed(str(exc), _WAIT_S, gate.heed_ledger(str(exc))))
            if not await gate.rest(_WAIT_S):
                raise
        else:
            gate.heed_ledger(None)
            return done
