"""
Finds the message that kills its workers, and parks it unread; its innocent neighbours go on.

RabbitMQ counts a return for every message that a dying worker held, not for the one that killed it (broker-facts:
What RabbitMQ does). So one that was returned often is touched alone, and the ledger notes that it is: if the process
dies then, the note says by which.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from messages.envelope import Envelope
from worker.errors import LedgerError
from worker.gate import Gate
from worker.patience import insist
from worker.ports import Clock, Dead, Delivery, Ledger, Verdict

log = structlog.get_logger()

#: Returns from which on a message is touched alone; well below the broker's own limit (worker.broker.topology).
SUSPECT_AFTER = 5
#: How often it may be touched alone before it is parked unread.
POISON_TRIES = 3


class Quarantine:
    """
    Stands between the deliveries and whoever reads them.

    Args:
        ledger: where a suspect is noted before it is touched.
        clock: for the time of the note.
        gate: tells when the process stops.
    """

    def __init__(self, ledger: Ledger, clock: Clock, gate: Gate) -> None:
        self._ledger = ledger
        self._clock = clock
        self._gate = gate
        self._alone = asyncio.Lock()

    async def guarded(self, delivery: Delivery, handle: Callable[[Delivery], Awaitable[Verdict]]) -> Verdict:
        """
        What `handle` says about the delivery, or that it is poison. `handle` must not raise.

        Raises:
            LedgerError: a suspect could not be noted, and the process is stopping.
        """
        if delivery.returns < SUSPECT_AFTER:
            return await handle(delivery)
        async with self._alone:
            return await self._touched(delivery, handle)

    async def _touched(self, delivery: Delivery, handle: Callable[[Delivery], Awaitable[Verdict]]) -> Verdict:
        # An outage can take hours, and a worker killed meanwhile says nothing against the message.
        await self._gate.passed()
        mark, now = fingerprint(delivery.envelope), self._clock.now()
        tries = await insist(self._gate, lambda: self._ledger.mark_suspect(mark, now))
        if tries > POISON_TRIES:
            log.warning("request.poison", returns=delivery.returns, fingerprint=mark)
            words = f"{POISON_TRIES} workers died when they touched it; it was parked unread"
            return Dead("poison", min(delivery.first_seen_at or now, now), delivery.attempts, words)
        log.info("request.suspect", returns=delivery.returns, tries=tries, fingerprint=mark)
        try:
            return await handle(delivery)
        finally:
            with suppress(LedgerError):  # a note too many is pruned one day
                await self._ledger.clear_suspect(mark)


def fingerprint(envelope: Envelope) -> str:
    """
    What tells a message from others without reading it: hex, from its body and its identity as it stands there.
    """
    identity = (envelope.message_id, envelope.headers.get("ce-id"), envelope.headers.get("ce-source"))
    return hashlib.sha256(repr(identity).encode("utf-8", "surrogatepass") + b"\n" + envelope.body).hexdigest()
