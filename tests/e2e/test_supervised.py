"""
A real worker under a supervisor that speaks systemd's protocol.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from tests.e2e.shop import Shop, binary, order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.conftest import StartWorker
    from worker.simulator import Simulator

HEARD_S = 15.0
WATCHDOG_S = 0.4
BOX_BYTES = 65_536


@pytest.fixture
def notify_socket(tmp_path: Path) -> Iterator[socket.socket]:
    """
    What NOTIFY_SOCKET names.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(HEARD_S)
        yield listener


async def heard(listener: socket.socket, wanted: Callable[[str], bool]) -> list[str]:
    """
    All datagrams up to the first that is wanted.
    """
    datagrams: list[str] = []
    async with asyncio.timeout(HEARD_S):
        while not datagrams or not wanted(datagrams[-1]):
            datagrams.append((await asyncio.to_thread(listener.recv, BOX_BYTES)).decode())
    return datagrams


def environment(listener: socket.socket) -> dict[str, str]:
    return {"NOTIFY_SOCKET": listener.getsockname(), "WATCHDOG_USEC": str(round(WATCHDOG_S * 1e6))}


async def test_a_worker_tells_that_it_is_ready_alive_and_stopping(
    cloud: Simulator, start_worker: StartWorker, notify_socket: socket.socket
) -> None:
    worker = await start_worker(cloud.url, environment(notify_socket))
    start = await heard(notify_socket, lambda datagram: "READY=1" in datagram)
    beats = [await heard(notify_socket, lambda datagram: "WATCHDOG=1" in datagram) for _ in range(2)]
    os.kill(worker.child.pid, signal.SIGTERM)
    end = await heard(notify_socket, lambda datagram: "STOPPING=1" in datagram)

    assert start[0].startswith("WATCHDOG=1\nSTATUS=not ready: started: RabbitMQ: ")
    assert start[0].endswith("\nEXTEND_TIMEOUT_USEC=1200000")
    assert "READY=1\nSTATUS=" in start[-1]
    assert [["WATCHDOG=1\nSTATUS=ready"]] * 2 == beats
    assert {"WATCHDOG=1\nSTATUS=ready"} >= set(end[:-1])
    assert "STOPPING=1\nSTATUS=stopping" == end[-1]
    assert 0 == await worker.child.wait()


async def test_a_worker_that_hangs_falls_silent(
    cloud: Simulator, start_worker: StartWorker, notify_socket: socket.socket
) -> None:
    """
    Silence for WatchdogSec is what systemd restarts it for.
    """
    worker = await start_worker(cloud.url, environment(notify_socket))
    await heard(notify_socket, lambda datagram: "READY=1" in datagram)
    os.kill(worker.child.pid, signal.SIGSTOP)
    notify_socket.settimeout(2 * WATCHDOG_S)
    with pytest.raises(TimeoutError):
        # What was sent before the signal may still be there; then nothing comes.
        await heard(notify_socket, lambda _: False)
    os.kill(worker.child.pid, signal.SIGCONT)
    notify_socket.settimeout(HEARD_S)

    assert "WATCHDOG=1" in (await heard(notify_socket, lambda datagram: "WATCHDOG=1" in datagram))[-1]


async def test_the_status_says_why_no_requests_are_taken(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, notify_socket: socket.socket
) -> None:
    cloud.state.faults.add({"fault": "answer", "on": "any", "status": 401, "body": "who are you?", "times": None})
    await start_worker(cloud.url, environment(notify_socket), pause_s=60)
    await shop.publish((order(), binary()))
    told = await heard(notify_socket, lambda datagram: "no requests are taken" in datagram)

    assert told[-1].startswith("WATCHDOG=1\nSTATUS=not ready: ")
    assert "401" in told[-1]
