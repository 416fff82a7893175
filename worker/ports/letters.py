"""
The dead letters, and how their requests are sent again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from worker.core.letters import DeadLetter


class DeadLetters(Protocol):
    """
    The dead letters, for one person's command.
    """

    def read(self) -> AsyncGenerator[DeadLetter, None]:
        """
        The letters that lay there when it was called, oldest first; those that another command is reading are missing.

        Reading takes nothing: what is not removed is there again, in its order, when the command ends.
        """
        ...

    async def remove(self, letter: DeadLetter) -> None:
        """
        Takes a letter that was read out of the queue for good. If we die at once, it may be there again.
        """
        ...


class Resender(Protocol):
    """
    Sends the requests of dead letters again.
    """

    async def send_again(self, letter: DeadLetter, *, replays: int, is_suspect: bool) -> None:
        """
        Returns when the broker has the request, as it was first published, in the work queue. Safe to repeat.

        Args:
            letter: whose request it is.
            replays: how often it has been replayed, this one included.
            is_suspect: it may have been sent: a ledger that does not know it must look before it sends.
        """
        ...
