"""
What the broker has beside what it should have: over AMQP alone, and with the management API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from messages.routes import RUNGS, Routes
from tests.broker.conftest import channel_to
from worker.broker.comparing import Compared, Standing, compare_topology
from worker.broker.management import ManagementUnusable
from worker.broker.topology import apply_topology

if TYPE_CHECKING:
    from pika.adapters.blocking_connection import BlockingChannel

    from tests.full_broker import FullBroker

BINDINGS = 3 + len(RUNGS)


@pytest.fixture
def amqp_url(full_node: FullBroker) -> str:
    """
    All tests here are on the node with the management API.
    """
    return full_node.amqp_url


async def with_both(node: FullBroker, prefix: str) -> tuple[dict[str, Compared], dict[str, Compared]]:
    """
    What is seen over AMQP alone, and what with the management API.
    """
    over_amqp = await compare_topology(node.amqp_url, Routes(prefix))
    managed = await compare_topology(node.amqp_url, Routes(prefix), node.management_url)
    return by_name(over_amqp), by_name(managed)


def by_name(compared: tuple[Compared, ...]) -> dict[str, Compared]:
    return {str(one.thing): one for one in compared}


def standings(compared: dict[str, Compared]) -> dict[Standing, int]:
    found = [one.standing for one in compared.values()]
    return {standing: found.count(standing) for standing in set(found)}


def declare(channel: BlockingChannel, queue: str, **arguments: object) -> None:
    """
    A quorum queue that is not ours.
    """
    given = {f"x-{name.replace('_', '-')}": value for name, value in arguments.items()}
    channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"} | given)


async def test_what_apply_made_is_in_order(full_node: FullBroker, prefix: str) -> None:
    await apply_topology(full_node.amqp_url, Routes(prefix))
    over_amqp, managed = await with_both(full_node, prefix)

    assert {Standing.IN_ORDER: 13, Standing.UNSEEN: BINDINGS} == standings(over_amqp)
    assert {Standing.IN_ORDER: 13 + BINDINGS} == standings(managed)


async def test_where_nothing_is_everything_is_missing_and_looking_makes_nothing(
    full_node: FullBroker, prefix: str
) -> None:
    for _ in range(2):
        over_amqp, managed = await with_both(full_node, prefix)

        assert {Standing.MISSING: 13 + BINDINGS} == standings(over_amqp) == standings(managed)


async def test_an_argument_that_differs_is_named_with_both_values(full_node: FullBroker, prefix: str) -> None:
    with channel_to(full_node.amqp_url) as channel:
        declare(channel, f"{prefix}.dead", delivery_limit=20)
        declare(channel, f"{prefix}.retry.2m", message_ttl=120_000)
        channel.exchange_declare(f"{prefix}.events", "topic", durable=True)
        channel.exchange_declare(f"{prefix}.retry", "topic", durable=True)
    over_amqp, managed = await with_both(full_node, prefix)

    for seen in (over_amqp, managed):
        assert ["x-delivery-limit is 20, ours is 1000000"] == [
            str(one) for one in seen[f"queue {prefix}.dead"].differences
        ]
        assert ["type is topic, ours is direct"] == [str(one) for one in seen[f"exchange {prefix}.retry"].differences]
        assert [f"alternate-exchange is not set, ours is {prefix}.unrouted"] == [
            str(one) for one in seen[f"exchange {prefix}.events"].differences
        ]
        assert Standing.DIFFERS is seen[f"queue {prefix}.retry.2m"].standing
    # RabbitMQ names the first alone.
    assert 1 == len(over_amqp[f"queue {prefix}.retry.2m"].differences)
    assert {"x-dead-letter-exchange", "x-dead-letter-routing-key", "x-dead-letter-strategy", "x-overflow"} == {
        one.argument for one in managed[f"queue {prefix}.retry.2m"].differences
    }


async def test_an_argument_too_many_differs_as_well(full_node: FullBroker, prefix: str) -> None:
    with channel_to(full_node.amqp_url) as channel:
        declare(channel, f"{prefix}.dead", delivery_limit=1_000_000, max_length=5)
    over_amqp, managed = await with_both(full_node, prefix)

    for seen in (over_amqp, managed):
        assert ["x-max-length is 5, ours is not set"] == [str(one) for one in seen[f"queue {prefix}.dead"].differences]


async def test_a_queue_that_another_connection_has_for_itself_differs(full_node: FullBroker, prefix: str) -> None:
    with channel_to(full_node.amqp_url) as channel:
        channel.queue_declare(f"{prefix}.dead", exclusive=True)
        over_amqp, managed = await with_both(full_node, prefix)

    assert Standing.DIFFERS is over_amqp[f"queue {prefix}.dead"].standing
    assert "exclusive" in over_amqp[f"queue {prefix}.dead"].words
    assert Standing.DIFFERS is managed[f"queue {prefix}.dead"].standing


async def test_bindings_are_told_by_the_management_api(full_node: FullBroker, prefix: str) -> None:
    await apply_topology(full_node.amqp_url, Routes(prefix))
    with channel_to(full_node.amqp_url) as channel:
        channel.queue_unbind(f"{prefix}.retry.5s", f"{prefix}.retry", "5s")
        channel.queue_bind(f"{prefix}.retry.5s", f"{prefix}.retry", "five")
        reader = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(reader, f"{prefix}.events", "#")  # nobody's business but its reader's
        over_amqp, managed = await with_both(full_node, prefix)

    assert Standing.UNSEEN is over_amqp[f"binding {prefix}.retry -> {prefix}.retry.5s [5s]"].standing
    assert Standing.MISSING is managed[f"binding {prefix}.retry -> {prefix}.retry.5s [5s]"].standing
    assert {f"binding {prefix}.retry -> {prefix}.retry.5s [five]"} == {
        name for name, one in managed.items() if one.standing is Standing.EXTRA
    }


async def test_who_may_not_configure_sees_what_is_there_and_that_it_was_not_compared(
    full_node: FullBroker, prefix: str
) -> None:
    await apply_topology(full_node.amqp_url, Routes(prefix))
    url = await full_node.add_user(f"weak-{prefix}", "^$", "^$", "^$")
    with channel_to(full_node.amqp_url) as channel:
        channel.queue_delete(f"{prefix}.retry.5s")
    seen = by_name(await compare_topology(url, Routes(prefix)))

    assert Standing.MISSING is seen[f"queue {prefix}.retry.5s"].standing
    assert Standing.UNSEEN is seen[f"queue {prefix}.dead"].standing
    assert "may not declare" in seen[f"queue {prefix}.dead"].words


async def test_a_user_of_the_management_api_needs_no_permissions_but_the_tag(
    full_node: FullBroker, prefix: str
) -> None:
    await apply_topology(full_node.amqp_url, Routes(prefix))
    name = f"look-{prefix}"
    await full_node.add_user(name, "^$", "^$", "^$")
    management_url = f"http://{name}:{name}@127.0.0.1:{full_node.management_port}"

    with pytest.raises(ManagementUnusable, match="the user needs the tag management"):
        await compare_topology(full_node.amqp_url, Routes(prefix), management_url)
    await full_node.ctl("set_user_tags", name, "management")
    assert {Standing.IN_ORDER: 13 + BINDINGS} == standings(
        by_name(await compare_topology(full_node.amqp_url, Routes(prefix), management_url))
    )


@pytest.mark.parametrize("wrong", ["port", "password", "amqp"])
async def test_a_management_api_that_is_none_is_told_without_its_password(
    full_node: FullBroker, prefix: str, wrong: str
) -> None:
    port = {"port": 1, "password": full_node.management_port, "amqp": full_node.port}[wrong]
    with pytest.raises(ManagementUnusable) as told:
        await compare_topology(full_node.amqp_url, Routes(prefix), f"http://guest:s3cret@127.0.0.1:{port}/")

    assert f"127.0.0.1:{port}" in str(told.value)
    assert "s3cret" not in str(told.value)
    assert 1 == len(str(told.value).splitlines())
