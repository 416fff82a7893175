"""
What a person's command needs of the workers' set-up: settings, the ledger, a voice.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from worker.app import SystemClock
from worker.broker.publisher import BrokerPublisher
from worker.broker.replier import BrokerReplier
from worker.cli.broker_settings import noted_settings
from worker.cloud.clouds import Clouds, open_clouds
from worker.composing import cloud_options
from worker.errors import LedgerError
from worker.ledger.opening import open_ledger
from worker.ports import Ledger
from worker.settings import Settings, access_of, load_settings
from worker.teller import Teller

_SQLITE = "sqlite:///"


def operator_settings(
    amqp_url: str | None, prefix: str | None, ledger_url: str | None, *, needs_cloud: bool = False
) -> Settings:
    """
    The workers' settings from flags, the environment, or a running `make run` of this folder.

    Args:
        amqp_url, prefix, ledger_url: flags.
        needs_cloud: without it the cloud need not be set up here.

    Raises:
        SettingsError: a value is wrong, or needed and missing.
    """
    flags = noted_settings(amqp_url, prefix)
    if ledger_url is not None:
        flags["ledger_url"] = ledger_url
    return load_settings(flags, Settings, is_cloud_needed=needs_cloud)


@asynccontextmanager
async def opened_ledger(settings: Settings) -> AsyncIterator[Ledger]:
    """
    The workers' ledger.

    Raises:
        LedgerError: there is none, or it cannot be opened.
    """
    url = settings.ledger_url.get_secret_value()
    _check_there(url)
    owner = f"{socket.gethostname()}:{os.getpid()}:operator"
    ledger = await open_ledger(url, owner, settings.lease_s)
    try:
        yield ledger
    finally:
        await ledger.close()


@asynccontextmanager
async def opened_teller(settings: Settings) -> AsyncIterator[Teller]:
    """
    Tells events as a worker with these settings would.
    """
    url = settings.amqp_url.get_secret_value()
    publisher = BrokerPublisher(url, settings.routes, settings.publish_timeout_s)
    replier = BrokerReplier(url, settings.routes, settings.publish_timeout_s)
    running = asyncio.create_task(publisher.run())
    try:
        yield Teller(publisher, replier, SystemClock(), settings.event_source)
    finally:
        publisher.close()
        await asyncio.gather(running, return_exceptions=True)
        await replier.close()


@asynccontextmanager
async def opened_cloud(settings: Settings) -> AsyncIterator[Clouds]:
    """
    The cloud as a worker with these settings would ask it.
    """
    async with open_clouds(cloud_options(settings, access_of(settings))) as cloud:
        yield cloud


def _check_there(ledger_url: str) -> None:
    path = ledger_url.removeprefix(_SQLITE)
    if ledger_url.startswith(_SQLITE) and not Path(path).is_file():
        # Opening would make an empty one, to which every request is a stranger.
        raise LedgerError(f"There is no ledger at {path}; name the workers' own in VPN_WORKER_LEDGER_URL.")
