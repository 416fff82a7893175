"""
The console put together for a worker: which parts of it the page may ask and use.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime

from worker.broker.counting import open_counter
from worker.broker.dead_letters import open_dead_letters
from worker.broker.resender import open_resender
from worker.cloud.clouds import Clouds
from worker.console.parts import Parts, Readings
from worker.console.site import Console
from worker.ledger.postgres import PostgresLedger
from worker.ledger.reading import open_records
from worker.ledger.sqlite import SqliteLedger
from worker.ports import Clock
from worker.readiness import Census
from worker.readiness import Parts as WorkerParts
from worker.settings import Settings
from worker.telemetry.health import Health
from worker.teller import Teller

#: For one question of the page to the ledger.
_READ_S = 5.0


def console_of(settings: Settings, health: Health, now: Callable[[], datetime]) -> Console | None:
    """
    The console, if it is switched on.
    """
    if settings.console == "off":
        return None
    token = settings.console_token
    return Console(health, None if token is None else token.get_secret_value(), now)


def readings_of(parts: WorkerParts, census: Census) -> Readings:
    """
    What can be read of a worker at any moment.
    """
    return Readings(
        in_flight=lambda: parts.worker.in_flight,
        concurrency_limit=lambda: parts.pace.limit,
        paused=lambda: parts.gate.trouble or parts.gate.pause,
        followed=lambda: census.followed,
    )


@asynccontextmanager
async def opened_console_parts(
    settings: Settings,
    readings: Readings,
    ledger: SqliteLedger | PostgresLedger,
    teller: Teller,
    cloud: Clouds,
    clock: Clock,
) -> AsyncIterator[Parts]:
    """
    What the console needs of a worker, with connections of its own where the worker's must not wait for it.
    """
    url, routes = settings.amqp_url.get_secret_value(), settings.routes
    async with AsyncExitStack() as stack:
        yield Parts(
            readings=readings,
            counter=await stack.enter_async_context(open_counter(url, routes)),
            records=await stack.enter_async_context(open_records(settings.ledger_url.get_secret_value(), _READ_S)),
            ledger=ledger,
            follows=ledger.follows,
            teller=teller,
            cloud=cloud,
            clock=clock,
            letters=lambda: open_dead_letters(url, routes),
            resender=lambda: open_resender(url, routes),
            following=settings.following,
            deadline_s=settings.request_deadline_s,
        )
