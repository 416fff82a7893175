"""
A program at a terminal: what is typed, and what the screen shows.
"""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

LIMIT_S = 20.0
#: Makes the terminal the one that Ctrl-C comes from, then becomes the program.
_HOLD = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"


class Terminal:
    """
    A terminal, and what was shown on it so far.
    """

    def __init__(self, screen: int, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.shown = ""
        self._screen = screen
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(screen, self._read)

    def type(self, text: str) -> None:
        """
        Presses keys.
        """
        os.write(self._screen, text.encode())

    async def until(self, words: str, since: int = 0) -> int:
        """
        Returns once the words are shown, after `since` characters; how much was shown by then.
        """
        async with asyncio.timeout(LIMIT_S):
            while words not in self.shown[since:]:
                self._news.clear()
                await self._news.wait()
        return len(self.shown)

    async def end(self) -> int:
        """
        The status of the program, once it has ended by itself.
        """
        async with asyncio.timeout(LIMIT_S):
            return await self.process.wait()

    def close(self) -> None:
        """
        Reads no more.
        """
        asyncio.get_running_loop().remove_reader(self._screen)
        os.close(self._screen)

    def _read(self) -> None:
        with suppress(OSError):  # the program has ended
            while data := os.read(self._screen, 65_536):
                self.shown += data.decode(errors="replace")
                self._news.set()
                return
        asyncio.get_running_loop().remove_reader(self._screen)


@asynccontextmanager
async def at_terminal(argv: Sequence[str], folder: Path, environ: Mapping[str, str]) -> AsyncIterator[Terminal]:
    """
    A program that has a terminal; ended on leaving.
    """
    screen, line = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _HOLD, *argv),
            stdin=line,
            stdout=line,
            stderr=line,
            cwd=folder,
            env=environ,
            start_new_session=True,
        )
    finally:
        os.close(line)
    terminal = Terminal(screen, process)
    try:
        yield terminal
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        terminal.close()
