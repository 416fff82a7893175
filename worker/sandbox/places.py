"""
Where a private server lives: loopback ports that are free, and a folder that nobody else is using.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import secrets
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PORTS = (20_000, 32_000)  # below Linux's ephemeral range, so that no client socket takes ours between two starts


def free_ports(count: int) -> list[int]:
    """
    Loopback ports that nobody listens on now, below those the system hands out to clients.
    """
    with contextlib.ExitStack() as held:
        ports: list[int] = []
        while len(ports) < count:
            candidate = _PORTS[0] + secrets.randbelow(_PORTS[1] - _PORTS[0])
            probe = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", candidate))
                ports.append(candidate)
        return ports


@contextlib.contextmanager
def own_folder(folder: Path) -> Iterator[Path]:
    """
    The first of `node-1`, `node-2`, ... in `folder` that nobody holds; ours until leaving. It may hold old data.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        with (folder / f"node-{number}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield folder / f"node-{number}"
            return
