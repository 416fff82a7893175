"""
Where orders come from: files and standard input, none of which can be read twice.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from worker.batch.columns import Columns
from worker.batch.errors import UnreadableInput
from worker.batch.formats import HEAD_BYTES, Format, format_of, rows_of, utf16_fault
from worker.batch.rows import Fault, Row


class Source:
    """
    A file whose beginning is known.

    Attributes:
        name: as the user gave it; `-` is standard input.
        head: its beginning, or all of it.
    """

    def __init__(self, name: str, stream: BinaryIO) -> None:
        self.name = name
        self._stream = stream
        try:
            self.head = stream.read(HEAD_BYTES)
        except OSError as exc:
            raise _unreadable(name, exc) from exc

    @property
    def format(self) -> Format | None:
        """
        The format of many orders that it has; None where it has the body of one request.
        """
        return format_of(self.name, self.head)

    def whole(self) -> bytes:
        """
        Everything in it.
        """
        return self.head + self._stream.read()

    def rows(self, form: Format | None, columns: Columns) -> Iterator[Row | Fault]:
        """
        Its rows; `form` wins over what it looks like.
        """
        if (fault := utf16_fault(self.name, self.head)) is not None:
            yield fault
            return
        # A single object among several files is read as an array of one.
        found = form or self.format or "json"
        try:
            yield from rows_of(self.name, _joined(self.head, self._stream), found, columns)
        except OSError as exc:
            raise _unreadable(self.name, exc) from exc


@contextmanager
def opened(names: Sequence[str]) -> Iterator[list[Source]]:
    """
    All of them, open.

    Raises:
        UnreadableInput: one cannot be read.
    """
    with ExitStack() as stack:
        yield [Source(name, _open(name, stack)) for name in names]


def _open(name: str, stack: ExitStack) -> BinaryIO:
    if name == "-":
        return sys.stdin.buffer
    try:
        return stack.enter_context(Path(name).open("rb"))
    except OSError as exc:
        raise _unreadable(name, exc) from exc


def _unreadable(name: str, exc: OSError) -> UnreadableInput:
    return UnreadableInput(f"The file {name} cannot be read: {exc.strerror}; nothing was sent.")


class _Joined(io.RawIOBase):
    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = memoryview(head)
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, into: object) -> int:
        room = cast("memoryview", into)
        piece = self._head[: len(room)] if self._head else self._rest.read(len(room))
        self._head = self._head[len(piece) :] if self._head else self._head
        room[: len(piece)] = piece
        return len(piece)


def _joined(head: bytes, rest: BinaryIO) -> BinaryIO:
    return io.BufferedReader(_Joined(head, rest), HEAD_BYTES)
