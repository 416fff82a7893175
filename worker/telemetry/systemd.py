"""
Telling systemd how the worker is: ready, alive, stopping, and a line for `systemctl status`.

The protocol is sd_notify(3): datagrams of `NAME=value` lines to the socket that NOTIFY_SOCKET names.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import structlog

from worker.telemetry.health import Health

log = structlog.get_logger()

#: Between two beats where no watchdog asks for more.
_BEAT_S = 10.0
#: How much longer a start may take, told with each beat until it is over; several beats, one may be late.
_START_BEATS = 6
#: systemd reads within milliseconds; when it does not, the loop must not wait for it.
_SEND_S = 0.5
#: systemd takes datagrams of up to a page, PIPE_BUF (systemd 252, notify_recv).
_LONGEST_WORDS = 500


class ServiceManager:
    """
    What supervises this process, if anything does. Telling it never raises and never blocks for long.

    Args:
        address: of its socket: a path, or a name in the abstract namespace with `@` in front. None: nobody listens.
        watchdog_s: it ends a worker that is silent for so long. None: it does not.
        words: gives one line on how the worker is; asked with each beat.
    """

    def __init__(self, address: str | None, watchdog_s: float | None, words: Callable[[], str]) -> None:
        self._address = address
        self._watchdog_s = watchdog_s
        self._words = words
        self._is_starting = True
        self._is_heard = True

    @classmethod
    def named_in(cls, environ: Mapping[str, str], pid: int, words: Callable[[], str]) -> ServiceManager:
        """
        The one that started process `pid`, as it said in the environment.
        """
        address = environ.get("NOTIFY_SOCKET") or None
        return cls(address, _watchdog_s(environ, pid) if address else None, words)

    @property
    def is_there(self) -> bool:
        """
        Whether anybody is told.
        """
        return self._address is not None

    @property
    def beat_s(self) -> float:
        """
        Seconds between two beats: twice in the time that the watchdog grants, as sd_watchdog_enabled(3) advises.
        """
        return _BEAT_S if self._watchdog_s is None else min(self._watchdog_s / 2, _BEAT_S)

    def ready(self) -> None:
        """
        The start is over: what waits for this worker may start.
        """
        self._is_starting = False
        self._tell("READY=1", self._status())

    def stopping(self) -> None:
        """
        It was asked to stop, or stops by itself.
        """
        self._is_starting = False
        self._tell("STOPPING=1", "STATUS=stopping")

    def beat(self) -> None:
        """
        It is alive. Called by the event loop itself, so that a loop that hangs falls silent.
        """
        lines = ["WATCHDOG=1", self._status()]
        if self._is_starting:
            # A start may wait for the cloud as long as it likes, as long as the loop turns.
            lines.append(f"EXTEND_TIMEOUT_USEC={round(_START_BEATS * self.beat_s * 1e6)}")
        self._tell(*lines)

    def _status(self) -> str:
        # The words of a cloud or a broker may stand in it: a line of theirs must not count as one of ours.
        words = "".join(character if character.isprintable() else " " for character in self._words())
        return f"STATUS={words[:_LONGEST_WORDS]}"

    def _tell(self, *lines: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(_SEND_S)
                sender.sendto("\n".join(lines).encode(errors="replace"), _socket_name(self._address))
        except (OSError, ValueError) as exc:
            if self._is_heard:
                log.warning("systemd.not_reached", reason=str(exc))
            self._is_heard = False
            return
        self._is_heard = True


@asynccontextmanager
async def supervised(health: Health, environ: Mapping[str, str] | None = None) -> AsyncIterator[ServiceManager]:
    """
    The supervisor of this process, told that it lives for as long as the event loop turns and the context lasts.

    Args:
        health: what the status line tells of.
        environ: where the supervisor says how to reach it; the process's own environment by default.
    """
    manager = ServiceManager.named_in(
        os.environ if environ is None else environ, os.getpid(), lambda: _in_words(health)
    )
    beating = asyncio.create_task(_beat(manager), name="systemd")
    try:
        yield manager
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)


def _in_words(health: Health) -> str:
    failing = [f"{name}: {check.words}" for name, check in health.look().items() if not check.is_well]
    return f"not ready: {'; '.join(failing)}" if failing else "ready"


async def _beat(manager: ServiceManager) -> None:
    while manager.is_there:
        manager.beat()
        await asyncio.sleep(manager.beat_s)


def _watchdog_s(environ: Mapping[str, str], pid: int) -> float | None:
    if environ.get("WATCHDOG_PID", str(pid)).strip() != str(pid):
        return None  # meant for the process that started us, which passed its environment on
    microseconds = environ.get("WATCHDOG_USEC", "")
    if not (microseconds.isascii() and microseconds.isdigit()) or int(microseconds) == 0:
        return None
    return int(microseconds) / 1e6


def _socket_name(address: str) -> str:
    if address.startswith("@"):
        return "\0" + address[1:]
    if address.startswith("/"):
        return address
    raise ValueError(f"NOTIFY_SOCKET={address} is neither a path nor an abstract name")
