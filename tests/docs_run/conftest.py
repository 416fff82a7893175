"""
A stage for each page, and what the machine must have for it.
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import delete_all, fresh_database
from tests.docs_run.following import exemption, prepare
from tests.docs_run.needs import NEEDS, Needs
from tests.docs_run.pages import steps_on
from tests.docs_run.stage import Stage
from tests.e2e.conftest import start_cloud, start_worker
from worker.sandbox.rabbitmq import PrivateBroker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from pathlib import Path

    from tests.e2e.conftest import StartCloud, StartWorker
    from worker.sandbox.rabbitmq import Broker

__all__ = ["start_cloud", "start_worker"]  # fixtures of the whole, wanted here too

TOOLS = ("curl", "openssl", "jq")


@pytest.fixture
def servers(request: pytest.FixtureRequest, server: str) -> dict[str, Any]:
    """
    The servers that the page needs beside RabbitMQ.
    """
    return {name: request.getfixturevalue(name) for name in server.split()}


@pytest.fixture
def prefix(broker: Broker) -> Iterator[str]:
    """
    The prefix that pages and examples name, where the broker is our own; else one that nobody has.
    """
    mine = "vpn" if isinstance(broker, PrivateBroker) else f"t{uuid.uuid4().hex[:8]}"
    yield mine
    delete_all(broker.amqp_url, mine)


@pytest.fixture
def empty_stage(
    page: str, amqp_url: str, prefix: str, tmp_path: Path, start_cloud: StartCloud, start_worker: StartWorker
) -> Stage:
    """
    A stage on which nothing is yet.
    """
    return Stage(page, tmp_path / "vpn-worker", tmp_path / "host", amqp_url, prefix, start_cloud, start_worker)


@pytest.fixture
async def stage(page: str, empty_stage: Stage, servers: Mapping[str, Any]) -> AsyncIterator[Stage]:
    """
    What the page needs, as the table says.
    """
    empty_stage.servers, needs = servers, NEEDS.get(page, Needs())
    async with AsyncExitStack() as stack:
        values = {}
        if "postgres" in servers:
            values["postgres_url"] = await stack.enter_async_context(fresh_database(servers["postgres"]))
        for one in needs.prefixes:
            stack.callback(delete_all, empty_stage.amqp_url, one)
        await prepare(empty_stage, needs, **values)
        yield empty_stage


@pytest.fixture
def tools(page: str) -> None:
    """
    Programs that pages use and that a machine may not have; without one the page is skipped, or fails where CI is set.
    """
    commands = "\n".join(step.command for step in steps_on(page) if exemption(step) is None)
    lacking = [tool for tool in TOOLS if re.search(rf"\b{tool} ", commands) and shutil.which(tool) is None]
    if lacking and not os.environ.get("CI"):
        pytest.skip(f"not installed here: {', '.join(lacking)}")
