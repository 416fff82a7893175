"""
How a worker starts: what it needs at the broker, and how it tells that something is missing.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pika
import pytest

from messages.routes import Routes
from tests.e2e.conftest import worker_environment
from tests.e2e.shop import Shop, binary, open_shop, order
from worker.broker.topology import apply_topology
from worker.sandbox.processes import Child
from worker.sandbox.rabbitmq import PrivateBroker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.e2e.conftest import StartWorker
    from worker.sandbox.rabbitmq import Broker
    from worker.simulator import Simulator


@pytest.fixture
def failed_start(amqp_url: str, prefix: str, tmp_path: Path) -> Callable[..., Awaitable[tuple[int, str]]]:
    """
    Exit status and last words of a worker that cannot start; its log lines are left out.
    """

    async def start(**settings: object) -> tuple[int, str]:
        usual: dict[str, object] = {
            "amqp_url": amqp_url,
            "api_url": "http://127.0.0.1:9",
            "auth": "none",
            "prefix": prefix,
            "ledger_url": f"sqlite:///{tmp_path / 'ledger.sqlite3'}",
        }
        argv = [sys.executable, "-m", "worker", "run"]
        async with Child(argv, log_file=tmp_path / "failed.log", env=worker_environment(usual | settings)) as child:
            async with asyncio.timeout(20):
                status = await child.wait()
            said = child.log_file.read_text(encoding="utf-8")
        assert [] == child.lines
        return status, "\n".join(line for line in said.splitlines() if not line.startswith("{"))

    return start


@pytest.fixture
async def weak_url(broker: Broker, prefix: str) -> AsyncIterator[str]:
    """
    A user with the least rights that a worker needs: none to configure.
    """
    if not isinstance(broker, PrivateBroker):
        pytest.skip("only a broker of our own takes new users")
    name = f"weak-{prefix}"
    write = rf"^{prefix}\.(events|retry|dead)$"
    await broker.ctl("add_user", name, "weak-password")
    await broker.ctl("set_permissions", name, "^$", write, rf"^{prefix}\.requests\.create$")
    yield f"amqp://{name}:weak-password@127.0.0.1:{broker.port}/"
    await broker.ctl("delete_user", name)


async def test_a_worker_brings_about_the_queues_it_needs(
    amqp_url: str, prefix: str, cloud: Simulator, start_worker: StartWorker
) -> None:
    await start_worker(cloud.url)
    async with open_shop(amqp_url, prefix) as shop:
        await shop.publish((order(), binary()))
        told = await shop.outcomes(1)

    assert "vpn.vpnservice.created.v1" == told[0].type


async def test_a_worker_without_the_right_to_configure_works_when_the_queues_are_there(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, weak_url: str
) -> None:
    cloud.state.faults.add({"fault": "answer", "status": 425, "retry_after": 6, "match": {"name": "later"}})
    worker = await start_worker(cloud.url, amqp_url=weak_url)
    await shop.publish((order(), binary()), (b"{}", binary()), (order(name="later"), binary()))
    told = await shop.outcomes(3)

    assert 2 == len([event for event in told if event.type == "vpn.vpnservice.created.v1"])
    await shop.dead(1)
    assert [] == worker.logged("broker.lost")
    assert [] == worker.mistakes()


async def test_a_worker_without_that_right_says_who_must_make_the_queues(
    weak_url: str, failed_start: Callable[..., Awaitable[tuple[int, str]]]
) -> None:
    status, words = await failed_start(amqp_url=weak_url)

    assert 3 == status
    assert "vpn-worker topology apply" in words
    assert 1 == len(words.splitlines())
    assert "weak-password" not in words


async def test_a_queue_with_other_arguments_stops_the_start_also_when_nothing_is_missing(
    amqp_url: str, prefix: str, failed_start: Callable[..., Awaitable[tuple[int, str]]]
) -> None:
    """
    A rung without dead-lettering would swallow requests without a word, for as long as the worker runs.
    """
    await apply_topology(amqp_url, Routes(prefix))
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    channel = connection.channel()
    channel.queue_delete(f"{prefix}.retry.30s")
    channel.queue_declare(f"{prefix}.retry.30s", durable=True, arguments={"x-queue-type": "quorum"})
    connection.close()
    status, words = await failed_start()

    assert 4 == status
    assert f"{prefix}.retry.30s exists with other arguments" in words
    assert 1 == len(words.splitlines())


async def test_a_binding_that_somebody_removed_is_brought_back(
    shop: Shop, cloud: Simulator, start_worker: StartWorker
) -> None:
    dead = f"{shop.prefix}.dead"
    await shop.with_channel(lambda channel: channel.queue_unbind(dead, dead, routing_key=""))
    await start_worker(cloud.url)
    await shop.publish((b"{}", binary()))
    await shop.outcomes(1)

    await shop.dead(1)


async def test_a_broker_that_is_down_is_one_clear_line(
    failed_start: Callable[..., Awaitable[tuple[int, str]]],
) -> None:
    status, words = await failed_start(amqp_url="amqp://guest:s3cret@127.0.0.1:1/")

    assert 3 == status
    assert "RabbitMQ at 127.0.0.1:1/ does not answer" in words
    assert 1 == len(words.splitlines())
    assert "s3cret" not in words


async def test_a_wrong_password_is_one_clear_line(
    amqp_url: str, failed_start: Callable[..., Awaitable[tuple[int, str]]]
) -> None:
    parts = urlsplit(amqp_url)
    status, words = await failed_start(amqp_url=f"amqp://guest:wr0ng@{parts.hostname}:{parts.port}/")

    assert 3 == status
    assert "refused the login" in words
    assert 1 == len(words.splitlines())
    assert "wr0ng" not in words


async def test_a_virtual_host_that_is_not_there_is_one_clear_line(
    amqp_url: str, failed_start: Callable[..., Awaitable[tuple[int, str]]]
) -> None:
    status, words = await failed_start(amqp_url=amqp_url.rstrip("/") + "/nowhere")

    assert 3 == status
    assert "virtual host" in words or "nowhere" in words
    assert 1 == len(words.splitlines())


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 64, b"AMQP\x00\x01\x00\x00"])
async def test_something_that_is_no_rabbitmq_is_one_clear_line(
    answer: bytes, failed_start: Callable[..., Awaitable[tuple[int, str]]]
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    status, words = await failed_start(amqp_url=f"amqp://guest:guest@127.0.0.1:{port}/")
    server.close()
    await server.wait_closed()

    assert 3 == status
    assert 1 == len(words.splitlines())


async def test_a_ledger_that_cannot_be_opened_is_one_clear_line(
    tmp_path: Path, failed_start: Callable[..., Awaitable[tuple[int, str]]]
) -> None:
    (tmp_path / "file").touch()
    status, words = await failed_start(ledger_url=f"sqlite:///{tmp_path / 'file' / 'ledger.sqlite3'}")

    assert 5 == status
    assert "ledger" in words
    assert 1 == len(words.splitlines())


async def test_an_event_that_nobody_wants_is_kept_with_the_unrouted(
    topology: None, amqp_url: str, prefix: str, cloud: Simulator, start_worker: StartWorker
) -> None:
    async with open_shop(amqp_url, prefix, "vpnservice.rejected") as shop:
        await start_worker(cloud.url)
        await shop.publish((order(), binary("one")))
        [event] = await shop.taken(f"{prefix}.unrouted", 1)

    assert "vpn.vpnservice.created.v1" == event.type
    assert "one" == event.data["request_id"]
    assert [] == shop.told


async def test_sigterm_before_it_is_ready_ends_a_worker_well(tmp_path: Path) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        await reader.read()
        writer.close()

    reached = asyncio.Event()
    argv = [sys.executable, "-m", "worker", "run"]
    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"amqp://guest:guest@127.0.0.1:{port}/"
        environ = worker_environment({"amqp_url": url, "api_url": "http://127.0.0.1:9", "auth": "none"})
        async with Child(argv, log_file=tmp_path / "log", env=environ) as child, asyncio.timeout(20):
            await reached.wait()
            os.kill(child.pid, signal.SIGTERM)
            status = await child.wait()
            said = child.log_file.read_text(encoding="utf-8")

    assert 0 == status
    assert "worker.stopped" == json.loads(said.splitlines()[-1])["event"]
