"""
The examples as processes, on the test's broker and prefix; queues and files of the test's own.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pika
import pytest

from tests.e2e.conftest import cloud, shop, start_cloud, start_worker, topology, worker_environment
from worker.sandbox.processes import Child

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["cloud", "shop", "start_cloud", "start_worker", "topology"]  # fixtures of the whole, wanted here too

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
NOBODY = "amqp://guest:secret@127.0.0.1:1/"
_END_S = 60.0


@dataclass(frozen=True)
class Said:
    """
    What an example said, and its exit status.
    """

    status: int
    out: list[str]
    err: str


class Start(Protocol):
    """
    Starts an example that goes on running; it ends with the test.
    """

    async def __call__(self, name: str, *words: str, **settings: object) -> Child: ...


class Run(Protocol):
    """
    Runs an example to its end.
    """

    async def __call__(self, name: str, *words: str, **settings: object) -> Said: ...


@pytest.fixture
async def start(amqp_url: str, prefix: str, tmp_path: Path) -> AsyncIterator[Start]:
    """
    Starts examples; a file of the test's own may stand in for one of the folder.
    """
    async with AsyncExitStack() as stack:
        count = 0

        async def begin(name: str, *words: str, **settings: object) -> Child:
            nonlocal count
            count += 1
            environ = worker_environment({"amqp_url": amqp_url, "prefix": prefix} | settings)
            # Whatever Python warns of is on stderr then, and a test sees it.
            environ |= {"PYTHONWARNINGS": "default"}
            child = Child(
                [sys.executable, str(EXAMPLES / name), *words],
                log_file=tmp_path / f"{Path(name).stem}-{count}.log",
                env=environ,
            )
            return await stack.enter_async_context(child)

        yield begin


@pytest.fixture
def run(start: Start) -> Run:
    """
    Runs examples.
    """

    async def to_end(name: str, *words: str, **settings: object) -> Said:
        child = await start(name, *words, **settings)
        return await ended(child)

    return to_end


async def ended(child: Child) -> Said:
    """
    What it said, once it has ended by itself.
    """
    async with asyncio.timeout(_END_S):
        status = await child.wait()
    await child.kill()  # reads what is left of its output
    return Said(status, child.lines, child.log_file.read_text(encoding="utf-8"))


@pytest.fixture
def queues(amqp_url: str, prefix: str) -> Iterator[list[str]]:
    """
    Names of queues that an example declares; they are deleted after the test, with what belongs to them.
    """
    names = [f"{prefix}-billing.created", f"{prefix}-invoices.created", f"{prefix}-portal.events"]
    yield names
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    try:
        channel = connection.channel()
        for name in names:
            channel.queue_delete(name)
            channel.queue_delete(f"{name}.dead")
            channel.exchange_delete(f"{name}.dead")
    finally:
        connection.close()
