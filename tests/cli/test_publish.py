"""
`vpn-worker publish`: every way to give a request, and how its end is told.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.shop import Shop, order

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli
    from tests.e2e.conftest import StartWorker
    from worker.simulator import Simulator

WORK = "requests.create"


@pytest.fixture
def at(amqp_url: str, prefix: str) -> dict[str, Any]:
    """
    The settings that lead to the test's broker.
    """
    return {"amqp_url": amqp_url, "prefix": prefix}


async def test_flags_become_the_apis_body_and_nothing_else(shop: Shop, cli: Cli, at: dict[str, Any]) -> None:
    said = await cli(
        *("publish", "--router-id", "r-1", "--name", "myservice", "--id", "one", "--source", "/me"),
        *("--prepay-connection-num", "3", "--correlation-id", "c-1", "--expires-in-s", "60", "--follow", "active"),
        **at,
    )
    [sent] = await shop.taken(f"{shop.prefix}.{WORK}", 1)

    assert 0 == said.status
    assert {"id": "one", "source": "/me", "exchange": f"{shop.prefix}.requests"} == json.loads(said.out)
    assert {"vpnservice": {"router_id": "r-1", "name": "myservice", "prepay_connection_num": 3}} == sent.data
    assert ("one", "/me", "vpn.vpnservice.create.v1") == tuple(
        sent.headers[f"ce-{n}"] for n in ("id", "source", "type")
    )
    assert "c-1" == sent.properties.correlation_id
    assert "ce-expirytime" in sent.headers
    assert "active" == sent.headers["ce-follow"]
    assert 2 == sent.properties.delivery_mode


async def test_a_file_goes_out_byte_for_byte(shop: Shop, cli: Cli, at: dict[str, Any], folder: Path) -> None:
    body = b'{ "vpnservice":{"router_id":"r-1",\n"subnet_id":null} }'
    (folder / "order.json").write_bytes(body)
    first = await cli("publish", "order.json", **at)
    second = await cli("publish", "-", stdin=body, **at)

    assert (0, 0) == (first.status, second.status)
    assert [body, body] == [sent.body for sent in await shop.taken(f"{shop.prefix}.{WORK}", 2)]
    assert json.loads(first.out)["id"] != json.loads(second.out)["id"]


@pytest.mark.parametrize("mode", ["binary", "structured", "plain"])
async def test_every_mode_ends_as_created(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, cli: Cli, at: dict[str, Any], mode: str
) -> None:
    await start_worker(cloud.url)
    said = await cli("publish", "-", "--mode", mode, "--wait-s", "15", stdin=order("r-1"), **at)

    assert 0 == said.status
    assert json.loads(said.lines[0])["id"] == json.loads(said.lines[1])["request_id"]
    assert "vpn.vpnservice.created.v1" == json.loads(said.lines[1])["type"]
    assert list(cloud.state.services) == [json.loads(said.lines[1])["service_id"]]


async def test_an_outcome_other_than_created_is_status_one(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, cli: Cli, at: dict[str, Any]
) -> None:
    await start_worker(cloud.url)
    said = await cli("publish", "-", "--unchecked", "--wait-s", "15", stdin=b"[]", **at)

    assert 1 == said.status
    assert "vpn.vpnservice.create-rejected.v1" == json.loads(said.lines[1])["type"]


async def test_no_outcome_in_time_is_status_one_and_says_where_the_request_is(
    shop: Shop, cli: Cli, at: dict[str, Any]
) -> None:
    said = await cli("publish", "--router-id", "r-1", "--wait-s", "0.3", **at)

    assert 1 == said.status
    assert "No outcome within 0.3 s" in said.err
    assert 1 == await shop.ready(f"{shop.prefix}.{WORK}")


async def test_a_foreign_message_among_the_events_does_not_end_the_waiting(
    shop: Shop, cli: Cli, at: dict[str, Any]
) -> None:
    """
    Anybody may publish to the events exchange; a message that is no event of ours is none of our business.
    """
    await shop.with_channel(
        lambda channel: channel.queue_bind(f"{shop.prefix}.{WORK}", f"{shop.prefix}.events", "mirror")
    )
    await shop.with_channel(
        lambda channel: channel.exchange_bind(f"{shop.prefix}.events", f"{shop.prefix}.requests", "vpnservice.create")
    )
    said = await cli("publish", "--router-id", "r-1", "--wait-s", "1", **at)

    assert 1 == said.status
    assert "No outcome within 1 s" in said.err


async def test_an_invalid_request_is_not_sent_and_every_fault_is_listed(
    shop: Shop, cli: Cli, at: dict[str, Any]
) -> None:
    body = b'{"vpnservice": {"name": "", "admin_state_up": false, "project_id": "p"}}'
    said = await cli("publish", "-", stdin=body, **at)

    assert 2 == said.status
    assert "" == said.out
    for path in ("vpnservice.router_id", "vpnservice.name", "vpnservice.admin_state_up", "vpnservice.project_id"):
        assert f"  {path}: " in said.err
    assert 0 == await shop.ready(f"{shop.prefix}.{WORK}")


@pytest.mark.parametrize(
    "words",
    [
        ("publish",),
        ("publish", "-", "--router-id", "r"),
        ("publish", "missing.json"),
        ("publish", "."),
        ("publish", "--router-id", "r", "--id", ""),
        ("publish", "--router-id", "r", "--id", "a\nb"),
        ("publish", "--router-id", "r", "--source", "x" * 300),
        ("publish", "--router-id", "r", "--expires-in-s", "nan"),
        ("publish", "--router-id", "r", "--expires-in-s", "1e300"),
        ("publish", "--router-id", "r", "--correlation-id", "x" * 300),
        ("publish", "--router-id", "r", "--correlation-id", "x" * 300, "--unchecked"),
        ("publish", "--router-id", "r\udcff"),
        ("publish", "--router-id", "r", "--mode", "carrier-pigeon"),
        ("publish", "--router-id", "r", "--prepay-connection-num", "many"),
        ("publish", "--router-id", "r", "--prepay-connection-num", "9" * 30),
    ],
    ids=lambda words: " ".join(words[1:])[:40].encode("ascii", "backslashreplace").decode(),
)
async def test_wrong_use_is_status_two_and_one_clear_message(
    shop: Shop, cli: Cli, at: dict[str, Any], words: tuple[str, ...]
) -> None:
    said = await cli(*words, stdin=order(), **at)

    assert 2 == said.status
    assert said.err
    assert 0 == await shop.ready(f"{shop.prefix}.{WORK}")


@pytest.mark.parametrize("mode", ["binary", "structured"])
@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"[1]", b"\xff", b"7" * 10_000, b'{"a": NaN}'], ids=lambda b: repr(b[:9])
)
async def test_any_body_can_be_checked(shop: Shop, cli: Cli, at: dict[str, Any], body: bytes, mode: str) -> None:
    said = await cli("publish", "-", "--mode", mode, stdin=body, **at)

    assert 2 == said.status
    assert 0 == await shop.ready(f"{shop.prefix}.{WORK}")


async def test_an_unchecked_body_is_sent_as_it_is_in_structured_mode_too(
    shop: Shop, cli: Cli, at: dict[str, Any]
) -> None:
    said = await cli("publish", "-", "--mode", "structured", "--unchecked", stdin=b"[1, 2]", **at)
    [sent] = await shop.taken(f"{shop.prefix}.{WORK}", 1)

    assert 0 == said.status
    assert [1, 2] == sent.data["data"]


async def test_a_broker_without_our_queues_says_what_to_do(cli: Cli, at: dict[str, Any]) -> None:
    sent = await cli("publish", "--router-id", "r", **at)
    waited = await cli("publish", "--router-id", "r", "--wait-s", "1", **at)

    assert (3, 3) == (sent.status, waited.status)
    assert "vpn-worker topology apply" in sent.err
    assert "vpn-worker topology apply" in waited.err


async def test_a_broker_that_is_gone_is_status_three_without_the_password(cli: Cli) -> None:
    said = await cli("publish", "--router-id", "r", amqp_url="amqp://me:s3cret@127.0.0.1:1/")

    assert 3 == said.status
    assert 1 == len(said.err.splitlines())
    assert "s3cret" not in said.err
