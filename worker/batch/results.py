"""
The result file: a row for every order, there whole or not at all.
"""

from __future__ import annotations

import csv
import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from worker.batch.book import Book, State, Told
from worker.batch.checking import Orders
from worker.batch.errors import ResultUnwritable

NAMES = ("file", "line", "id", "status", "service_id", "error_code", "error_message")
SUFFIXES = (".csv", ".jsonl")
#: Of a row beside its id and file: a status, a service id, quotes, and a short error.
_ROW_BYTES = 160
#: What spreadsheets take for the beginning of a formula (OWASP: CSV Injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Result = tuple[str, int, str, str, str | None, str | None, str | None]


def results(orders: Orders, book: Book) -> Iterator[Result]:
    """
    A row for every order, in the order of the files.
    """
    for place, order in enumerate(orders):
        state, told = book.state(place), book.told(place)
        if state is State.delayed:
            state, told = State.waiting, Told(None, told.error_code or "delayed", told.error_message)
        yield order.file, order.line, order.id, state.name, told.service_id, told.error_code, told.error_message


class ResultFile:
    """
    Where the results will be; until they are, a partial file beside it keeps the room.
    """

    def __init__(self, path: Path, partial: Path, file: IO[str]) -> None:
        self._path = path
        self._partial = partial
        self._file = file

    def write(self, rows: Iterable[Result]) -> None:
        """
        Writes all rows, and puts the file where it belongs.

        Raises:
            OSError: it cannot be written; what stood there before still does.
        """
        if self._path.suffix.lower() == ".csv":
            writer = csv.writer(self._file, lineterminator="\n")
            writer.writerow(NAMES)
            writer.writerows([_cell(value) for value in row] for row in rows)
        else:
            for row in rows:
                self._file.write(json.dumps(dict(zip(NAMES, row, strict=True)), ensure_ascii=False) + "\n")
        self._file.flush()
        number = self._file.fileno()
        os.ftruncate(number, os.lseek(number, 0, os.SEEK_CUR))
        os.fsync(number)
        self._partial.replace(self._path)


@contextmanager
def result_file(path: Path, orders: Orders) -> Iterator[ResultFile]:
    """
    A result file that can be written, since the room for it is taken already; the partial file is gone on leaving.

    Raises:
        ResultUnwritable: it could not be, with the reason.
    """
    check_result_path(path)
    real = path.resolve()  # a link stays one
    partial = real.with_name(f"{real.name}.partial")
    try:
        number = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as exc:
        raise ResultUnwritable(f"The result file {path} cannot be written ({exc.strerror}); nothing was sent.") from exc
    with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        _lock(number, partial, path)
        try:
            _take_room(number, path, orders.size_bytes + _ROW_BYTES * (len(orders) + 1))
            yield ResultFile(real, partial, file)
        finally:
            with suppress(FileNotFoundError):
                partial.unlink()


def check_result_path(path: Path) -> None:
    """
    Raises ResultUnwritable for a place where no result file can be.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ResultUnwritable(f"The result file must be named .csv or .jsonl, and {path} is not; nothing was sent.")
    if path.exists() and not path.is_file():
        raise ResultUnwritable(f"The result file {path} is there already and is no file; nothing was sent.")


def _lock(number: int, partial: Path, path: Path) -> None:
    busy = f"Another run is writing the result file {path}; nothing was sent."
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_ours = partial.stat().st_ino == os.fstat(number).st_ino  # the other may have ended in this moment
    except OSError as exc:
        raise ResultUnwritable(busy) from exc
    if not is_ours:
        raise ResultUnwritable(busy)
    os.ftruncate(number, 0)


def _take_room(number: int, path: Path, room_bytes: int) -> None:
    try:
        os.posix_fallocate(number, 0, room_bytes)
    except OSError as exc:
        if exc.errno in {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}:  # some network file systems
            _check_free(path, room_bytes)
            return
        words = f"there is no room for {room_bytes} bytes: {exc.strerror}"
        raise ResultUnwritable(f"The result file {path} cannot be written ({words}); nothing was sent.") from exc


def _check_free(path: Path, room_bytes: int) -> None:
    if shutil.disk_usage(path.resolve().parent).free < room_bytes:
        raise ResultUnwritable(f"There is no room for the result file {path} ({room_bytes} bytes); nothing was sent.")


def _cell(value: object) -> object:
    """
    A value that no spreadsheet takes for a formula.
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
