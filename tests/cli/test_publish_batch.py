"""
`vpn-worker publish FILE...`: many orders, a real broker, a real worker.
"""

from __future__ import annotations

import asyncio
import json
import os
import pty
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import TIMEOUT_S
from tests.cli.order_files import orders_csv, result_rows
from tests.e2e.conftest import eventually, worker_environment
from tests.e2e.shop import Shop

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli
    from tests.e2e.conftest import StartCloud, StartWorker

WORK = "requests.create"


@pytest.fixture
def at(amqp_url: str, prefix: str) -> dict[str, Any]:
    """
    The settings that lead to the test's broker.
    """
    return {"amqp_url": amqp_url, "prefix": prefix}


async def test_every_format_and_several_files_become_one_batch(
    shop: Shop, cli: Cli, at: dict[str, Any], folder: Path
) -> None:
    orders_csv(folder, 2)
    (folder / "more.json").write_text('[\n{"id": "a", "vpnservice": {"router_id": "r-a"}, "follow": "active"}\n]')
    lines = b'{"order": "b", "router_id": "r-b", "correlation_id": "c-b"}\n{"order": "c", "router_id": "r-c"}\n'
    said = await cli("publish", "orders.csv", "more.json", "-", "--source", "/shop", stdin=lines, **at)
    sent = {message.headers["ce-id"]: message for message in await shop.taken(f"{shop.prefix}.{WORK}", 5)}

    assert (0, "5 orders published, each confirmed. --wait follows them to their outcomes.\n") == (
        said.status,
        said.out,
    )
    assert ["1000", "1001", "a", "b", "c"] == list(sent)
    assert {"vpnservice": {"router_id": "router-0", "name": "service 0"}} == sent["1000"].data
    assert {"/shop"} == {message.headers["ce-source"] for message in sent.values()}
    assert ("active", "c-b") == (sent["a"].headers["ce-follow"], sent["b"].properties.correlation_id)
    assert {2} == {message.properties.delivery_mode for message in sent.values()}


async def test_nothing_is_sent_if_anything_is_wrong_and_every_fault_has_its_line(
    shop: Shop, cli: Cli, at: dict[str, Any], folder: Path
) -> None:
    (folder / "o.csv").write_text("order,router_id,name\n1,r-1,fine\n2,,x\n1,r-1,other\n,r-4,y\n")
    said = await cli("publish", "o.csv", **at)
    listed = await cli("publish", "o.csv", "--json", **at)

    assert (2, "") == (said.status, said.out)
    for words in ("o.csv:3: router_id: is mandatory", "o.csv:4: id: ", "at o.csv:2", "o.csv:5: id: is mandatory"):
        assert words in said.err
    assert said.err.endswith("3 faults; nothing was sent.\n")
    assert (2, 3) == (listed.status, json.loads(listed.out)["fault_count"])
    assert {"file": "o.csv", "line": 3, "path": "router_id", "code": "missing"}.items() <= json.loads(listed.out)[
        "faults"
    ][0].items()
    assert 0 == await shop.ready(f"{shop.prefix}.{WORK}")


async def test_a_dry_run_needs_no_broker_and_sends_nothing(cli: Cli, folder: Path) -> None:
    orders_csv(folder, 3)
    nowhere: dict[str, Any] = {"amqp_url": "amqp://me@127.0.0.1:1/"}
    said = await cli("publish", "orders.csv", "--dry-run", **nowhere)
    one = await cli("publish", "--router-id", "r", "--dry-run", **nowhere)

    assert (0, "3 orders checked, nothing is wrong; nothing was sent.\n") == (said.status, said.out)
    assert (0, False) == (one.status, json.loads(one.out)["sent"])


@pytest.mark.parametrize(
    "words",
    [
        ("orders.csv", "--id", "x"),
        ("orders.csv", "--format", "csv", "--unchecked"),
        ("orders.csv", "--result", "r.txt"),
        ("orders.csv", "--result", "missing/r.csv"),
        ("orders.csv", "missing.csv"),
        ("orders.csv", "."),
        ("orders.csv", "--source", "x" * 300),
        ("orders.csv", "--correlation-id", "a\nb"),
        ("orders.csv", "--expires-in-s", "nan"),
        ("orders.csv", "--wait-s", "0"),
        ("orders.csv", "--id-from", "number"),
        ("orders.csv", "--router-id", "r"),
        ("--router-id", "r", "--result", "r.csv"),
        ("orders.csv", "--format", "xml"),
    ],
    ids=lambda words: " ".join(words)[:40],
)
async def test_wrong_use_of_a_batch_is_status_two(
    shop: Shop, cli: Cli, at: dict[str, Any], folder: Path, words: tuple[str, ...]
) -> None:
    orders_csv(folder, 1)
    said = await cli("publish", *words, **at)

    assert (2, "") == (said.status, said.out)
    assert said.err
    assert 0 == await shop.ready(f"{shop.prefix}.{WORK}")


async def test_a_broker_that_is_not_ready_is_status_three(cli: Cli, at: dict[str, Any], folder: Path) -> None:
    orders_csv(folder, 300)
    gone = await cli("publish", "orders.csv", amqp_url="amqp://me:s3cret@127.0.0.1:1/")
    empty = await cli("publish", "orders.csv", **at)
    waited = await cli("publish", "orders.csv", "--wait", "--result", "r.csv", **at)

    assert (3, 3, 3) == (gone.status, empty.status, waited.status)
    assert "0 of 300 orders are confirmed" in gone.err
    assert "s3cret" not in gone.err
    assert "vpn-worker topology apply" in empty.err
    assert "vpn-worker topology apply" in waited.err
    assert {"waiting"} == {row["status"] for row in result_rows(folder / "r.csv")}


async def test_outcomes_of_every_kind_are_followed_and_written_down(
    shop: Shop, cli: Cli, at: dict[str, Any], folder: Path, start_cloud: StartCloud, start_worker: StartWorker
) -> None:
    cloud = await start_cloud(services_per_vpc=1)
    await start_worker(cloud.url)
    rows = [
        {"order": "=1", "router_id": "r-1"},
        {"order": "2", "router_id": "r-1"},  # a second one on the same VPC is refused
        {"order": "3", "router_id": "r-3", "expires_at": "2020-01-01T00:00:00Z"},
        {"order": "4", "router_id": "r-4"},
        {"order": "4", "router_id": "r-4"},
    ]
    text = "\n".join(json.dumps(row) for row in rows).encode()
    first = await cli("publish", "-", "--result", "r.csv", "--wait-s", "15", "--json", stdin=text, **at)
    # Under its id another order: the worker refuses it, and says why.
    text = text.replace(b"r-3", b"r-5")
    second = await cli("publish", "-", "--result", "r.jsonl", "--wait-s", "15", stdin=text, **at)
    found, again = result_rows(folder / "r.csv"), result_rows(folder / "r.jsonl")

    assert (1, 1) == (first.status, second.status)
    told = json.loads(first.out)
    assert (4, 4, 1, 2, 2, "done") == tuple(
        told[name] for name in ("orders", "confirmed", "repeats", "created", "failed", "end")
    )
    assert "-:5: repeats -:4 (4) word for word" in first.err
    assert ["'=1", "2", "3", "4"] == [row["id"] for row in found]
    assert ["created", "failed", "failed", "created"] == [row["status"] for row in found]
    assert {service.id for service in cloud.state.services.values()} == {
        row["service_id"] for row in found if row["status"] == "created"
    }
    assert all(row["error_code"] and row["error_message"] for row in found if row["status"] == "failed")
    assert ["created", "failed", "rejected", "created"] == [row["status"] for row in again]
    assert [row["service_id"] or None for row in found] == [row["service_id"] for row in again]
    assert "4 orders: 2 created, 1 failed, 1 rejected.\n" == second.out
    assert 2 == len(cloud.state.services)


async def test_no_worker_in_time_is_status_one_and_the_orders_wait(
    shop: Shop, cli: Cli, at: dict[str, Any], folder: Path
) -> None:
    orders_csv(folder, 3)
    said = await cli("publish", "orders.csv", "--wait-s", "0.3", "--result", "r.jsonl", **at)

    assert (1, "3 orders: 3 waiting.\n") == (said.status, said.out)
    assert "is a worker running?" in said.err
    assert ["waiting"] * 3 == [row["status"] for row in result_rows(folder / "r.jsonl")]
    assert 3 == await shop.ready(f"{shop.prefix}.{WORK}")


async def test_at_a_terminal_there_is_a_bar(
    shop: Shop, at: dict[str, Any], folder: Path, start_cloud: StartCloud, start_worker: StartWorker
) -> None:
    cloud = await start_cloud(services_per_vpc=0)
    await start_worker(cloud.url)
    orders_csv(folder, 50)
    ours, theirs = pty.openpty()
    seen = bytearray()
    loop = asyncio.get_running_loop()
    loop.add_reader(ours, lambda: seen.extend(os.read(ours, 65_536)))
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "worker", "publish", "orders.csv", "--wait"),
            cwd=folder,
            env=worker_environment(at) | {"TERM": "xterm", "COLUMNS": "100"},
            stdout=asyncio.subprocess.PIPE,
            stderr=theirs,
        )
        out, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
        await eventually(lambda: b"confirmed" in seen, "bar")
    finally:
        loop.remove_reader(ours)
        os.close(ours)
        os.close(theirs)

    assert (0, b"50 orders: 50 created.\n") == (process.returncode, out)
    assert b"50/50" in seen or b"0/50" in seen
