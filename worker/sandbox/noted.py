"""
The note that a running `make run` leaves, so that commands in a second terminal find its broker.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_NOTE = Path(".sandbox") / "running.json"


@contextmanager
def noted(folder: Path, values: Mapping[str, str]) -> Iterator[None]:
    """
    Leaves a note with `values` in the project folder for as long as we run.
    """
    path = folder / _NOTE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**values, "pid": str(os.getpid())}), encoding="utf-8")
    path.chmod(0o600)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def read_note(folder: Path) -> dict[str, str] | None:
    """
    The note of a set-up that is running in this folder now; None when there is none.
    """
    try:
        note: dict[str, str] = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
        os.kill(int(note["pid"]), 0)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return note
