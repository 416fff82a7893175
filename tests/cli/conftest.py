"""
What the command line's tests share: running `vpn-worker` as a process, beside a broker, a cloud and a worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.e2e.conftest import (
    cloud,
    shop,
    start_cloud,
    start_worker,
    topology,
    worker_environment,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["cloud", "shop", "start_cloud", "start_worker", "topology"]  # fixtures of the whole, wanted here too

TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Said:
    """
    How a command ended and what it said.
    """

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Cli(Protocol):
    """
    Runs `vpn-worker` with these words, and settings as keywords, until it ends.
    """

    async def __call__(self, *words: str, stdin: bytes = b"", **settings: object) -> Said: ...


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """
    Where commands are run: a folder without a set-up that they could find.
    """
    made = tmp_path / "somewhere"
    made.mkdir()
    return made


@pytest.fixture
def cli(folder: Path) -> Cli:
    """
    The command line, each command a process of its own that does not outlive the test.
    """

    async def run(*words: str, stdin: bytes = b"", **settings: object) -> Said:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "worker",
            *words,
            cwd=folder,
            env=worker_environment(settings),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(TIMEOUT_S):
                out, err = await process.communicate(stdin)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        assert process.returncode is not None
        assert b"Traceback" not in err, err.decode()
        return Said(process.returncode, out.decode(), err.decode())

    return run
