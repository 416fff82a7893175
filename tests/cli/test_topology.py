"""
`vpn-worker topology`: what would be declared, what differs, what was created.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from messages.routes import RUNGS, Routes
from tests.broker.conftest import channel_to
from worker.broker.comparing import REMEDIES, Standing
from worker.broker.topology import topology

if TYPE_CHECKING:
    from tests.cli.conftest import Cli
    from tests.full_broker import FullBroker

COUNT = 5 + (3 + len(RUNGS)) * 2


def rows(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


async def test_the_plan_needs_no_broker_and_has_every_argument(cli: Cli) -> None:
    nowhere = {"amqp_url": "amqp://guest:guest@127.0.0.1:1/", "prefix": "shop"}
    told = await cli("topology", "plan", "--json", **nowhere)  # type: ignore[arg-type]
    read = await cli("topology", "plan", **nowhere)  # type: ignore[arg-type]

    assert (0, "") == (told.status, told.err)
    arguments = {row["name"]: row["arguments"] for row in rows(told.out) if row["kind"] == "queue"}
    assert {queue.name: queue.arguments for queue in topology(Routes("shop")).queues} == arguments
    assert COUNT == len(told.lines)
    assert 0 == read.status
    assert "queue shop.retry.2m (durable)\n" in read.out
    assert "    x-message-ttl = 120000\n" in read.out
    assert "binding shop.retry -> shop.retry.2m [2m]\n" in read.out


async def test_the_plan_as_json_is_what_rabbitmq_calls_definitions(
    cli: Cli, full_node: FullBroker, tmp_path: Any
) -> None:
    """
    Who keeps definitions in files can take it from there: imported, nothing is left to apply.
    """
    prefix = "imported"
    told = await cli("topology", "plan", "--json", prefix=prefix)
    kinds: dict[str, list[dict[str, Any]]] = {"exchanges": [], "queues": [], "bindings": []}
    for row in rows(told.out):
        kinds[f"{row.pop('kind')}s"].append({**row, "vhost": "/"})
    file = tmp_path / "definitions.json"
    file.write_text(json.dumps(kinds))
    await full_node.ctl("import_definitions", str(file))
    said = await cli(
        *("topology", "diff"), amqp_url=full_node.amqp_url, management_url=full_node.management_url, prefix=prefix
    )

    assert COUNT == said.out.count(": in order\n"), said.out


@pytest.mark.parametrize("is_managed", [False, True], ids=["amqp", "management"])
async def test_diff_ends_with_what_is_worst(cli: Cli, full_node: FullBroker, is_managed: bool) -> None:
    prefix = f"diff{is_managed:d}"
    given: dict[str, Any] = {"amqp_url": full_node.amqp_url, "prefix": prefix}
    if is_managed:
        given["management_url"] = full_node.management_url

    empty = await cli("topology", "diff", **given)
    assert 1 == empty.status
    assert REMEDIES[Standing.MISSING] in empty.err
    assert COUNT == empty.out.count(": missing\n")

    await cli("topology", "apply", **given)
    good = await cli("topology", "diff", **given)
    assert 0 == good.status
    assert is_managed == (good.err == "")

    with channel_to(full_node.amqp_url) as channel:
        channel.queue_delete(f"{prefix}.retry.5s")
        channel.queue_delete(f"{prefix}.dead")
        channel.queue_declare(f"{prefix}.dead", durable=True, arguments={"x-queue-type": "quorum"})
    both = await cli("topology", "diff", "--json", **given)
    assert 4 == both.status
    assert [REMEDIES[Standing.DIFFERS], REMEDIES[Standing.MISSING]] == both.err.splitlines()[:2]
    by_name = {row["name"]: row for row in rows(both.out) if row["kind"] == "queue"}
    assert "missing" == by_name[f"{prefix}.retry.5s"]["standing"]
    assert ("differs", "x-delivery-limit") == (
        by_name[f"{prefix}.dead"]["standing"],
        by_name[f"{prefix}.dead"]["differences"][0]["argument"],
    )


async def test_a_management_api_that_does_not_answer_is_one_line_without_its_password(
    cli: Cli, amqp_url: str, prefix: str
) -> None:
    said = await cli(
        "topology", "diff", "--management-url", "http://me:s3cret@127.0.0.1:1", amqp_url=amqp_url, prefix=prefix
    )

    assert 3 == said.status
    assert "management API at 127.0.0.1:1 does not answer" in said.err
    assert "s3cret" not in said.err
    assert 1 == len(said.err.splitlines())
