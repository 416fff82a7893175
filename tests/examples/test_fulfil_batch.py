"""
The batch script as a process: killed and run again, one row and one service for each order.
"""

from __future__ import annotations

import csv
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import eventually
from tests.e2e.shop import open_shop
from tests.examples.conftest import NOBODY, ended
from worker.sandbox.rabbitmq import PrivateBroker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.e2e.conftest import StartWorker
    from tests.e2e.shop import Shop
    from tests.examples.conftest import Run, Start
    from worker.sandbox.rabbitmq import Broker
    from worker.simulator import Simulator

EXAMPLE = "fulfil_batch.py"
MANY = 250


def write_orders(path: Path, orders: Sequence[Sequence[str]], heading: str = "order,router_id,name") -> str:
    path.write_text("\n".join([heading, *(",".join(order) for order in orders)]) + "\n", encoding="utf-8")
    return str(path)


def many(count: int = MANY) -> list[tuple[str, str, str]]:
    return [(f"order-{number}", f"router-{number}", f"site-{number}") for number in range(count)]


def rows(path: Path) -> list[dict[str, str]]:
    """
    The rows of a result file; what is not whole yet is left out.
    """
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["error"] is not None]


async def are_there(shop: Shop, count: int) -> bool:
    """
    Whether so many orders wait for a worker.
    """
    return await shop.ready(f"{shop.prefix}.requests.create") == count


async def test_each_order_gets_a_row_that_says_what_became_of_it(
    run: Run, topology: None, cloud: Simulator, start_worker: StartWorker, tmp_path: Path
) -> None:
    await start_worker(cloud.url)
    taken = cloud.state.create({"router_id": "router-1", "name": "somebody's"}).id
    orders = write_orders(tmp_path / "orders.csv", [*many(3), ("no-name", "router-9", "")])
    results = tmp_path / "results.csv"
    first = await run(EXAMPLE, orders, str(results))
    calls = cloud.state.calls["create"]
    second = await run(EXAMPLE, orders, str(results))
    by_order = {row["order"]: row for row in rows(results)}

    assert (1, ["created: 3", "failed: 1"], "") == (first.status, first.out, first.err)
    assert (first.status, first.out, first.err) == (second.status, second.out, second.err)
    assert calls == cloud.state.calls["create"]  # nothing was asked for again
    assert {"order-0", "order-1", "order-2", "no-name"} == set(by_order)
    assert ("created", "PENDING_CREATE") == (by_order["no-name"]["outcome"], by_order["no-name"]["status"])
    assert taken in by_order["order-1"]["error"]
    assert cloud.state.services[by_order["order-0"]["service_id"]].attributes["name"] == "site-0"


async def test_a_batch_that_is_killed_is_finished_by_running_it_again(
    start: Start, run: Run, topology: None, cloud: Simulator, start_worker: StartWorker, tmp_path: Path
) -> None:
    await start_worker(cloud.url)
    orders, results = write_orders(tmp_path / "orders.csv", many()), tmp_path / "results.csv"
    for at_least in (10, 60):
        child = await start(EXAMPLE, orders, str(results))
        await eventually(lambda n=at_least: len(rows(results)) >= n, f"{at_least} rows", 30)  # type: ignore[misc]
        assert -signal.SIGKILL == await child.kill()
    written = len(rows(results))
    said = await run(EXAMPLE, orders, str(results))
    last = rows(results)

    assert 60 <= written < MANY
    assert (0, [f"created: {MANY}"], "") == (said.status, said.out, said.err)
    assert sorted(order for order, _, _ in many()) == sorted(row["order"] for row in last)
    assert MANY == len(cloud.state.services) == len({row["service_id"] for row in last})
    assert {row["service_id"] for row in last} == set(cloud.state.services)


async def test_orders_that_nobody_works_on_wait_and_ctrl_c_loses_none(
    start: Start, run: Run, shop: Shop, cloud: Simulator, start_worker: StartWorker, tmp_path: Path
) -> None:
    orders, results = write_orders(tmp_path / "orders.csv", many(5)), tmp_path / "results.csv"
    in_vain = await run(EXAMPLE, orders, str(results), "--wait-s", "0.5")
    child = await start(EXAMPLE, orders, str(results))
    await eventually(lambda: are_there(shop, 10), "the orders of both runs in the queue")
    os.kill(child.pid, signal.SIGINT)
    interrupted = await ended(child)
    await start_worker(cloud.url)
    finished = await run(EXAMPLE, orders, str(results))

    assert (1, ["waiting: 5"]) == (in_vain.status, in_vain.out)
    assert "Nothing is lost." in in_vain.err
    assert (130, [], "") == (interrupted.status, interrupted.out, interrupted.err)
    assert (0, ["created: 5"]) == (finished.status, finished.out)
    assert 5 == len(cloud.state.services) == len(rows(results))


async def test_a_connection_that_is_lost_ends_it_at_once(
    start: Start, topology: None, broker: Broker, amqp_url: str, prefix: str, tmp_path: Path
) -> None:
    if not isinstance(broker, PrivateBroker):
        pytest.skip("only a broker of our own closes connections for us")
    child = await start(EXAMPLE, write_orders(tmp_path / "orders.csv", many(5)), str(tmp_path / "results.csv"))
    async with open_shop(amqp_url, prefix) as shop:
        await eventually(lambda: are_there(shop, 5), "the orders in the queue")
    await broker.ctl("close_all_connections", "for a test")
    said = await ended(child)

    assert said.status in {1, 3}
    assert "un this again" in said.err.splitlines()[-1]  # after what aiormq logs of it


async def test_a_row_that_was_cut_short_is_asked_for_again(
    run: Run, topology: None, cloud: Simulator, start_worker: StartWorker, tmp_path: Path
) -> None:
    await start_worker(cloud.url)
    orders, results = write_orders(tmp_path / "orders.csv", many(2)), tmp_path / "results.csv"
    results.write_text("order,outcome,service_id,status,error\r\norder-0,crea", encoding="utf-8")
    said = await run(EXAMPLE, orders, str(results))

    assert (0, ["created: 2"]) == (said.status, said.out)
    assert ["created", "created"] == [row["outcome"] for row in rows(results)]


async def test_every_wrong_order_is_told_with_its_line_and_none_is_sent(
    run: Run, shop: Shop, prefix: str, tmp_path: Path
) -> None:
    wrong = [("order-1", "router-1", "x" * 65), ("", "router-2", "b"), ("order-3", "", "c"), ("order-4", "r", "d")]
    orders = write_orders(tmp_path / "orders.csv", [*wrong, ("order-4", "r", "d")])
    said = await run(EXAMPLE, orders, str(tmp_path / "results.csv"))
    unnamed = await run(EXAMPLE, write_orders(tmp_path / "none.csv", [("1", "r")], "nr,router_id"), "results.csv")

    assert [
        "line 2: vpnservice.name: must be 1 to 64 characters, got 65",
        "line 3: id: is mandatory: without an id a repeated message could create a second service",
        "line 4: vpnservice.router_id: is mandatory: give the ID of the VPC router",
        "line 6: order order-4 stands on line 5 already",
        "Nothing was sent.",
    ] == said.err.splitlines()
    assert (2, []) == (said.status, said.out)
    assert (2, "line 2: id: is mandatory") == (unnamed.status, unnamed.err[:24])
    assert 0 == await shop.ready(f"{prefix}.requests.create")


async def test_without_rabbitmq_it_says_what_to_do(run: Run, tmp_path: Path) -> None:
    orders = write_orders(tmp_path / "orders.csv", many(1))
    said = await run(EXAMPLE, orders, str(tmp_path / "results.csv"), amqp_url=NOBODY)

    assert (3, []) == (said.status, said.out)
    assert "Set VPN_WORKER_AMQP_URL (`make run` shows one), run this again." in said.err
    assert "Traceback" not in said.err
