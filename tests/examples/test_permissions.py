"""
The examples with the permissions of their roles (docs/how-to/permissions.md), and no others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.deploy.test_permissions import Staff, prefix

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import StartWorker
    from tests.examples.conftest import Run, Start
    from tests.full_broker import FullBroker
    from worker.simulator import Simulator

pytestmark = pytest.mark.long


__all__ = ["prefix"]  # a fixture of others, wanted here too

ROLES = ("worker", "publisher", "reader", "client")
STARTED_S = 20.0


@pytest.fixture(scope="module")
def staff(full_node: FullBroker, tmp_path_factory: pytest.TempPathFactory) -> Staff:
    """
    A user for each role; the worker may send replies.
    """
    hired = Staff(full_node, "vpn-examples", tmp_path_factory.mktemp("passwords"))
    hired.hire(*ROLES, more=("--replies",))
    return hired


@pytest.fixture
def amqp_url(full_node: FullBroker) -> str:
    return full_node.amqp_url


@pytest.fixture
async def working(topology: None, staff: Staff, cloud: Simulator, start_worker: StartWorker) -> None:
    """
    A worker with a worker's permissions; what the readers declare goes with the node.
    """
    await start_worker(cloud.url, amqp_url=staff.url("worker"))


async def test_a_publisher_publishes_and_two_readers_read(
    working: None, staff: Staff, start: Start, run: Run, cloud: Simulator, tmp_path: Path
) -> None:
    own = staff.name("reader")
    settings: dict[str, object] = {"amqp_url": staff.url("reader")}
    hook = await start("billing_hook.py", str(tmp_path / "b.sqlite3"), "--queue", f"{own}.created", **settings)
    await hook.ready_line("counting", STARTED_S)
    portal = await start("faststream_consumer.py", "--queue", f"{own}.events", **settings)
    await portal.ready_line("reading", STARTED_S)
    for example in ("publish_pika.py", "publish_aio_pika.py"):
        said = await run(example, example, f"router-{example}", "myservice", amqp_url=staff.url("publisher"))
        assert (0, "") == (said.status, said.err)
        await portal.ready_line(f"{example} created", STARTED_S)
    for service in cloud.state.services:
        await hook.ready_line(f"counted {service}", STARTED_S)

    assert 2 == len(cloud.state.services)


async def test_a_client_asks_and_waits_and_fulfils_a_batch(
    working: None, staff: Staff, run: Run, cloud: Simulator, tmp_path: Path
) -> None:
    orders = tmp_path / "orders.csv"
    orders.write_text("order,router_id,name\norder-2,router-2,b\n", encoding="utf-8")
    asked = await run("request_reply.py", "order-1", "router-1", "a", amqp_url=staff.url("client"))
    batch = await run("fulfil_batch.py", str(orders), str(tmp_path / "r.csv"), amqp_url=staff.url("client"))

    assert (0, "") == (asked.status, asked.err)
    assert (0, ["created: 1"], "") == (batch.status, batch.out, batch.err)
    assert 2 == len(cloud.state.services)
