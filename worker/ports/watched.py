"""
Whether deliveries still come, for whoever watches over them.
"""

from __future__ import annotations

from typing import Protocol

from worker.core.selfcheck import QueueLook


class Watched(Protocol):
    """
    The consumer, as far as it can be looked after.
    """

    @property
    def is_registered(self) -> bool:
        """
        Whether the broker has it registered, as far as it said so.
        """
        ...

    async def look(self) -> QueueLook | None:
        """
        Looks at the queue without changing anything; None when there is no connection, or no answer within 10 s.
        """
        ...

    def rebuild(self, reason: str) -> None:
        """
        Has the connection made anew; what is unacked is redelivered. Safe to repeat.
        """
        ...


class Mending(Protocol):
    """
    Brings about what the consumer needs at the broker.
    """

    async def __call__(self) -> None:
        """
        Declares what is missing. Safe to repeat.

        Raises:
            TopologyMismatch: something exists and is not ours; only a person can mend that.
            BrokerRefused: the login or the right to declare is refused.
            BrokerUnreachable: the broker does not answer.
        """
        ...
