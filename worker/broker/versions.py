"""
Which RabbitMQ a connection leads to, and what that means for us.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from aio_pika.abc import AbstractConnection

from worker.errors import BrokerTooOld

#: The first with at-least-once dead-lettering. Older ones take our arguments without a word and lose messages.
OLDEST = (3, 10)
_NUMBERS = re.compile(r"(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Server:
    """
    What the broker says that it is.

    Attributes:
        product: "RabbitMQ", or what else speaks AMQP 0-9-1.
        version: in its own words; empty when it does not say.
    """

    product: str
    version: str

    @property
    def numbers(self) -> tuple[int, int] | None:
        """
        The first two numbers of a RabbitMQ's version; None for anything else.
        """
        found = _NUMBERS.match(self.version)
        return (int(found[1]), int(found[2])) if found and self.product == "RabbitMQ" else None

    @property
    def is_too_old(self) -> bool:
        """
        Whether our promises cannot be kept there.
        """
        return self.numbers is not None and self.numbers < OLDEST

    def __str__(self) -> str:
        return f"{self.product} {self.version}".strip()


def server_of(connection: AbstractConnection) -> Server:
    """
    Whom an open connection leads to.
    """
    underlay = connection.transport.connection if connection.transport else None
    said = getattr(underlay, "server_properties", None) or {}
    return Server(str(said.get("product", "a broker without a name")), str(said.get("version", "")))


def refuse_too_old(server: Server) -> None:
    """
    Raises:
        BrokerTooOld: it would take our queues and lose messages.
    """
    if server.is_too_old:
        raise BrokerTooOld(
            f"{server} is too old: it takes the arguments of our queues without a word, and loses messages all the same. "
            f"Use RabbitMQ {'.'.join(map(str, OLDEST))} or later."
        )
