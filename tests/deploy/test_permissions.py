"""
deploy/rabbitmq/permissions.sh on a real RabbitMQ: with exactly these rights everything works, and nothing else does.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pika
import pika.exceptions
import pytest

from messages.routes import Routes
from tests.broker.conftest import ask, channel_to
from tests.cli.conftest import Cli, cli, folder
from tests.e2e.conftest import cloud, eventually, start_cloud, start_worker
from tests.e2e.shop import binary, open_shop, order
from worker.broker.inspecting import inspect_broker
from worker.broker.management import ManagementUnusable, open_management
from worker.broker.topology import remove_topology
from worker.ports import State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pika.adapters.blocking_connection import BlockingChannel

    from tests.e2e.conftest import StartWorker
    from tests.full_broker import FullBroker
    from worker.simulator import Simulator


__all__ = ["cli", "cloud", "folder", "start_cloud", "start_worker"]  # fixtures of the whole, wanted here too

SCRIPT = Path(__file__).parents[2] / "deploy" / "rabbitmq" / "permissions.sh"
ROLES = ("topology", "worker", "publisher", "reader", "client", "operator", "monitor")
SCRIPT_S = 90.0


@dataclass(frozen=True)
class Staff:
    """
    A user for each role, with a password from a file.
    """

    node: FullBroker
    prefix: str
    folder: Path

    def name(self, role: str) -> str:
        return f"{self.prefix}-{role}"

    def url(self, role: str) -> str:
        return f"amqp://{self.name(role)}:{self._password(role)}@127.0.0.1:{self.node.port}/"

    @property
    def management_url(self) -> str:
        login = f"{self.name('monitor')}:{self._password('monitor')}"
        return f"http://{login}@127.0.0.1:{self.node.management_port}"

    def hire(self, *roles: str, more: tuple[str, ...] = ()) -> str:
        """
        Runs the script for these roles; what it said.
        """
        words = [word for role in roles for word in (f"--{role}", self.name(role))]
        for role in roles:
            (self.folder / self.name(role)).write_text(f"{self._password(role)}\n")
        return script(self.node, "--prefix", self.prefix, "--create", "--passwords", str(self.folder), *words, *more)

    def _password(self, role: str) -> str:
        return f"secret-of-{role}"


def script(node: FullBroker, *words: str, status: int = 0) -> str:
    """
    What the script says; its rabbitmqctl is that of the node.
    """
    environ = {**os.environ, **node.ctl_environment(), "RABBITMQCTL": str(node.ctl_program)}
    ended = subprocess.run([SCRIPT, *words], env=environ, capture_output=True, text=True, check=False, timeout=SCRIPT_S)
    assert status == ended.returncode, ended.stderr
    return ended.stdout + ended.stderr


@pytest.fixture
def amqp_url(full_node: FullBroker) -> str:
    """
    All tests here are on the node that takes new users.
    """
    return full_node.amqp_url


@pytest.fixture(scope="module")
def staff(full_node: FullBroker, tmp_path_factory: pytest.TempPathFactory) -> Staff:
    """
    Users of all roles; they go with the node.
    """
    hired = Staff(full_node, f"t{uuid.uuid4().hex[:8]}", tmp_path_factory.mktemp("passwords"))
    hired.hire(*ROLES)
    return hired


@pytest.fixture
async def prefix(staff: Staff) -> AsyncIterator[str]:
    """
    The prefix that the users' permissions are for; what stands under it is deleted after the test.
    """
    yield staff.prefix
    await remove_topology(staff.node.amqp_url, Routes(staff.prefix))


@pytest.fixture
async def there(cli: Cli, staff: Staff, prefix: str) -> Routes:
    """
    Exchanges and queues that the topology user declared.
    """
    said = await cli("topology", "apply", amqp_url=staff.url("topology"), prefix=prefix)
    assert 0 == said.status, said.err
    return Routes(prefix)


def refused(url: str, act: Callable[[BlockingChannel], Any]) -> bool:
    """
    Whether the broker refuses it for want of a permission.
    """
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        act(channel)
    except pika.exceptions.ChannelClosedByBroker as exc:
        if exc.reply_code != 403:
            raise
        return True
    finally:
        if connection.is_open:
            connection.close()
    return False


def publish(exchange: str, routing_key: str = "x") -> Callable[[BlockingChannel], Any]:
    return lambda channel: channel.basic_publish(exchange, routing_key, b"{}")


def delete(queue: str) -> Callable[[BlockingChannel], Any]:
    return lambda channel: channel.queue_delete(queue)


def read(queue: str) -> Callable[[BlockingChannel], Any]:
    return lambda channel: channel.basic_get(queue)


async def test_a_request_goes_all_its_ways_with_least_privilege(
    there: Routes, staff: Staff, cli: Cli, cloud: Simulator, start_worker: StartWorker, tmp_path: Path
) -> None:
    """
    Created, rejected, retried over a rung and dead-lettered; published by the publisher, read by the reader.
    """
    again = await cli("topology", "apply", amqp_url=staff.url("topology"), prefix=staff.prefix)
    assert "created" not in again.out
    cloud.state.faults.add({"fault": "answer", "status": 425, "retry_after": 6, "match": {"name": "later"}})
    worker = await start_worker(cloud.url, amqp_url=staff.url("worker"))
    async with open_shop(staff.url("reader"), staff.prefix) as shop:
        bodies = (order(), b"{}", order(name="later"))
        for body in bodies:
            ask(staff.url("publisher"), there, body, properties=binary())
        told = await shop.outcomes(3, 30)

    assert ["create-rejected", "created", "created"] == sorted(
        event.type.removeprefix("vpn.vpnservice.").removesuffix(".v1") for event in told
    )
    assert 1 == len(worker.logged("request.shelved"))
    assert [] == worker.logged("broker.lost")
    assert [] == worker.mistakes()
    await check_operator(staff, cli, f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    assert {} == await troubles(staff)


async def check_operator(staff: Staff, cli: Cli, ledger_url: str) -> None:
    """
    The operator sees the dead letter, sends it again, watches events, and drops it when it is dead once more.
    """
    settings: dict[str, Any] = {"amqp_url": staff.url("operator"), "prefix": staff.prefix}
    watching = asyncio.create_task(cli("watch", "--count", "1", "--json", **settings))
    listed = await cli("dead", "list", "--json", **settings)
    assert "rejected" in listed.out
    for _ in range(100):
        replayed = await cli("dead", "replay", "--all", ledger_url=ledger_url, **settings)
        assert 0 == replayed.status, replayed.err
        if watching.done():
            break
        await asyncio.wait({watching}, timeout=1)
    seen = await watching
    assert "create-rejected" in seen.out
    dropped = await cli("dead", "drop", "--all", "--yes", **settings)
    assert 0 == dropped.status, dropped.err


async def troubles(staff: Staff, *, is_managed: bool = True) -> dict[str, State]:
    """
    What an inspection as the worker finds that is not well.
    """
    management_url = staff.management_url if is_managed else None
    found = await inspect_broker(staff.url("worker"), Routes(staff.prefix), management_url)
    return {one.subject: one.state for one in found if one.state is not State.OK}


async def test_a_permission_that_was_taken_away_is_a_clear_fault(there: Routes, staff: Staff) -> None:
    p, worker = staff.prefix, staff.name("worker")
    assert {"arguments": State.UNSEEN, "bindings": State.UNSEEN} == await troubles(staff, is_managed=False)
    assert {} == await troubles(staff)
    try:
        for lost in ("events", "retry", "dead"):
            left = "|".join({"events", "retry", "dead"} - {lost})
            await staff.node.ctl("set_permissions", worker, "^$", rf"^{p}\.({left})$", rf"^{p}\.requests\.create$")
            found = await troubles(staff)
            assert State.FAULT is found[f"permission to write {p}.{lost}"]
            # Alarms are looked for by publishing to the retry exchange.
            assert {f"permission to write {p}.{lost}"} == set(found) - ({"alarms"} if lost == "retry" else set())
        await staff.node.ctl("set_permissions", worker, "^$", rf"^{p}\.(events|retry|dead)$", "^$")
        assert State.FAULT is (await troubles(staff))[f"permission to read {p}.requests.create"]
    finally:
        staff.hire("worker")


async def test_the_monitor_sees_the_numbers_that_keda_scales_by(there: Routes, staff: Staff) -> None:
    """
    Of our queue, what is ready and what is delivered and not acked; of virtual hosts that are none of his, nothing.
    """
    ask(staff.url("publisher"), there, b"{}", b"{}")
    told: dict[str, Any] = {}

    async def is_counted() -> bool:
        told.update(await management.queue(there.requests_queue) or {})
        return (1, 1) == (told.get("messages_ready"), told.get("messages_unacknowledged"))

    await staff.node.ctl("add_vhost", "elsewhere")
    try:
        with channel_to(staff.url("worker")) as channel:
            channel.basic_get(there.requests_queue)
            async with open_management(staff.management_url, staff.url("worker")) as management:
                await eventually(is_counted, "count of messages", timeout_s=30)
            assert 2 == told["messages"]
        async with open_management(staff.management_url, f"{staff.url('worker')}elsewhere") as other:
            with pytest.raises(ManagementUnusable, match="HTTP 40"):
                await other.queue(there.requests_queue)
    finally:
        await staff.node.ctl("delete_vhost", "elsewhere")


async def test_nobody_may_do_more_than_his_part(there: Routes, staff: Staff) -> None:
    p = staff.prefix
    exchanges = {f"{p}.{name}" for name in ("requests", "events", "unrouted", "retry", "dead")} | {"", "amq.topic"}
    queues = {f"{p}.{name}" for name in ("requests.create", "unrouted", "dead", "retry.5s", "retry.1h")}
    may_write = {
        "publisher": {f"{p}.requests"},
        "worker": {f"{p}.events", f"{p}.retry", f"{p}.dead"},
        "client": {f"{p}.requests"},
        "operator": {f"{p}.requests", f"{p}.events"},
        "reader": set[str](),
        "monitor": set[str](),
    }
    may_read = {"worker": {f"{p}.requests.create"}, "operator": {f"{p}.dead", f"{p}.unrouted"}}
    for role, written in may_write.items():
        url = staff.url(role)
        assert exchanges - written == {one for one in exchanges if refused(url, publish(one))}, role
        assert queues - may_read.get(role, set()) == {one for one in queues if refused(url, read(one))}, role
        assert queues == {one for one in queues if refused(url, delete(one))}, role
        assert refused(url, lambda channel: channel.queue_declare(f"{p}.other", durable=True)), role
        assert refused(url, lambda channel: channel.exchange_declare(f"{p}.other", "topic")), role


async def test_a_reader_has_queues_of_its_own_and_sees_events_alone(there: Routes, staff: Staff) -> None:
    url, name, p = staff.url("reader"), staff.name("reader"), staff.prefix
    mine = f"{name}.created"

    def bind(exchange: str, queue: str = mine) -> Callable[[BlockingChannel], Any]:
        return lambda channel: channel.queue_bind(queue, exchange, "vpnservice.created")

    assert not refused(url, lambda channel: channel.queue_declare(mine, durable=True))
    assert not refused(url, bind(f"{p}.events"))
    assert not refused(url, read(mine))
    assert refused(url, bind(f"{p}.requests"))
    assert refused(url, bind(f"{p}.events", f"{p}.requests.create"))
    assert refused(url, publish(""))
    assert not refused(url, lambda channel: channel.queue_delete(mine))


async def test_the_worker_answers_reply_to_only_where_it_was_said(staff: Staff) -> None:
    """
    The right to write to the default exchange is the right to write to every queue.
    """
    assert refused(staff.url("worker"), publish("", "elsewhere"))
    said = staff.hire("worker", more=("--replies",))

    assert "its password is left alone" in said
    assert not refused(staff.url("worker"), publish("", "elsewhere"))
    staff.hire("worker")
    assert refused(staff.url("worker"), publish("", "elsewhere"))


async def test_a_user_without_a_password_cannot_log_in_with_one(full_node: FullBroker, prefix: str) -> None:
    name = f"{prefix}-cert"
    script(full_node, "--create", "--no-passwords", "--worker", name)
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        pika.BlockingConnection(pika.URLParameters(f"amqp://{name}:@127.0.0.1:{full_node.port}/"))
    await full_node.ctl("delete_user", name)


@pytest.mark.parametrize("role", ["publisher", "client", "operator"])
async def test_publishing_from_the_command_line_needs_no_more(there: Routes, staff: Staff, cli: Cli, role: str) -> None:
    words = ("publish", "--router-id", str(uuid.uuid4()), "--with-user-id")
    said = await cli(*words, amqp_url=staff.url(role), prefix=there.prefix)

    assert 0 == said.status, said.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no user is named"),
        (("--worker",), "--worker needs the name of a user"),
        (("--worker", "a b"), "a user's name has the characters"),
        (("--worker", "-x"), "a user's name has the characters"),
        (("--worker", "a", "--reader", "a"), "a has two roles"),
        (("--worker", "a", "--prefix", "x*"), "the prefix has the characters"),
        (("--worker", "a", "--create"), "--create needs --passwords DIR or --no-passwords"),
        (("--boss", "a"), "there is no option --boss"),
    ],
    ids=str,
)
async def test_wrong_words_change_nothing_and_say_what_is_wrong(
    full_node: FullBroker, words: tuple[str, ...], said: str
) -> None:
    assert said in script(full_node, *words, status=2)


async def test_a_missing_password_is_told_by_its_file(full_node: FullBroker, tmp_path: Path) -> None:
    name = f"x{uuid.uuid4().hex[:8]}"
    said = script(full_node, "--create", "--passwords", str(tmp_path), "--worker", name, status=2)

    assert f"the file {tmp_path}/{name} has no password" in said


async def test_a_dry_run_shows_commands_and_no_password(full_node: FullBroker, tmp_path: Path) -> None:
    (tmp_path / "w").write_text("s3cret")
    said = script(full_node, "--dry-run", "--create", "--passwords", str(tmp_path), "--worker", "w")

    assert "'set_permissions' '--vhost' '/' 'w' '^$' '^vpn\\.(events|retry|dead)$' '^vpn\\.requests\\.create$'" in said
    assert "s3cret" not in said
    assert "w\t" not in await full_node.ctl("list_users")
