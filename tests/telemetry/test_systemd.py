"""
What systemd hears of a worker: the real protocol, over real sockets.
"""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import structlog

from worker.telemetry.health import Check, Health
from worker.telemetry.systemd import ServiceManager, supervised

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from structlog.typing import EventDict

OURS = os.getpid()
HEARD_S = 5.0


class Listener:
    """
    The socket that systemd listens on.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.settimeout(HEARD_S)

    def hear(self) -> dict[str, str]:
        """
        The next datagram.
        """
        lines = self._socket.recv(65_536).decode().split("\n")
        return dict(line.split("=", 1) for line in lines)

    def close(self) -> None:
        """
        Nobody listens any more.
        """
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listener]:
    """
    Of both kinds: systemd uses a path, containers and user managers use abstract names as well.
    """
    is_path = request.param == "path"
    listener = Listener(str(tmp_path / "notify") if is_path else f"@vpn-worker/{uuid.uuid4().hex}")
    yield listener
    listener.close()


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    """
    What is logged meanwhile.
    """
    with structlog.testing.capture_logs() as entries:
        yield entries


def manager_at(address: str, words: str = "ready", **environ: str) -> ServiceManager:
    return ServiceManager.named_in({"NOTIFY_SOCKET": address, **environ}, OURS, lambda: words)


def new_health() -> Health:
    return Health(lambda: datetime.now(UTC))


def test_ready_and_stopping_are_told(listener: Listener) -> None:
    manager = manager_at(listener.address)
    manager.ready()
    manager.stopping()

    assert {"READY": "1", "STATUS": "ready"} == listener.hear()
    assert {"STOPPING": "1", "STATUS": "stopping"} == listener.hear()


def test_a_start_that_takes_long_is_granted_more_time_with_each_beat(listener: Listener) -> None:
    """
    Else systemd restarts a worker that waits for a cloud, and each restart is another bad try with its login.
    """
    manager = manager_at(listener.address, WATCHDOG_USEC="2000000")
    manager.beat()
    manager.ready()
    manager.beat()

    assert {"WATCHDOG": "1", "STATUS": "ready", "EXTEND_TIMEOUT_USEC": "6000000"} == listener.hear()
    assert "READY" in listener.hear()
    assert {"WATCHDOG": "1", "STATUS": "ready"} == listener.hear()


async def test_beats_come_twice_in_the_watchdogs_time_and_end_with_the_worker(listener: Listener) -> None:
    environ = {"NOTIFY_SOCKET": listener.address, "WATCHDOG_USEC": "200000", "WATCHDOG_PID": str(OURS)}
    loop = asyncio.get_running_loop()
    async with supervised(new_health(), environ) as manager:
        begun = loop.time()
        heard = [await asyncio.to_thread(listener.hear) for _ in range(5)]
        took_s = loop.time() - begun

    assert 0.1 == manager.beat_s
    assert ["1"] * 5 == [datagram["WATCHDOG"] for datagram in heard]
    assert took_s >= 0.3
    assert "systemd" not in {task.get_name() for task in asyncio.all_tasks()}


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"WATCHDOG_USEC": "400000", "WATCHDOG_PID": str(OURS + 1)},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "-1"},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "²"},
    ],
)
def test_without_a_watchdog_of_ours_the_status_is_told_now_and_then(environ: dict[str, str]) -> None:
    assert 10.0 == manager_at("/run/notify", **environ).beat_s


@pytest.mark.parametrize(
    ("environ", "beat_s"),
    [
        ({"WATCHDOG_USEC": "3000000"}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(OURS)}, 1.5),
        ({"WATCHDOG_USEC": "300000000"}, 10.0),
    ],
)
def test_a_watchdog_of_ours_sets_the_beat(environ: dict[str, str], beat_s: float) -> None:
    assert beat_s == manager_at("/run/notify", **environ).beat_s


async def test_the_status_says_what_is_not_well(listener: Listener) -> None:
    health = new_health()
    health.starting("opening the ledger")
    async with supervised(health, {"NOTIFY_SOCKET": listener.address}) as manager:
        await asyncio.sleep(0)
        health.watch(
            {
                "cloud": lambda: Check(is_well=False, words="refuses the login"),
                "ledger": lambda: Check(is_well=True, words="writable"),
            }
        )
        health.started()
        manager.ready()

    assert "not ready: started: opening the ledger" == listener.hear()["STATUS"]
    assert "not ready: cloud: refuses the login" == listener.hear()["STATUS"]


async def test_nothing_happens_where_nobody_listens(logged: list[EventDict]) -> None:
    async with supervised(new_health(), {"WATCHDOG_USEC": "1000"}) as manager:
        manager.ready()
        await asyncio.sleep(0)
        manager.stopping()

        assert not manager.is_there
    assert [] == logged


@pytest.mark.parametrize("address", ["/nowhere/notify", "vsock:2:1234", "relative", "/" + "long" * 100, "@" * 200])
def test_who_cannot_be_reached_is_logged_once_and_harms_nothing(address: str, logged: list[EventDict]) -> None:
    manager = manager_at(address)
    manager.beat()
    manager.ready()
    manager.stopping()

    assert ["systemd.not_reached"] == [entry["event"] for entry in logged]


def test_a_supervisor_that_does_not_read_holds_nothing_up(listener: Listener, logged: list[EventDict]) -> None:
    """
    The kernel queues some datagrams; then a blocking send would stop the event loop for good.
    """
    manager = manager_at(listener.address)
    limit = 10_000
    while not logged and limit:
        manager.beat()
        limit -= 1

    assert ["systemd.not_reached"] == [entry["event"] for entry in logged]
    assert "1" == listener.hear()["WATCHDOG"]


def test_words_of_others_cannot_forge_a_line(listener: Listener) -> None:
    """
    A cloud's error stands in the status; `MAINPID=` in it would have systemd watch and kill another process.
    """
    manager = manager_at(listener.address, "refused:\nMAINPID=1\r\x00\u2028" + "x" * 10_000)
    manager.ready()
    heard = listener.hear()

    assert {"READY", "STATUS"} == heard.keys()
    assert heard["STATUS"].startswith("refused: MAINPID=1   xxx")
    assert len(heard["STATUS"]) == 500
