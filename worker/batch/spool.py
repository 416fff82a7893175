"""
Records in a file of our own that nobody else sees, found again by their place.
"""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Iterator
from typing import Self

from worker.batch.errors import SpoolFull


class Spool:
    """
    Keeps records out of memory; 8 bytes a record stay in it. Use as a context manager: the file ends with it.
    """

    def __init__(self) -> None:
        self._ends = array("q")
        self._written_bytes = 0
        try:
            self._file = tempfile.TemporaryFile(prefix="vpn-worker-")  # noqa: SIM115 - closed by __exit__
        except OSError as exc:
            raise SpoolFull(_words(exc)) from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._ends)

    @property
    def size_bytes(self) -> int:
        """
        Of all records.
        """
        return self._ends[-1] if self._ends else 0

    def add(self, record: bytes) -> int:
        """
        Adds a record; its place, from 0.

        Raises:
            SpoolFull: there is no room for it.
        """
        try:
            self._file.write(record)
        except OSError as exc:
            raise SpoolFull(_words(exc)) from exc
        self._ends.append(self.size_bytes + len(record))
        return len(self._ends) - 1

    def read(self, place: int) -> bytes:
        """
        The record at a place.

        Raises:
            SpoolFull: what was added could not be written.
        """
        begin = self._ends[place - 1] if place else 0
        end = self._ends[place]
        if end > self._written_bytes:
            try:
                self._file.flush()
            except OSError as exc:
                raise SpoolFull(_words(exc)) from exc
            self._written_bytes = self.size_bytes
        return os.pread(self._file.fileno(), end - begin, begin)

    def __iter__(self) -> Iterator[bytes]:
        return (self.read(place) for place in range(len(self)))


def _words(exc: OSError) -> str:
    return f"No room for temporary files in {tempfile.gettempdir()} ({exc.strerror}); free some, or set TMPDIR to another folder."
