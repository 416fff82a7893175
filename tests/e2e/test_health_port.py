"""
The HTTP port of a real worker in every state: starting, ready, broker down, credentials bad, draining, not to be mended.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.broker.conftest import channel_to
from tests.e2e.conftest import WorkerProcess, eventually, worker_environment
from tests.e2e.proxy import AmqpProxy
from tests.e2e.shop import binary, order
from tests.e2e.test_logins import USER, password_login
from worker.sandbox.processes import Child

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.e2e.conftest import StartCloud, StartWorker
    from tests.e2e.shop import Shop
    from worker.simulator import Simulator

CHECKS = {"consumer", "publisher", "cloud", "credentials", "ledger", "draining"}
LIMIT_S = 45.0


async def url_of(worker: WorkerProcess) -> str:
    return str((await worker.until_logged("health.served"))[0]["url"])


async def asked(url: str, path: str) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.get(url + path) as answer:
        return answer.status, await answer.json()


async def until(url: str, path: str, status: int) -> dict[str, Any]:
    """
    What the path says, once it answers with the status.
    """
    said: list[tuple[int, dict[str, Any]]] = []

    async def is_so() -> bool:
        said[:] = [await asked(url, path)]
        return said[0][0] == status

    await eventually(is_so, f"{path} with {status}, but {said}", LIMIT_S)
    return said[0][1]


@asynccontextmanager
async def silent_server() -> AsyncIterator[str]:
    """
    A broker's URL at which somebody listens who never says a word.
    """

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server:
        yield f"amqp://guest:guest@127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def test_starting(tmp_path: Path) -> None:
    """
    Before the broker answers, whoever started the worker sees how far it is, and does not restart it.
    """
    async with silent_server() as amqp_url:
        settings: dict[str, object] = {
            "amqp_url": amqp_url,
            "api_url": "http://127.0.0.1:1",
            "auth": "none",
            "ledger_url": f"sqlite:///{tmp_path / 'ledger.sqlite3'}",
            "http_port": 0,
        }
        log_file = tmp_path / "worker.log"
        async with Child(
            [sys.executable, "-m", "worker", "run"], log_file=log_file, env=worker_environment(settings)
        ) as child:
            url = await url_of(WorkerProcess(child))
            live, startup, ready = await asked(url, "/live"), await asked(url, "/startup"), await asked(url, "/ready")

    assert (200, {"live": True}) == live
    assert (503, {"started": False}) == startup
    assert 503 == ready[0]
    assert {"started"} == set(ready[1]["checks"])
    assert "RabbitMQ" in ready[1]["checks"]["started"]["words"]


async def test_ready(topology: None, cloud: Simulator, start_worker: StartWorker) -> None:
    worker = await start_worker(cloud.url, http_port=0)
    url = await url_of(worker)
    said = await until(url, "/ready", 200)

    assert (200, {"live": True}) == await asked(url, "/live")
    assert (200, {"started": True}) == await asked(url, "/startup")
    assert said["ready"]
    assert set(said["checks"]) == CHECKS
    for check in said["checks"].values():
        assert {"state", "since", "words", "remedy"} == set(check)
        assert "ok" == check["state"]
        assert "" == check["remedy"]
        assert datetime.fromisoformat(check["since"]).tzinfo is not None


async def test_the_broker_is_down_and_comes_back(
    topology: None, amqp_url: str, cloud: Simulator, start_worker: StartWorker
) -> None:
    async with AmqpProxy(amqp_url) as proxy:
        worker = await start_worker(cloud.url, amqp_url=proxy.amqp_url, http_port=0)
        url = await url_of(worker)
        before = await until(url, "/ready", 200)
        proxy.hold(is_from_client=False)
        proxy.cut()
        down = await until(url, "/ready", 503)
        live = await asked(url, "/live")
        proxy.release()
        after = await until(url, "/ready", 200)

    assert (200, {"live": True}) == live
    failing = {name for name, check in down["checks"].items() if check["state"] == "failing"}
    assert {"consumer", "publisher"} & failing == failing != set()
    assert all(down["checks"][name]["remedy"] for name in failing)
    for name in failing:
        assert before["checks"][name]["since"] < down["checks"][name]["since"] < after["checks"][name]["since"]
    assert before["checks"]["ledger"]["since"] == after["checks"]["ledger"]["since"]


async def test_credentials_are_bad(topology: None, start_cloud: StartCloud, start_worker: StartWorker) -> None:
    cloud = await start_cloud(users=(USER,))
    worker = await start_worker(None, **password_login(cloud.url, password="not-right"))
    url = await url_of(worker)
    said = await until(url, "/ready", 503)

    assert (200, {"live": True}) == await asked(url, "/live")
    assert (200, {"started": True}) == await asked(url, "/startup")
    assert "failing" == said["checks"]["credentials"]["state"]
    assert "docs/how-to/clouds.md" in said["checks"]["credentials"]["remedy"]
    assert "not-right" not in said["checks"]["credentials"]["words"]


async def test_draining(shop: Shop, cloud: Simulator, start_worker: StartWorker) -> None:
    """
    A load balancer or a rollout must see at once that this one takes nothing more, while it finishes what was sent.
    """
    cloud.state.faults.add({"fault": "slow", "on": "create", "delay_s": 3})
    worker = await start_worker(cloud.url, http_port=0)
    url = await url_of(worker)
    await shop.publish((order(), binary()))
    await eventually(lambda: cloud.state.calls["create"] == 1, "POST under way")
    os.kill(worker.child.pid, signal.SIGTERM)
    said = await until(url, "/ready", 503)
    live = await asked(url, "/live")
    told = await shop.outcomes(1)
    status = await worker.child.wait()

    assert "failing" == said["checks"]["draining"]["state"]
    assert (200, {"live": True}) == live
    assert 1 == len(told)
    assert 0 == status
    assert [] == worker.mistakes()


async def test_a_queue_that_was_replaced_by_another_ends_the_worker_with_a_status_that_says_so(
    topology: None, amqp_url: str, prefix: str, cloud: Simulator, start_worker: StartWorker
) -> None:
    """
    Working on a queue without our arguments would lose what dies there; reconnecting for ever would hide it.
    """
    worker = await start_worker(cloud.url, self_check_s=0.2)
    queue = f"{prefix}.requests.create"
    with channel_to(amqp_url) as channel:
        channel.queue_delete(queue)
        channel.queue_declare(queue, durable=True, arguments={"x-max-length": 5})
    async with asyncio.timeout(LIMIT_S):
        status = await worker.child.wait()

    assert 4 == status
