"""
What a look at the broker finds, as an operator reads it: faults with their remedy, and never a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from yarl import URL

from messages.routes import RUNGS, Routes
from tests.broker.conftest import alarm, channel_to
from tests.e2e.conftest import eventually
from worker.broker.comparing import REMEDIES, Standing
from worker.broker.inspecting import _tls_finding, _version_finding, inspect_broker
from worker.broker.topology import apply_topology
from worker.broker.versions import Server
from worker.ports import Finding, State

if TYPE_CHECKING:
    from tests.full_broker import FullBroker

THINGS = 5 + 3 + len(RUNGS)


@pytest.fixture
def amqp_url(full_node: FullBroker) -> str:
    """
    All tests here are on the node with the management API.
    """
    return full_node.amqp_url


@pytest.fixture
async def there(amqp_url: str, prefix: str) -> Routes:
    """
    Our exchanges and queues.
    """
    await apply_topology(amqp_url, Routes(prefix))
    return Routes(prefix)


async def looked(amqp_url: str, routes: Routes, management_url: str | None = None) -> dict[str, Finding]:
    """
    The findings by their subjects; with what holds for each of them.
    """
    found = await inspect_broker(amqp_url, routes, management_url)
    for one in found:
        assert one.words
        assert one.state is State.OK or one.remedy
        assert "guest:" not in one.words + one.remedy
        assert 1 == len(one.words.splitlines())
    subjects = {one.subject: one for one in found}
    assert len(found) == len(subjects)
    return subjects


def troubles(found: dict[str, Finding]) -> dict[str, State]:
    return {subject: one.state for subject, one in found.items() if one.state is not State.OK}


async def test_a_broker_with_everything_is_well(full_node: FullBroker, there: Routes) -> None:
    found = await looked(full_node.amqp_url, there, full_node.management_url)

    assert {} == troubles(found)
    assert "has all that the worker needs" in found["RabbitMQ version"].words
    assert "0 consumers, 0 requests" in found["workers"].words
    assert THINGS + 3 + len(RUNGS) == len([name for name in found if name.startswith(("exchange", "queue", "binding"))])


async def test_over_amqp_alone_bindings_are_not_seen(full_node: FullBroker, there: Routes) -> None:
    assert {"bindings": State.UNSEEN} == troubles(await looked(full_node.amqp_url, there))


async def test_what_is_missing_or_wrong_is_a_fault(full_node: FullBroker, there: Routes) -> None:
    with channel_to(full_node.amqp_url) as channel:
        channel.queue_delete(there.dead_queue)
        channel.queue_delete(f"{there.prefix}.retry.5s")
        channel.queue_declare(there.dead_queue, durable=True, arguments={"x-queue-type": "quorum", "x-max-length": 5})
    found = await looked(full_node.amqp_url, there, full_node.management_url)

    assert {
        f"queue {there.dead_queue}": State.FAULT,
        f"queue {there.prefix}.retry.5s": State.FAULT,
        f"binding {there.dead_exchange} -> {there.dead_queue} []": State.FAULT,
        f"binding {there.retry_exchange} -> {there.prefix}.retry.5s [5s]": State.FAULT,
    } == troubles(found)
    assert "x-max-length is 5, ours is not set" in found[f"queue {there.dead_queue}"].words
    assert REMEDIES[Standing.DIFFERS] == found[f"queue {there.dead_queue}"].remedy
    assert REMEDIES[Standing.MISSING] == found[f"queue {there.prefix}.retry.5s"].remedy


async def test_a_policy_that_breaks_promises_is_told_once_for_all_its_queues(
    full_node: FullBroker, there: Routes
) -> None:
    name, pattern = f"short-{there.prefix}", rf"^{there.prefix}\."
    await full_node.ctl("set_policy", "--apply-to", "queues", name, pattern, '{"message-ttl":1000,"expires":9000000}')
    try:

        async def is_told() -> bool:
            found = await inspect_broker(full_node.amqp_url, there, full_node.management_url)
            return any(one.subject == f"policy {name}" for one in found)

        # The management API learns of it with its next look at the queues, each 5 s.
        await eventually(is_told, "policy", 20)
        found = await inspect_broker(full_node.amqp_url, there, full_node.management_url)
    finally:
        await full_node.ctl("clear_policy", name)
    told = [one for one in found if one.subject == f"policy {name}"]

    assert {State.FAULT, State.WARNING} == {one.state for one in told}
    [vanishing] = [one for one in told if "expires" in one.words]
    assert there.requests_queue in vanishing.words
    assert there.dead_queue in vanishing.words
    assert all("leave" in one.remedy for one in told)


async def test_an_alarm_is_a_fault_and_is_named_with_the_management_api(full_node: FullBroker, there: Routes) -> None:
    async with alarm(full_node):
        found = await looked(full_node.amqp_url, there, full_node.management_url)

    assert State.FAULT is found["alarms"].state
    assert "short of memory or disk" in found["alarms"].words
    assert "memory at" in found["alarms of the cluster"].words


async def test_a_management_api_that_cannot_be_used_leaves_the_rest_as_it_is(
    full_node: FullBroker, there: Routes
) -> None:
    found = await looked(full_node.amqp_url, there, "http://guest:s3cret@127.0.0.1:1")

    assert {"management API": State.UNSEEN, "bindings": State.UNSEEN} == troubles(found)
    assert "s3cret" not in found["management API"].words


async def test_what_waits_for_a_person_is_told(full_node: FullBroker, there: Routes) -> None:
    with channel_to(full_node.amqp_url) as channel:
        channel.basic_publish(there.dead_exchange, "rejected", b"{}")
        channel.basic_publish(there.events_exchange, "vpnservice.created", b"{}")

    async def is_told() -> bool:
        found = await looked(full_node.amqp_url, there, full_node.management_url)
        return {"dead letters", "unrouted events"} <= set(found)

    await eventually(is_told, "counts", 20)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("amqp://guest:s3cret@127.0.0.1:{port}/", "refused the login"),
        ("amqp://guest:guest@127.0.0.1:{port}/nowhere", "no virtual host 'nowhere'"),
        ("amqp://guest:s3cret@127.0.0.1:1/", "does not answer"),
    ],
)
async def test_a_broker_that_cannot_be_reached_is_one_fault(full_node: FullBroker, url: str, words: str) -> None:
    found = await inspect_broker(url.format(port=full_node.port), Routes("vpn"), full_node.management_url)

    assert ["RabbitMQ"] == [one.subject for one in found]
    assert State.FAULT is found[0].state
    assert words in found[0].words
    assert "s3cret" not in found[0].words


async def test_a_broker_that_takes_too_long_is_a_fault(full_node: FullBroker, there: Routes) -> None:
    found = await inspect_broker(full_node.amqp_url, there, limit_s=0.001)

    assert State.FAULT is found[-1].state
    assert "did not answer all questions within 0.001 s" in found[-1].words


async def test_what_was_found_before_the_trouble_is_told(full_node: FullBroker, there: Routes) -> None:
    """
    A user with one connection alone, as some clouds have it, cannot be looked at further.
    """
    name = f"one-{there.prefix}"
    url = await full_node.add_user(name, "^$", ".*", ".*")
    await full_node.ctl("set_user_limits", name, '{"max-connections": 1}')
    found = await inspect_broker(url, there)

    assert ("RabbitMQ", State.OK) == (found[0].subject, found[0].state)
    assert ("a further connection to RabbitMQ", State.FAULT) == (found[-1].subject, found[-1].state)


async def test_a_heart_that_never_beats_is_worth_a_word(full_node: FullBroker, there: Routes) -> None:
    found = await looked(f"{full_node.amqp_url}?heartbeat=0", there, full_node.management_url)

    assert {"heartbeat": State.WARNING} == troubles(found)


@pytest.mark.parametrize(
    ("server", "state", "words"),
    [
        (Server("RabbitMQ", "3.9.13"), State.FAULT, "loses messages"),
        (Server("RabbitMQ", "3.13.7"), State.OK, "has all that the worker needs"),
        (Server("RabbitMQ", "4.2.0"), State.OK, "one of 20 (ours have their own)"),
        (Server("LavinMQ", "2.1.0"), State.WARNING, "This is LavinMQ 2.1.0"),
    ],
    ids=str,
)
def test_a_version_says_what_it_means(server: Server, state: State, words: str) -> None:
    finding = _version_finding(server)

    assert state is finding.state
    assert words in finding.words


def test_a_way_that_others_can_read_is_worth_a_word() -> None:
    assert State.WARNING is _tls_finding(URL("amqp://me:secret@broker.example.com/")).state
    assert State.OK is _tls_finding(URL("amqp://me:secret@127.0.0.1/")).state
    assert State.OK is _tls_finding(URL("amqps://me:secret@broker.example.com/")).state
