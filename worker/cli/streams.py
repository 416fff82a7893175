"""
Standard input, output and error as the commands need them: always there, and able to take any text.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from worker.errors import VpnWorkerError


class OutputBroken(VpnWorkerError):  # noqa: N818 - named for what the user sees
    """
    The output cannot be written, and what was printed is not complete: make room, or send it elsewhere, and run it again.
    """

    exit_code = 1


class ReaderGone(Exception):  # noqa: N818 - no error: the reader had enough
    """
    Who read our output has gone, as `head` does.
    """


def prepare_streams() -> None:
    """
    Gives a stream that was closed (`>&-`) nothing to say, and lets no character stop a command.
    """
    sys.stdin = sys.stdin or Path(os.devnull).open()  # noqa: SIM115 - it is open for as long as the process
    sys.stdout = _Output(sys.stdout or Path(os.devnull).open("w"))  # noqa: SIM115
    sys.stderr = _Talk(sys.stderr or Path(os.devnull).open("w"))  # noqa: SIM115


class _Stream(io.TextIOBase):
    """
    A stream that writes what its encoding does not have, and what was no text to begin with, as an escape.

    It shows no `buffer`: typer would write UTF-8 to that where the encoding is ASCII.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """
        What rich looks at, before it draws lines.
        """
        return self._stream.encoding or "ascii"

    def isatty(self) -> bool:
        """
        Whether somebody sees it.
        """
        return self._stream.isatty()

    def fileno(self) -> int:
        """
        What it is for the system.
        """
        return self._stream.fileno()

    def writable(self) -> bool:
        """
        It is.
        """
        return True

    def write(self, text: str) -> int:
        """
        Writes the text; raises TypeError for bytes.
        """
        if not isinstance(text, str):
            raise TypeError("text is wanted")
        if text:  # typer tries with none what kind of stream it is
            self._stream.write(text.encode(self.encoding, "backslashreplace").decode(self.encoding))
        return len(text)

    def flush(self) -> None:
        """
        Writes out what is held back.
        """
        self._stream.flush()


class _Output(_Stream):
    """
    Standard output: data, which is complete or told not to be.
    """

    def write(self, text: str) -> int:
        """
        Raises OutputBroken or ReaderGone where it cannot be written.
        """
        try:
            return super().write(text)
        except OSError as exc:
            raise self._trouble(exc) from exc

    def flush(self) -> None:
        """
        Raises OutputBroken or ReaderGone where it cannot be written.
        """
        try:
            super().flush()
        except OSError as exc:
            raise self._trouble(exc) from exc

    def _trouble(self, exc: OSError) -> Exception:
        # What is held back cannot be written later either, and the interpreter would stumble over it at its end.
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
        if isinstance(exc, BrokenPipeError):
            return ReaderGone()
        return OutputBroken(
            f"The output cannot be written ({exc.strerror or exc}), and what was printed is not complete: make room, or "
            "send it elsewhere, and run it again."
        )


class _Talk(_Stream):
    """
    Standard error: talk, which must not stop the work.
    """

    def write(self, text: str) -> int:
        """
        Writes it, if that can be done.
        """
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """
        Writes out what is held back, if that can be done.
        """
        with suppress(OSError):
            super().flush()
