"""
The page for other languages: its commands run as they stand, against the management API of a real RabbitMQ.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from messages import VpnServiceCreated, decode
from tests.e2e.conftest import eventually
from tests.examples.conftest import EXAMPLES

if TYPE_CHECKING:
    from tests.e2e.conftest import StartWorker
    from tests.full_broker import FullBroker
    from worker.simulator import Simulator

PAGE = EXAMPLES / "publish_any_language.md"
_PATIENCE_S = 20.0


@pytest.fixture
def amqp_url(full_node: FullBroker) -> str:
    """
    The node with the management API.
    """
    return full_node.amqp_url


async def sh(commands: str, management_url: str) -> str:
    """
    What the commands say.
    """
    process = await asyncio.create_subprocess_exec(
        "sh",
        "-eu",
        "-c",
        commands,
        env={**os.environ, "MANAGEMENT_URL": management_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (0, b"") == (process.returncode, err)
    return out.decode()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed on this machine")
async def test_the_commands_of_the_page_ask_and_hear(
    full_node: FullBroker, topology: None, cloud: Simulator, start_worker: StartWorker, prefix: str
) -> None:
    text = PAGE.read_text(encoding="utf-8").replace("vpn.", f"{prefix}.").replace("shop.events", f"{prefix}.shop")
    ask, hear = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    await start_worker(cloud.url)
    heard: list[dict[str, Any]] = []

    async def something_was_heard() -> bool:
        heard.extend(json.loads(await sh(hear, full_node.management_url)))
        return bool(heard)

    try:
        assert '{"routed":true}' == await sh(ask, full_node.management_url)
        await eventually(something_was_heard, "an event", _PATIENCE_S)
    finally:
        await full_node.ctl("delete_queue", f"{prefix}.shop")
    [message] = heard
    told = decode(message["payload"], message["properties"]["headers"], message["properties"]["content_type"])

    assert isinstance(told.event, VpnServiceCreated)
    assert ("/shop", "order-1001") == (told.event.request_source, told.event.request_id)
    assert [told.event.service_id] == list(cloud.state.services)
