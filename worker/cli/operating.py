"""
What a person's command needs of the workers' set-up beside the ledger: settings, a voice, the cloud.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from worker.cli.broker_settings import noted_settings
from worker.settings import Settings, access_of, load_settings

if TYPE_CHECKING:
    from worker.cloud.clouds import Clouds
    from worker.teller import Teller


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
async def opened_teller(settings: Settings) -> AsyncIterator[Teller]:
    """
    Tells events as a worker with these settings would.
    """
    from worker.app import SystemClock
    from worker.broker.publisher import BrokerPublisher
    from worker.broker.replier import BrokerReplier
    from worker.teller import Teller

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
    from worker.cloud.clouds import open_clouds
    from worker.composing import cloud_options

    async with open_clouds(cloud_options(settings, access_of(settings))) as cloud:
        yield cloud
