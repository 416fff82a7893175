"""
The one place that says what became of a publish.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable

import aiormq.exceptions
import structlog

from worker.broker.blockade import Blockade
from worker.broker.connection import BROKER_ERRORS, typed_errors
from worker.errors import BrokerRefused, BrokerUnreachable
from worker.facts import note
from worker.facts.broker import PublishEnded
from worker.ports import Published

log = structlog.get_logger()


async def outcome_of(
    publishing: Awaitable[None], kind: str, timeout_s: float, blockade: Blockade | None = None
) -> Published:
    """
    What became of a publish on a channel with confirms, returned messages raised.

    Args:
        publishing: sends one message and returns when it is confirmed.
        kind: what is published, for the log.
        timeout_s: after it the broker may have the message or not (broker-facts: What aio-pika does, 7).
        blockade: while there is one, the time does not run.
    """
    began_s = time.perf_counter()
    result = await _outcome_of(publishing, kind, timeout_s, blockade)
    note(PublishEnded(kind, result.value, time.perf_counter() - began_s))
    return result


async def _outcome_of(publishing: Awaitable[None], kind: str, timeout_s: float, blockade: Blockade | None) -> Published:
    try:
        async with blockade.limit(timeout_s) if blockade else asyncio.timeout(timeout_s):
            with typed_errors():
                await publishing
    except aiormq.exceptions.PublishError:
        return Published.RETURNED
    except aiormq.exceptions.DeliveryError:
        return Published.NACKED
    except TimeoutError:
        return Published.TIMED_OUT
    except (*BROKER_ERRORS, BrokerRefused, BrokerUnreachable) as exc:
        log.info("publish.lost", kind=kind, error=str(exc) or type(exc).__name__)
        return Published.LOST
    return Published.ACKED
