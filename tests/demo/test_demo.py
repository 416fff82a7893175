"""
`vpn-worker demo` as a newcomer runs it: real processes on a real broker, and nothing left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import eventually, worker_environment
from worker.sandbox.processes import Child
from worker.sandbox.rabbitmq import PrivateBroker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from worker.sandbox.rabbitmq import Broker

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

READY_S = 40.0


def processes_in(folder: Path) -> list[str]:
    """
    Command lines of the processes whose working folder this is.
    """
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink() == folder:
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def pids_in(folder: Path) -> dict[str, str]:
    """
    Command lines, by process id, of the processes whose command names this folder.
    """
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if str(folder) in command:
                found[process.name] = command
    return found


async def demo_queues(broker: Broker) -> list[str]:
    """
    The queues of demonstrations at the broker.
    """
    if not isinstance(broker, PrivateBroker):
        return []  # only a broker of our own tells its queues
    return [name for name in (await broker.ctl("list_queues", "name")).split() if name.startswith("vpn-demo")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """
    The folder that the demonstration is run in.
    """
    made = tmp_path / "checkout"
    made.mkdir()
    return made


@contextlib.asynccontextmanager
async def running(folder: Path, *words: str, **settings: object) -> AsyncIterator[Child]:
    """
    A `demo` under way, in its folder.
    """
    shell = ["sh", "-c", 'cd "$0" && exec "$@"', str(folder), sys.executable, "-m", "worker", "demo", *words]
    environment = worker_environment(settings) | {"COLUMNS": "400"}  # no cell of the table is broken into lines
    async with Child(shell, log_file=folder.parent / "demo.log", env=environment) as child:
        yield child


async def test_every_order_meets_its_fate_and_nothing_is_left(folder: Path, amqp_url: str, broker: Broker) -> None:
    async with running(folder, amqp_url=amqp_url) as child:
        async with asyncio.timeout(60):
            status = await child.wait()
        await child.stop()
        said = "\n".join(child.lines)

    assert 0 == status, said + child.log_file.read_text()
    for number in range(1001, 1009):
        assert f"order-{number}" in said
    for words in (
        "vpnservice.name: must be 1 to 64 characters",
        "vpnservice.admin_state_up",
        "found by looking, not created again",
        "the same event again under the same id",
        "already has VPN service",
        "4 services told as created, 4 in the cloud: none lost, none twice.",
        "vpn-worker demo --stay",
    ):
        assert words in said
    assert "guest:guest" not in said
    assert [] == processes_in(folder)
    assert [] == await demo_queues(broker)


async def test_ctrl_c_in_the_middle_leaves_nothing(folder: Path, amqp_url: str, broker: Broker) -> None:
    async with running(folder, amqp_url=amqp_url) as child:
        await eventually(lambda: "Worker: pid" in child.log_file.read_text(), "worker", READY_S)
        os.kill(child.pid, signal.SIGINT)
        async with asyncio.timeout(30):
            status = await child.wait()

    assert 130 == status
    assert "Traceback" not in child.log_file.read_text()
    assert [] == processes_in(folder)
    assert [] == await demo_queues(broker)


async def test_stay_is_ready_for_publish_in_the_same_folder_until_ctrl_c(
    folder: Path, amqp_url: str, prefix: str
) -> None:
    note = folder / ".sandbox" / "running.json"
    async with running(folder, "--stay", amqp_url=amqp_url, prefix=prefix) as child:
        await child.ready_line("Everything runs", READY_S)
        await eventually(note.exists, "note")
        publish = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "worker", "publish", "--router-id", "r-1", "--wait-s", "15"),
            cwd=folder,
            env=worker_environment({}),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await publish.communicate()
        mode = note.stat().st_mode & 0o777
        os.kill(child.pid, signal.SIGINT)
        async with asyncio.timeout(30):
            status = await child.wait()
        await child.stop()

    assert 0 == publish.returncode, err.decode()
    assert "vpn.vpnservice.created.v1" == json.loads(out.splitlines()[1])["type"]
    assert 0o600 == mode
    assert 0 == status
    assert not note.exists()
    assert [] == processes_in(folder)


async def test_stay_says_so_when_its_worker_ends_by_itself(folder: Path, amqp_url: str, prefix: str) -> None:
    async with running(folder, "--stay", amqp_url=amqp_url, prefix=prefix) as child:
        await child.ready_line("Everything runs", READY_S)
        line = next(line for line in child.log_file.read_text().splitlines() if "Worker: pid" in line)
        os.kill(int(line.split("pid ")[1].split(",")[0]), signal.SIGKILL)
        async with asyncio.timeout(30):
            status = await child.wait()

    assert 1 == status
    assert "ended by itself, by signal 9" in child.log_file.read_text()
    assert [] == processes_in(folder)


async def test_stay_says_so_when_its_own_broker_ends_by_itself(folder: Path, broker: Broker) -> None:
    """
    A set-up that looks alive without a broker would let its user wait for ever.
    """
    if not isinstance(broker, PrivateBroker):
        pytest.skip("without a private node the demonstration would have to install one")
    async with running(folder, "--stay") as child:
        await child.ready_line("Everything runs", READY_S)
        [node] = [int(pid) for pid, command in pids_in(folder / ".sandbox").items() if "beam.smp" in command]
        os.kill(node, signal.SIGKILL)
        async with asyncio.timeout(30):
            status = await child.wait()

    assert 1 == status
    assert "RabbitMQ ended by itself" in child.log_file.read_text()
    assert [] == processes_in(folder)


async def test_a_second_set_up_in_the_folder_is_refused_and_the_first_goes_on(
    folder: Path, amqp_url: str, prefix: str
) -> None:
    """
    It would take the first one's ledger from under it.
    """
    async with running(folder, "--stay", amqp_url=amqp_url, prefix=prefix) as child:
        await child.ready_line("Everything runs", READY_S)
        second = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "worker", "demo"),
            cwd=folder,
            env=worker_environment({"amqp_url": amqp_url}),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, err = await second.communicate()
        is_noted = (folder / ".sandbox" / "running.json").exists()
        status = child.returncode

    assert 6 == second.returncode
    assert "already running in this folder" in err.decode()
    assert is_noted
    assert status is None


async def test_a_broker_that_is_not_there_is_told_without_the_password(folder: Path) -> None:
    async with running(folder, amqp_url="amqp://me:s3cret@127.0.0.1:1/") as child:
        async with asyncio.timeout(30):
            status = await child.wait()

    assert 6 == status
    assert "no RabbitMQ answers there" in child.log_file.read_text()
    assert "s3cret" not in child.log_file.read_text()
    assert "Traceback" not in child.log_file.read_text()


@pytest.mark.parametrize("words", [(), ("--stay",)])
async def test_being_killed_takes_every_part_along(
    folder: Path, amqp_url: str, prefix: str, words: tuple[str, ...]
) -> None:
    async with running(folder, *words, amqp_url=amqp_url, prefix=prefix) as child:
        await eventually(lambda: "Worker: pid" in child.log_file.read_text(), "worker", READY_S)
        await child.kill()
        await eventually(lambda: processes_in(folder) == [], "end of every part")
