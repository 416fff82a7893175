"""
The private RabbitMQ node, with real processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pika
import pytest

from worker.errors import SandboxError
from worker.sandbox.node import PrivateBroker, amqp_answers, private_broker, server_script
from worker.sandbox.places import free_ports
from worker.sandbox.processes import Child

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from pika.adapters.blocking_connection import BlockingChannel

pytestmark = [pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"), pytest.mark.long]

HOLDER = """
import asyncio, sys
from pathlib import Path
from worker.sandbox.node import private_broker

async def hold():
    async with private_broker(Path(sys.argv[1]), lambda line: None) as broker:
        print("READY", broker.port, flush=True)
        await asyncio.Event().wait()

asyncio.run(hold())
"""


@pytest.fixture
def installed(broker: object) -> None:
    """
    RabbitMQ on this machine: asking for `broker` has installed it, where that is possible.
    """
    if server_script(os.environ.get("PATH", "")) is None:
        pytest.skip("rabbitmq-server is not installed on this machine")


@pytest.fixture
async def node(installed: None, tmp_path: Path) -> AsyncIterator[PrivateBroker]:
    """
    A node of the test's own.
    """
    async with private_broker(tmp_path, lambda line: None) as started:
        yield started


def processes_of(folder: Path) -> list[str]:
    """
    The programs that run with their home in `folder`: the node, its helpers and its epmd.
    """
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"HOME={folder}".encode() in environ.read_bytes():
                found.append((environ.parent / "comm").read_text().strip())
        except OSError:  # it has ended, or is none of ours
            continue
    return sorted(found)


def listening_addresses(pid: int) -> set[str]:
    """
    The local addresses, as hexadecimal in /proc/net, that a process listens on.
    """
    sockets = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                found.add(fields[1].split(":")[0])
    return found


async def until_gone(folder: Path) -> list[str]:
    """
    What still runs after as long as the system may take to end it: nothing, when all is well.
    """
    for _ in range(200):
        if not processes_of(folder):
            break
        await asyncio.sleep(0.05)
    return processes_of(folder)


@contextlib.contextmanager
def channel_to(node: PrivateBroker) -> Iterator[BlockingChannel]:
    connection = pika.BlockingConnection(pika.URLParameters(node.amqp_url))
    try:
        yield connection.channel()
    finally:
        connection.close()


async def test_node_listens_on_loopback_alone(node: PrivateBroker) -> None:
    loopback = {"0100007F", "00000000000000000000000001000000"}

    assert {"0100007F"} == listening_addresses(node.pid)
    assert listening_addresses(node.epmd_pid) <= loopback
    assert (await node.ctl("list_vhosts")).split() == ["name", "/"]


async def test_confirmed_message_survives_kill_and_restart_on_the_same_port(node: PrivateBroker) -> None:
    with channel_to(node) as channel:
        channel.queue_declare("kept", durable=True)
    # RabbitMQ 3.10 answers before the queue's own record is on disk; what is confirmed is about the message alone.
    await node.stop()
    await node.start()
    with channel_to(node) as channel:
        channel.confirm_delivery()
        channel.basic_publish("", "kept", b"hello", pika.BasicProperties(delivery_mode=2), mandatory=True)
    port = node.port
    await node.kill()

    assert not await amqp_answers("127.0.0.1", port, timeout_s=1)
    await node.start()
    with channel_to(node) as channel:
        _, _, body = next(channel.consume("kept", inactivity_timeout=10))
    assert (port, b"hello") == (node.port, body)


async def test_stop_and_start_keep_durable_queues(node: PrivateBroker) -> None:
    with channel_to(node) as channel:
        channel.queue_declare("kept", durable=True)
    await node.stop()
    await node.stop()
    await node.start()

    with channel_to(node) as channel:
        assert channel.queue_declare("kept", passive=True).method.queue == "kept"


async def test_two_nodes_in_one_folder_get_sub_folders_of_their_own(node: PrivateBroker, tmp_path: Path) -> None:
    async with private_broker(tmp_path, lambda line: None) as second:
        assert node.home.parent == second.home.parent
        assert node.home != second.home
        assert await amqp_answers("127.0.0.1", node.port, timeout_s=5)


@pytest.mark.usefixtures("installed")
async def test_nothing_of_a_node_runs_after_leaving(tmp_path: Path) -> None:
    folder = tmp_path / "other"
    async with private_broker(folder, lambda line: None) as other:
        assert {"beam.smp", "epmd"} <= set(processes_of(other.home))

    assert await until_gone(folder) == []


@pytest.mark.usefixtures("installed")
async def test_nothing_of_a_node_runs_after_its_parent_was_killed_and_its_data_do_no_harm(tmp_path: Path) -> None:
    folder = tmp_path / "other"
    async with Child([sys.executable, "-c", HOLDER, str(folder)], log_file=tmp_path / "holder.log") as holder:
        await holder.ready_line("READY", timeout_s=60)
        assert {"beam.smp", "epmd"} <= set(processes_of(folder))
        await holder.kill()

        assert holder.returncode == -signal.SIGKILL
        assert await until_gone(folder) == []
    async with private_broker(folder, lambda line: None) as again:
        assert folder / "node-1" == again.home


@pytest.mark.usefixtures("installed")
async def test_parent_killed_while_the_node_starts_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "other"
    async with Child([sys.executable, "-c", HOLDER, str(folder)], log_file=tmp_path / "holder.log") as holder:
        while "beam.smp" not in processes_of(folder):
            assert holder.returncode is None
            await asyncio.sleep(0.02)
        await holder.kill()

    assert await until_gone(folder) == []


async def test_node_that_cannot_start_tells_the_end_of_its_log(tmp_path: Path) -> None:
    script = tmp_path / "rabbitmq-server"
    script.write_text("#!/bin/sh\necho out of luck\nexit 3\n")
    script.chmod(0o755)
    node = PrivateBroker(script, tmp_path / "home")
    node.prepare()
    try:
        with pytest.raises(SandboxError) as caught:
            await node.start()
    finally:
        await node.close()

    assert "ended with status 3 while starting" in str(caught.value)
    assert "out of luck" in str(caught.value)


def test_free_ports_differ_and_lie_below_those_of_clients() -> None:
    ports = free_ports(50)

    assert len(set(ports)) == 50
    assert max(ports) < 32_768
