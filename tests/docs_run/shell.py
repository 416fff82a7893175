"""
A shell for one page: its commands run in order in one bash, what runs on and on in the background.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from worker.sandbox.processes import tail, tied

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LIMIT_S = 40.0
_STOP_S = 20.0
_LOOK_S = 0.02


class ShellError(AssertionError):
    """
    A command did not end, or not begin to work, in time.
    """


@dataclass(frozen=True)
class Said:
    """
    Attributes:
        status: of the command's end.
        lines: what it wrote, both streams as a terminal shows them.
    """

    status: int
    lines: list[str]


@dataclass
class Running:
    """
    A command in the background, a process group of its own.
    """

    pid: int
    output: Path
    is_over: bool = False

    def lines(self) -> list[str]:
        return self.output.read_text(encoding="utf-8", errors="replace").splitlines()


class Shell:
    """
    One bash; use it as an async context manager. Whatever it started has ended on leaving.
    """

    def __init__(self, folder: Path, logs: Path, environ: Mapping[str, str]) -> None:
        self._folder, self._logs, self._environ = folder, logs, dict(environ)
        self._count = 0
        self._running: list[Running] = []

    async def __aenter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        self._answers, told = os.pipe()
        os.set_blocking(self._answers, False)
        self._fd = told
        with (self._logs / "bash.log").open("wb") as log:
            self._bash = await asyncio.create_subprocess_exec(
                *tied(["bash", "--noprofile", "--norc"]),
                cwd=self._folder,
                env=self._environ,
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=[told],
                start_new_session=True,
            )
        os.close(told)
        return self

    async def __aexit__(self, *_exc_info: object) -> None:
        try:
            for running in self._running:
                with contextlib.suppress(ShellError):
                    await self.stop(running)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._bash.pid, signal.SIGKILL)
            await self._bash.wait()
            os.close(self._answers)

    async def run(self, command: str) -> Said:
        """
        The command, once it has ended.

        Raises:
            ShellError: it does not end.
        """
        output = self._output()
        # What comes next may ask for `$?`.
        end = f"_status=$?; echo $_status >&{self._fd}; (exit $_status)"
        status = await self._told(f"{{ {command}\n}} </dev/null >'{output}' 2>&1\n{end}", LIMIT_S)
        return Said(int(status), output.read_text(encoding="utf-8", errors="replace").splitlines())

    async def start(self, command: str, ready: str) -> Running:
        """
        The command in the background, once it has written a line in which the pattern `ready` is found.

        Raises:
            ShellError: it ended, or has not written it in time.
        """
        output = self._output()
        pid = await self._told(
            f"set -m\n{{ {command}\n}} </dev/null >'{output}' 2>&1 &\necho $! >&{self._fd}\nset +m", LIMIT_S
        )
        running = Running(int(pid), output)
        self._running.append(running)
        await self.until(running, lambda lines: re.search(ready, "\n".join(lines)) is not None)
        return running

    async def until(self, running: Running, claim: Callable[[list[str]], bool], limit_s: float = LIMIT_S) -> None:
        """
        Returns once the claim holds about what was written.

        Raises:
            ShellError: it ended first, or does not come to hold in time.
        """
        end = time.monotonic() + limit_s
        while not claim(running.lines()):
            if not _is_alive(running.pid) and not claim(running.lines()):
                raise ShellError(f"it has ended; it wrote:\n{tail(running.output)}")
            if time.monotonic() > end:
                raise ShellError(f"not within {limit_s:g} s; it wrote:\n{tail(running.output)}")
            await asyncio.sleep(_LOOK_S)

    async def stop(self, running: Running) -> Said:
        """
        Ends it as Ctrl-C does; SIGKILL after 20 s.

        Raises:
            ShellError: SIGKILL was needed.
        """
        if not running.is_over:
            running.is_over = True
            _signal(running.pid, signal.SIGINT)
            waiting = f"wait {running.pid}\necho $? >&{self._fd}"
            try:
                return Said(int(await self._told(waiting, _STOP_S)), running.lines())
            finally:
                _signal(running.pid, signal.SIGKILL)
        return Said(0, running.lines())

    def _output(self) -> Path:
        self._count += 1
        output = self._logs / f"{self._count}.txt"
        output.touch()
        return output

    async def _told(self, script: str, limit_s: float) -> str:
        """
        The line that the script writes to our pipe.
        """
        if self._bash.stdin is None or self._bash.returncode is not None:
            raise ShellError("the shell has ended")
        self._bash.stdin.write(f"{script}\n".encode())
        with contextlib.suppress(ConnectionError):
            await self._bash.stdin.drain()
        end, told = time.monotonic() + limit_s, b""
        while not told.endswith(b"\n"):
            with contextlib.suppress(BlockingIOError):
                if not (part := os.read(self._answers, 64)):
                    raise ShellError(f"the shell has ended: {tail(self._logs / 'bash.log')}")
                told += part
                continue
            if time.monotonic() > end:
                raise ShellError(f"no end within {limit_s:g} s; it wrote:\n{tail(self._logs / f'{self._count}.txt')}")
            await asyncio.sleep(_LOOK_S)
        return told.decode()


def _is_alive(pid: int) -> bool:
    """
    Whether a process runs; one that has ended and is not waited for does not.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)
