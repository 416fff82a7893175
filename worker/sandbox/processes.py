"""
Child processes that end with us: own session, output kept, stopped by pid, gone even when we are killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Self

from worker.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# Runs in the child before the program itself. A `preexec_fn` could do the same, but it is unsafe beside threads and
# warned of from Python 3.12 on. The look at the parent's pid closes the gap between fork and prctl.
_TIE = """
import ctypes, os, signal, sys
# A shell starts what it puts in the background with SIGINT ignored, and that is inherited: a child of ours heeds it.
signal.signal(signal.SIGINT, signal.SIG_DFL)
death_signal, parent = int(sys.argv[1]), int(sys.argv[2])
ctypes.CDLL(None).prctl(1, death_signal, 0, 0, 0)  # 1 is PR_SET_PDEATHSIG, linux/prctl.h
if os.getppid() != parent:
    os._exit(1)
os.execvp(sys.argv[3], sys.argv[3:])
"""
_TAIL_LINES = 15
_DRAIN_S = 1.0
_END_GRACE_S = 10.0


def tied(argv: Sequence[str], death_signal: signal.Signals = signal.SIGKILL) -> list[str]:
    """
    The command that runs `argv` and gets `death_signal` when the thread that started it ends.

    The pid stays that of the program. Only Linux can do this; elsewhere `argv` comes back as it is.
    """
    if sys.platform != "linux":
        return list(argv)
    return [sys.executable, "-I", "-S", "-c", _TIE, str(int(death_signal)), str(os.getpid()), *argv]


def tail(path: Path, lines: int = _TAIL_LINES) -> str:
    """
    The last lines of a log file, or a word that there are none.
    """
    with contextlib.suppress(OSError):
        kept = path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
        return "\n".join(kept) or "(the log is empty)"
    return "(there is no log)"


async def end(process: subprocess.Popen[bytes] | None, first: signal.Signals) -> None:
    """
    Ends a process: the signal, and SIGKILL after 10 s. Nothing to do for none, or for one that has ended.
    """
    if process is None or process.poll() is not None:
        return
    process.send_signal(first)
    try:
        await asyncio.to_thread(process.wait, _END_GRACE_S)
    except subprocess.TimeoutExpired:
        pass
    finally:  # also when we are cancelled while waiting
        if process.poll() is None:
            process.kill()
    await asyncio.to_thread(process.wait)


class Child:
    """
    One program that runs beside us; use it as an async context manager, in one event loop.

    Its stderr goes to `log_file`, its stdout is read line by line and kept in `lines`. The terminal's Ctrl-C does not
    reach it: the parent decides when it ends. The thread that enters must outlive the child (see `tied`).
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        log_file: Path,
        env: Mapping[str, str] | None = None,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.argv = list(argv)
        self.log_file = log_file
        self.lines: list[str] = []
        self._env = env
        self._death_signal = death_signal
        self._news = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("wb") as log:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *tied(self.argv, self._death_signal),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    env=self._env,
                    start_new_session=True,
                )
            except OSError as exc:
                raise SandboxError(f"Could not start {self.argv[0]}: {exc}.") from exc
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_exc_info: object) -> None:
        await self.stop()

    @property
    def pid(self) -> int:
        """
        The process id, also after the end.
        """
        return self._started().pid

    @property
    def returncode(self) -> int | None:
        """
        The exit status once it has ended: negative for the signal that killed it, None while it runs.
        """
        return self._started().returncode

    async def ready_line(self, prefix: str, timeout_s: float) -> str:
        """
        The first line on stdout that starts with `prefix`, also one that has come already.

        Raises:
            SandboxError: it ended, or said nothing like it within `timeout_s`; with the end of its log.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._first_line(prefix)
        except TimeoutError as exc:
            raise self.trouble(f"did not say {prefix!r} within {timeout_s:g} s") from exc

    async def wait(self) -> int:
        """
        The exit status, once the process has ended by itself.
        """
        return await self._started().wait()

    async def stop(self, grace_s: float = 10.0) -> int:
        """
        Ends it: SIGTERM, and SIGKILL after `grace_s`. Safe to repeat; returns the exit status.
        """
        process = self._started()
        self._signal(process, signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_s):
                await process.wait()
        except TimeoutError:
            pass
        finally:  # also when we are cancelled while waiting
            self._kill(process)
        return await self.kill()

    async def kill(self) -> int:
        """
        Ends it with SIGKILL, at once. Safe to repeat; returns the exit status.
        """
        process = self._started()
        self._kill(process)
        await process.wait()
        if self._reader is not None:
            await asyncio.wait({self._reader}, timeout=_DRAIN_S)
            self._reader.cancel()  # a grandchild may still hold the pipe
        return await process.wait()

    def trouble(self, what: str) -> SandboxError:
        """
        An error that says what went wrong, with the end of the log.
        """
        return SandboxError(f"{' '.join(self.argv)} {what}. The end of {self.log_file}:\n{tail(self.log_file)}")

    def _kill(self, process: asyncio.subprocess.Process) -> None:
        self._signal(process, signal.SIGKILL)

    @staticmethod
    def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
        # Not process.kill(): Popen.send_signal polls first and may so take the exit status away from asyncio, which then
        # tells 255 (seen with Python 3.11.2: "Unknown child process pid").
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)

    async def _first_line(self, prefix: str) -> str:
        seen = 0
        while True:
            for line in self.lines[seen:]:
                if line.startswith(prefix):
                    return line
            seen = len(self.lines)
            if self._reader is None or self._reader.done():
                raise self.trouble(f"ended before it said {prefix!r}")
            self._news.clear()
            await self._news.wait()

    async def _read(self) -> None:
        stream = self._started().stdout
        try:
            while stream is not None and (line := await stream.readline()):
                self.lines.append(line.decode("utf-8", "replace").rstrip("\r\n"))
                self._news.set()
        finally:
            asyncio.get_running_loop().call_soon(self._news.set)  # after this task counts as done

    def _started(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise SandboxError(f"{self.argv[0]} has not been started.")
        return self._process
