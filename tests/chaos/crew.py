"""
Worker processes that are started again whenever they end, as a service manager does it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from worker.sandbox.processes import Child

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_AGAIN_S = 0.5
_STOP_GRACE_S = 30.0
#: A worker that cannot reach its broker (3) or ledger (5) at its start says so and ends; it is started again.
_AWAY = {3: "it could not reach the broker", 5: "it could not reach the ledger"}


class Crew:
    """
    Workers in numbered places; use as an async context manager. Every process has a log file of its own.

    Attributes:
        ends: how often a process ended, by how: killed by us, or by itself with which status.
    """

    def __init__(self, size: int, environment: Mapping[str, str], folder: Path) -> None:
        self.ends: Counter[str] = Counter()
        self.last_statuses: list[int] = []
        self._environment = environment
        self._folder = folder
        self._children: list[Child | None] = [None] * size
        self._killed: set[int] = set()
        self._ready = [asyncio.Event() for _ in range(size)]
        self._stopping = False
        self._places: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._places = [asyncio.create_task(self._hold(place)) for place in range(len(self._children))]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        for place in self._places:
            place.cancel()
        await asyncio.gather(*self._places, return_exceptions=True)

    async def ready(self, timeout_s: float) -> None:
        """
        Returns when every place has a worker that consumes, or has consumed.
        """
        async with asyncio.timeout(timeout_s):
            await asyncio.gather(*(event.wait() for event in self._ready))

    def pid(self, place: int) -> int | None:
        """
        Of the process of a place; None when there is none just now.
        """
        child = self._children[place]
        return None if child is None or child.returncode is not None else child.pid

    async def kill(self, place: int) -> bool:
        """
        SIGKILL for the process of a place; False when there is none just now.
        """
        child = self._children[place]
        if child is None or child.returncode is not None:
            return False
        self._killed.add(child.pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)
        return True

    async def stop(self) -> None:
        """
        Ends all of them in good order; how they ended is in `last_statuses`.
        """
        self._stopping = True
        children = [child for child in self._children if child is not None]
        self.last_statuses = list(await asyncio.gather(*(child.stop(_STOP_GRACE_S) for child in children)))
        await asyncio.gather(*self._places)

    def log_files(self) -> list[Path]:
        """
        The logs of all processes there were.
        """
        return sorted(self._folder.glob("worker-*.log"))

    async def _hold(self, place: int) -> None:
        life = 0
        while not self._stopping:
            life += 1
            child = Child(
                [sys.executable, "-m", "worker", "run"],
                log_file=self._folder / f"worker-{place}.{life:03d}.log",
                env=dict(self._environment),
            )
            async with child:
                self._children[place] = child
                ready = asyncio.create_task(self._note_ready(child, place))
                status = await child.wait()
                self._children[place] = None
                ready.cancel()
                await asyncio.gather(ready, return_exceptions=True)
            if not self._stopping:
                self.ends[self._how(child.pid, status)] += 1
                await asyncio.sleep(0 if child.pid in self._killed else _AGAIN_S)

    async def _note_ready(self, child: Child, place: int) -> None:
        await child.ready_line("{", 600)
        self._ready[place].set()

    def _how(self, pid: int, status: int) -> str:
        if pid in self._killed:
            return "killed"
        return _AWAY.get(status, f"by itself, with status {status}")


def entries(log_file: Path) -> Iterator[dict[str, Any]]:
    """
    The lines of a worker's log; what is no JSON, such as a line cut by SIGKILL, is given as `text`.
    """
    for line in log_file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            read = json.loads(line)
        except ValueError:
            read = None
        yield read if isinstance(read, dict) else {"event": "not.json", "text": line}
