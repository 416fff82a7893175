"""
The names on the broker: exchanges, queues and routing keys, all with one prefix.
"""

import re
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

_PREFIX = re.compile(r"[a-z0-9._-]{1,100}")  # names are short strings of 255 bytes; the rest is for what follows


class Rung(NamedTuple):
    """
    One step of the retry ladder: messages wait in its queue for `delay_s` seconds.

    The name is also its routing key at the retry exchange.
    """

    name: str
    delay_s: int


RUNGS = (
    Rung(name="5s", delay_s=5),
    Rung(name="30s", delay_s=30),
    Rung(name="2m", delay_s=120),
    Rung(name="10m", delay_s=600),
    Rung(name="1h", delay_s=3600),
)


@dataclass(frozen=True, slots=True)
class Routes:
    """
    Every name of the contract on the broker.

    Args:
        prefix: what the names start with, `vpn` unless several installations share one virtual host;
            1 to 100 of a-z 0-9 . _ -, not `amq` (reserved by AMQP 0-9-1, 3.1.3.1).

    Raises:
        ValueError: the prefix breaks these rules.
    """

    prefix: str = "vpn"

    RUNGS: ClassVar[tuple[Rung, ...]] = RUNGS

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise ValueError("the prefix must be 1 to 100 of the characters a-z 0-9 . _ -")
        if self.prefix.split(".")[0] == "amq":
            raise ValueError("the prefix must not be amq: names that begin with amq. belong to the broker")

    @property
    def requests_exchange(self) -> str:
        """
        Where requests are published to; direct.
        """
        return f"{self.prefix}.requests"

    @property
    def request_routing_key(self) -> str:
        """
        What requests are published with.
        """
        return "vpnservice.create"

    @property
    def requests_queue(self) -> str:
        """
        The work queue of the workers.
        """
        return f"{self.prefix}.requests.create"

    @property
    def events_exchange(self) -> str:
        """
        Where events are published to; topic, bind with the keys that `messages.events.routing_key` gives.
        """
        return f"{self.prefix}.events"

    @property
    def unrouted_exchange(self) -> str:
        """
        The alternate exchange of the events; fanout.
        """
        return f"{self.prefix}.unrouted"

    @property
    def unrouted_queue(self) -> str:
        """
        Events that no queue was bound for; bounded.
        """
        return f"{self.prefix}.unrouted"

    @property
    def retry_exchange(self) -> str:
        """
        Where copies that have to wait are published to; direct, the routing key is the rung's name.
        """
        return f"{self.prefix}.retry"

    @property
    def dead_exchange(self) -> str:
        """
        Where copies of what could not be done are published to; fanout.
        """
        return f"{self.prefix}.dead"

    @property
    def dead_queue(self) -> str:
        """
        What could not be done, for a person to look at.
        """
        return f"{self.prefix}.dead"

    def rung_queue(self, rung: Rung) -> str:
        """
        The queue in which messages of this rung wait.
        """
        return f"{self.prefix}.retry.{rung.name}"
