"""
Questions to the broker that change nothing: what our user may do, and whether publishing works.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from messages.routes import Routes
from tests.broker.conftest import alarm, ask, counts
from worker.broker.connection import connected
from worker.broker.probing import Flow, Permission, flow_to, may_read, may_reply, may_write
from worker.broker.topology import apply_topology, topology

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.full_broker import FullBroker
    from worker.sandbox.node import PrivateBroker


@pytest.fixture
def amqp_url(full_node: FullBroker) -> str:
    """
    All tests here are on the node that takes new users.
    """
    return full_node.amqp_url


@pytest.fixture
async def there(amqp_url: str, prefix: str) -> AsyncIterator[Routes]:
    """
    Our exchanges and queues, with a request waiting; each probe leaves them as they were.
    """
    routes = Routes(prefix)
    await apply_topology(amqp_url, routes)
    ask(amqp_url, routes, b"{}")
    yield routes
    found = {queue.name: counts(amqp_url, queue.name) for queue in topology(routes).queues}

    assert {name: (int(name == routes.requests_queue), 0) for name in found} == found


@pytest.mark.parametrize(
    ("read", "expected"),
    [("^$", Permission.REFUSED), ("{prefix}.requests.create", Permission.GRANTED), (".*", Permission.GRANTED)],
)
async def test_reading_is_asked_for_and_nothing_is_taken(
    full_node: FullBroker, there: Routes, read: str, expected: Permission
) -> None:
    url = await full_node.add_user(f"read-{there.prefix}", "^$", "^$", read.format(prefix=there.prefix))
    async with connected(url, "test") as connection:
        for _ in range(3):
            assert expected is await may_read(connection, there.requests_queue)


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        ("^$", {"events": Permission.REFUSED, "dead": Permission.REFUSED}),
        (r"^{prefix}\.dead$", {"events": Permission.REFUSED, "dead": Permission.GRANTED}),
        (".*", {"events": Permission.GRANTED, "dead": Permission.GRANTED}),
    ],
    ids=["none", "one", "all"],
)
async def test_writing_is_asked_for_and_nothing_is_published(
    full_node: FullBroker, there: Routes, write: str, expected: dict[str, Permission]
) -> None:
    name, read = f"write-{there.prefix}", f"^{there.requests_queue}$"
    url = await full_node.add_user(name, "^$", write.format(prefix=there.prefix), read)
    async with connected(url, "test") as connection:
        found = {
            exchange: await may_write(connection, f"{there.prefix}.{exchange}", there.requests_queue)
            for exchange in expected
        }

    assert expected == found


async def test_what_is_not_there_is_permitted_all_the_same(full_node: FullBroker, prefix: str) -> None:
    async with connected(full_node.amqp_url, "test") as connection:
        assert Permission.GRANTED is await may_read(connection, f"{prefix}.none")
        assert Permission.GRANTED is await may_write(connection, f"{prefix}.none", f"{prefix}.no")


@pytest.mark.parametrize(("write", "expected"), [("^$", Permission.REFUSED), ("^amq.default$", Permission.GRANTED)])
async def test_replying_is_asked_for(full_node: FullBroker, prefix: str, write: str, expected: Permission) -> None:
    url = await full_node.add_user(f"reply-{prefix}", "^$", write, "^$")

    assert expected is await may_reply(url)


async def test_a_publish_that_is_answered_shows_that_there_is_no_alarm(amqp_url: str, there: Routes) -> None:
    assert Flow.FREE is await flow_to(amqp_url, there.retry_exchange)


async def test_where_nothing_may_be_published_nobody_knows(full_node: FullBroker, there: Routes) -> None:
    url = await full_node.add_user(f"flow-{there.prefix}", "^$", "^$", "^$")

    assert Flow.UNKNOWN is await flow_to(url, there.retry_exchange)
    assert Flow.UNKNOWN is await flow_to(full_node.amqp_url, f"{there.prefix}.none")


async def test_an_alarm_is_known_over_amqp_alone(node: PrivateBroker, node_routes: Routes) -> None:
    async with alarm(node):
        assert Flow.BLOCKED is await flow_to(node.amqp_url, node_routes.retry_exchange)
    assert Flow.FREE is await flow_to(node.amqp_url, node_routes.retry_exchange)
