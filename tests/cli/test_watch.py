"""
`vpn-worker watch`: events as they come, for people and for programs.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.conftest import eventually, worker_environment
from tests.e2e.proxy import AmqpProxy
from tests.e2e.shop import Shop, binary, order
from worker.sandbox.processes import Child

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli
    from tests.e2e.conftest import StartWorker
    from worker.simulator import Simulator


def watching(tmp_path: Path, shop: Shop, *words: str, **settings: Any) -> Child:
    """
    A `watch` that is about to run beside the test.
    """
    settings = {"amqp_url": shop.amqp_url, "prefix": shop.prefix} | settings
    argv = [sys.executable, "-m", "worker", "watch", *words]
    return Child(argv, log_file=tmp_path / "watch.log", env=worker_environment(settings))


async def is_open(child: Child, times: int = 1) -> None:
    """
    Returns once it has said that it is watching.
    """
    await eventually(lambda: child.log_file.read_text().count("Watching") >= times, "watcher")


async def test_events_are_json_lines_for_programs(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, tmp_path: Path
) -> None:
    await start_worker(cloud.url)
    async with watching(tmp_path, shop, "--count", "2") as child:
        await is_open(child)
        await shop.publish((order(), binary("one", orderitem="7")), (b"[]", binary("two")))
        async with asyncio.timeout(15):
            status = await child.wait()
        await child.stop()  # reads the rest of its output
        shown = {line["data"]["request_id"]: line for line in map(json.loads, child.lines)}

    assert 0 == status
    assert {"one", "two"} == set(shown)
    assert "vpn.vpnservice.created.v1" == shown["one"]["type"]
    assert ("7", "one") == (shown["one"]["orderitem"], shown["one"]["correlationid"])
    assert cloud.state.services[shown["one"]["subject"]].id == shown["one"]["data"]["service_id"]


async def test_a_key_chooses_and_text_is_for_people(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, tmp_path: Path
) -> None:
    await start_worker(cloud.url)
    async with watching(tmp_path, shop, "vpnservice.rejected", "--text", "--count", "1") as child:
        await is_open(child)
        await shop.publish((order(), binary("one")), (b"[]", binary("two")))
        async with asyncio.timeout(15):
            assert 0 == await child.wait()
        await child.stop()

    assert 1 == len(child.lines)
    assert "create-rejected" in child.lines[0]
    assert "two" in child.lines[0]


@pytest.mark.parametrize("form", ["--json", "--text"])
async def test_a_message_that_is_no_event_does_not_end_it(shop: Shop, tmp_path: Path, form: str) -> None:
    async with watching(tmp_path, shop, form) as child:
        await is_open(child)
        await shop.with_channel(lambda channel: channel.basic_publish(f"{shop.prefix}.events", "x", b"\xff\x1b[31m"))
        await eventually(lambda: bool(child.lines) or "not an event" in child.log_file.read_text(), "word of it")
        os.kill(child.pid, signal.SIGINT)
        status = await child.wait()

    assert 130 == status
    assert "Traceback" not in child.log_file.read_text()
    assert "\x1b" not in child.log_file.read_text() + "".join(child.lines)


async def test_a_lost_connection_is_told_and_mended(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, tmp_path: Path
) -> None:
    await start_worker(cloud.url)
    async with AmqpProxy(shop.amqp_url) as proxy, watching(tmp_path, shop, amqp_url=proxy.amqp_url) as child:
        await is_open(child)
        proxy.cut()
        await is_open(child, times=2)
        await shop.publish((order(), binary("one")))
        await child.ready_line("{", 10)
        os.kill(child.pid, signal.SIGINT)
        assert 130 == await child.wait()

    assert "events may be missed" in child.log_file.read_text()
    assert "Traceback" not in child.log_file.read_text()


async def test_it_ends_quietly_when_its_reader_has_gone(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, tmp_path: Path
) -> None:
    """
    `vpn-worker watch | head -1` must neither hang nor print a traceback.
    """
    await start_worker(cloud.url)
    argv = ["sh", "-c", '"$0" -m worker watch | head -1', sys.executable]
    settings: dict[str, object] = {"amqp_url": shop.amqp_url, "prefix": shop.prefix}
    async with Child(argv, log_file=tmp_path / "head.log", env=worker_environment(settings)) as child:
        await is_open(child)
        await shop.publish((order(), binary()))
        await child.ready_line("{", 10)
        await shop.publish((order(), binary()))
        async with asyncio.timeout(10):
            await child.wait()

    assert 1 == len(child.lines)
    assert ["Watching"] == [line.split()[0] for line in child.log_file.read_text().splitlines()]


async def test_a_broker_without_our_exchange_says_what_to_do(cli: Cli, amqp_url: str, prefix: str) -> None:
    said = await cli("watch", amqp_url=amqp_url, prefix=prefix)

    assert 3 == said.status
    assert "vpn-worker topology apply" in said.err


async def test_a_broker_that_is_gone_is_one_line(cli: Cli) -> None:
    said = await cli("watch", amqp_url="amqp://me:s3cret@127.0.0.1:1/")

    assert 3 == said.status
    assert 1 == len(said.err.splitlines())
    assert "s3cret" not in said.err
