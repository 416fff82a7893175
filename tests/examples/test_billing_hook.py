"""
The billing hook as a process: each service is counted once, whatever is repeated and whoever dies.
"""

from __future__ import annotations

import runpy
import signal
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pika
import pytest

from messages import ReceivedEvent, VpnServiceCreated, VpnServiceCreateInDoubt, VpnServiceEvent
from messages.events import encode_event, event_id, routing_key
from messages.examples import example_events
from tests.cli.conftest import cli, folder
from tests.e2e.conftest import eventually, unacked
from tests.e2e.shop import binary, order
from tests.examples.conftest import EXAMPLES, NOBODY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from tests.cli.conftest import Cli
    from tests.e2e.conftest import StartWorker
    from tests.e2e.shop import Shop
    from tests.examples.conftest import Run, Start
    from worker.sandbox.processes import Child
    from worker.simulator import Simulator

__all__ = ["cli", "folder", "unacked"]  # fixtures of others, wanted here too

EXAMPLE = "billing_hook.py"
CREATED, IN_DOUBT = example_events()[0], example_events()[4]
STARTED_S = 20.0
#: The example, killed in the very moment between its commit and its ack.
DIES_BEFORE_ACK = f"""
import os, runpy, signal
from pika.adapters.blocking_connection import BlockingChannel
BlockingChannel.basic_ack = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
runpy.run_path({str(EXAMPLES / EXAMPLE)!r}, run_name="__main__")
"""


@dataclass(frozen=True)
class Books:
    """
    The hook's database and queue.
    """

    file: Path
    queue: str
    start: Start

    async def hook(self, example: str = EXAMPLE, queue: str | None = None) -> Child:
        """
        Starts a hook; returns when its queue is there.
        """
        child = await self.start(example, str(self.file), "--queue", queue or self.queue)
        await child.ready_line("counting", STARTED_S)
        return child

    def counted(self) -> list[str]:
        """
        The services in the books.
        """
        database = sqlite3.connect(self.file)
        try:
            return [row[0] for row in database.execute("SELECT service_id FROM services ORDER BY service_id")]
        finally:
            database.close()


@pytest.fixture
def books(topology: None, start: Start, queues: list[str], tmp_path: Path) -> Books:
    """
    The first of the queues is the hook's.
    """
    return Books(tmp_path / "billing.sqlite3", queues[0], start)


def told(number: int, kind: VpnServiceEvent = CREATED) -> tuple[str, bytes, pika.BasicProperties]:
    """
    Routing key, body and properties of an event about one of many requests, as the worker publishes it.
    """
    service = f"service-{number:03}"
    has_service = isinstance(kind, VpnServiceCreated)
    event = kind.model_copy(
        update={"request_id": f"order-{number}", "service_id": service if has_service else kind.service_id}
    )
    envelope = encode_event(
        event,
        id=event_id("/shop", event.request_id, event.type),
        source="vpn-worker",
        subject=event.service_id,
        correlation_id=event.request_id,
        extensions={},
    )
    headers: dict[str, Any] = dict(envelope.headers)
    properties = pika.BasicProperties(headers=headers, content_type=envelope.content_type, delivery_mode=2)
    return routing_key(event), envelope.body, properties


async def tell(shop: Shop, events: Iterable[tuple[str, bytes, pika.BasicProperties]]) -> None:
    """
    Publishes events as the worker would; returns when each is confirmed.
    """

    def publish(channel: Any) -> None:
        for key, body, properties in events:
            channel.basic_publish(f"{shop.prefix}.events", key, body, properties)

    await shop.with_channel(publish)


async def test_the_same_event_many_times_is_one_service(books: Books, shop: Shop) -> None:
    hook = await books.hook()
    await tell(shop, [told(1)] * 5 + [told(2)])
    await eventually(lambda: len(hook.lines) == 7, "six events")

    assert ["counted service-001", *["known service-001"] * 4, "counted service-002"] == hook.lines[1:]
    assert ["service-001", "service-002"] == books.counted()


async def test_a_hook_that_is_killed_between_commit_and_ack_counts_once(
    books: Books, shop: Shop, tmp_path: Path
) -> None:
    dying = tmp_path / "dies_before_ack.py"
    dying.write_text(DIES_BEFORE_ACK, encoding="utf-8")
    first = await books.hook(str(dying))
    await tell(shop, [told(1)])
    assert -signal.SIGKILL == await first.wait()
    assert ["service-001"] == books.counted()
    second = await books.hook(str(dying))  # it gets the event again, and dies again
    assert -signal.SIGKILL == await second.wait()
    third = await books.hook()
    await third.ready_line("known service-001", STARTED_S)

    assert ["service-001"] == books.counted()
    await eventually(lambda: nothing_waits(shop, books.queue), "an empty queue")


async def test_a_hook_that_is_killed_before_its_commit_gets_the_event_again(
    books: Books, shop: Shop, unacked: Callable[[], Awaitable[int]]
) -> None:
    first = await books.hook()
    other = sqlite3.connect(books.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # the hook cannot write for as long
    await tell(shop, [told(1)])

    async def holds_it() -> bool:
        return await unacked() == 1

    await eventually(holds_it, "an event at the hook")
    await first.kill()
    other.execute("ROLLBACK")
    other.close()
    assert [] == books.counted()
    second = await books.hook()
    await second.ready_line("counted service-001", STARTED_S)

    assert ["service-001"] == books.counted()


async def test_two_hooks_at_once_that_are_killed_count_everything_once(
    books: Books, shop: Shop, queues: list[str]
) -> None:
    """
    Two on one queue, and one with a queue of its own, so that two write about the same event at the same time.
    """
    hooks = [await books.hook(), await books.hook(), await books.hook(queue=queues[1])]
    services = [f"service-{number:03}" for number in range(150)]
    await tell(shop, (told(number) for _ in range(2) for number in range(150)))
    for count in (10, 40, 80):
        await eventually(lambda count=count: len(books.counted()) >= count, f"{count} services")  # type: ignore[misc]
        await hooks.pop(0).kill()
        hooks.append(await books.hook(queue=queues[1] if count == 80 else None))
    await eventually(lambda: books.counted() == services, "150 services", 30)

    for queue in queues[:2]:
        await eventually(lambda queue=queue: nothing_waits(shop, queue), "an empty queue", 30)  # type: ignore[misc]
    assert services == books.counted()
    assert "" == "".join(hook.log_file.read_text(encoding="utf-8") for hook in hooks)


async def nothing_waits(shop: Shop, queue: str) -> bool:
    return await shop.ready(queue) == 0


async def test_what_is_no_created_service_is_put_aside_and_blocks_nobody(books: Books, shop: Shop) -> None:
    key, body, properties = told(1)
    _, doubt, of_doubt = told(2, IN_DOUBT)
    hook = await books.hook()
    await tell(shop, [(key, b"{}", properties), (key, body, pika.BasicProperties()), (key, doubt, of_doubt), told(3)])
    await hook.ready_line("counted service-003", STARTED_S)
    aside = await shop.taken(f"{books.queue}.dead", 3)

    assert [b"{}", body, doubt] == [message.body for message in aside]
    assert ["service-003"] == books.counted()
    assert 3 == hook.log_file.read_text(encoding="utf-8").count("put aside: ")


async def test_events_wait_for_a_hook_that_is_down(books: Books, shop: Shop) -> None:
    first = await books.hook()
    await first.stop()
    await tell(shop, [told(1)])
    again = await books.hook()
    await again.ready_line("counted service-001", STARTED_S)

    assert ["service-001"] == books.counted()


async def test_in_doubt_is_billed_when_a_person_has_found_the_service(
    books: Books, shop: Shop, cloud: Simulator, start_worker: StartWorker, cli: Cli, tmp_path: Path
) -> None:
    """
    The whole: a worker leaves a request in doubt, `vpn-worker resolve` settles it, the order is sent once more.
    """
    hook = await books.hook()
    cloud.state.faults.add({"fault": "close", "times": 1})
    await start_worker(cloud.url, when_not_found="in_doubt", reconcile_window_s=1, api_timeout_s=5)
    await shop.publish((order("router-1"), binary("order-1")))
    doubt = (await shop.outcomes(1))[0]
    assert (VpnServiceCreateInDoubt.type, []) == (doubt.type, books.counted())
    late = cloud.state.create({"router_id": "router-1"})
    settings: dict[str, Any] = {"amqp_url": shop.amqp_url, "prefix": shop.prefix, "api_url": cloud.url, "auth": "none"}
    words = ("resolve", "order-1", "--source", "/shop", "--created", late.id)
    said = await cli(*words, ledger_url=f"sqlite:///{tmp_path / 'ledger.sqlite3'}", **settings)
    assert 0 == said.status, said.err
    await shop.publish((order("router-1"), binary("order-1")))
    await hook.ready_line(f"known {late.id}", STARTED_S)

    assert [late.id] == books.counted()


async def test_a_service_that_is_told_under_two_event_ids_is_counted_once(books: Books, tmp_path: Path) -> None:
    """
    A replayed request that was in doubt tells its service under another id than a resolved one does.
    """
    example = runpy.run_path(str(EXAMPLES / EXAMPLE))
    database = example["open_database"](str(books.file))
    counted = [
        example["count"](database, ReceivedEvent(id=identity, source="w", subject=None, extensions={}, event=CREATED))
        for identity in ("event-1", "event-2", "event-1")
    ]
    database.close()

    assert [True, False, False] == counted
    assert [CREATED.service_id] == books.counted()


async def test_without_rabbitmq_it_says_what_to_do(run: Run, tmp_path: Path) -> None:
    said = await run(EXAMPLE, str(tmp_path / "billing.sqlite3"), amqp_url=NOBODY)

    assert (3, []) == (said.status, said.out)
    assert "Set VPN_WORKER_AMQP_URL; `make run` shows one." in said.err
    assert "Traceback" not in said.err


async def test_a_queue_that_is_deleted_ends_it_with_words(books: Books, shop: Shop) -> None:
    hook = await books.hook()
    await shop.with_channel(lambda channel: channel.queue_delete(books.queue))

    assert 3 == await hook.wait()
    assert "was it deleted?" in hook.log_file.read_text(encoding="utf-8")
