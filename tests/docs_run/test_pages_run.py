"""
Every command of every page runs, and says what the page shows. `needs` says how a page is prepared and what is left out.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import uuid
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import delete_all, fresh_database
from tests.docs_run.following import exemption, follow, prepare
from tests.docs_run.needs import NEEDS, Needs
from tests.docs_run.pages import Step, blocks_of, pages, steps_of, text_of
from tests.docs_run.stage import Stage
from tests.e2e.conftest import start_cloud, start_worker
from worker.sandbox.rabbitmq import PrivateBroker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from pathlib import Path

    from tests.e2e.conftest import StartCloud, StartWorker
    from worker.sandbox.rabbitmq import Broker

__all__ = ["start_cloud", "start_worker"]  # fixtures of the whole, wanted here too

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

TOOLS = ("curl", "openssl", "jq")


def steps_on(page: str) -> list[Step]:
    blocks = blocks_of(page, text_of(page))
    return [step for block in blocks if block.language in {"console", "sh"} for step in steps_of(block)]


#: Pages of which something is run, each with the name of a server beside RabbitMQ that it needs.
RUN = [
    pytest.param(page, " ".join(NEEDS.get(page, Needs()).servers), id=page)
    for page in pages()
    if any(exemption(step) is None for step in steps_on(page))
]


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
    empty_stage.servers = servers
    async with AsyncExitStack() as stack:
        values = {}
        if "postgres" in servers:
            values["postgres_url"] = await stack.enter_async_context(fresh_database(servers["postgres"]))
        await prepare(empty_stage, NEEDS.get(page, Needs()), **values)
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


@pytest.mark.parametrize(("page", "server"), RUN)
@pytest.mark.usefixtures("tools")
async def test_what_a_page_says_comes_true(page: str, server: str, stage: Stage) -> None:
    faults = await follow(page, text_of(page), stage, NEEDS.get(page, Needs()))

    assert not faults, "\n\n" + "\n\n".join(faults)
