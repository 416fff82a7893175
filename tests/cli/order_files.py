"""
Files of orders, and the command that publishes them while it runs.
"""

from __future__ import annotations

import asyncio
import csv
import json
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tests.cli.conftest import TIMEOUT_S
from tests.e2e.conftest import worker_environment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def orders_csv(folder: Path, count: int, name: str = "orders.csv") -> Path:
    """
    So many orders for a router each.
    """
    lines = ["order;router_id;name", *(f"{1000 + n};router-{n};service {n}" for n in range(count))]
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / name


def result_rows(file: Path) -> list[dict[str, Any]]:
    """
    The rows of a result file.
    """
    with file.open(newline="", encoding="utf-8") as read:
        return list(csv.DictReader(read)) if file.suffix == ".csv" else [json.loads(line) for line in read]


@asynccontextmanager
async def running(folder: Path, *words: str, **settings: object) -> AsyncIterator[asyncio.subprocess.Process]:
    """
    The command while it runs; it does not outlive the test.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker", *words),
        cwd=folder,
        env=worker_environment(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ended(process: asyncio.subprocess.Process, timeout_s: float = TIMEOUT_S) -> tuple[int | None, str, str]:
    """
    Status, output and talk of a command once it has ended.
    """
    async with asyncio.timeout(timeout_s):
        out, err = await process.communicate()
    assert b"Traceback" not in err, err.decode()
    return process.returncode, out.decode(), err.decode()
