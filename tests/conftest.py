"""
What every test gets: a real RabbitMQ, a real PostgreSQL, a real Prometheus and a real browser once a session, names of
its own on them, and no way out to the network.
"""

from __future__ import annotations

import asyncio
import fcntl
import ipaddress
import os
import socket
import threading
import uuid
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urlsplit

import asyncpg
import pika
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from messages.routes import Routes
from tests.authority import new_authority
from tests.full_broker import FullBroker, full_broker
from worker.broker.topology import topology
from worker.errors import SandboxError
from worker.sandbox import chromium as chromium_sandbox
from worker.sandbox import postgres as postgres_sandbox
from worker.sandbox import prometheus as prometheus_sandbox
from worker.sandbox import rabbitmq as rabbitmq_sandbox
from worker.sandbox.chromium import Chromium, find_chromium
from worker.sandbox.node import server_script
from worker.sandbox.postgres import Postgres, find_postgres
from worker.sandbox.prometheus import Prometheus, find_prometheus
from worker.sandbox.rabbitmq import Broker, find_broker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator
    from contextlib import AbstractAsyncContextManager

T = TypeVar("T")

# A machine that is busy with something else is no fault of an example; where CI is set, Hypothesis leaves both out itself.
if not os.environ.get("CI"):
    hypothesis_settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    hypothesis_settings.load_profile("patient")

START_LIMIT_S = 600.0  # a first start may install a server or download an image
STOP_LIMIT_S = 60.0


class Hold(Generic[T]):
    """
    Keeps a server in a thread of its own: its processes end with the thread that started them.
    """

    def __init__(self, name: str, find: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._find = find
        self._found: Future[T] = Future()
        self._leave = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._hold()), name=name, daemon=True)

    def begin(self) -> None:
        """
        Starts looking.
        """
        self._thread.start()

    def settled(self) -> None:
        """
        Returns when the server answers, or there is none.
        """
        self._found.exception(START_LIMIT_S)

    def server(self) -> T:
        """
        The server; without one the test is skipped, or fails where CI is set.
        """
        try:
            return self._found.result(0)
        except SandboxError as exc:
            reason = str(exc)
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)

    def end(self) -> None:
        """
        Ends what was started; returns when it is gone.
        """
        self._leave.set()
        self._thread.join(STOP_LIMIT_S)

    async def _hold(self) -> None:
        try:
            async with self._find() as server:
                self._found.set_result(server)
                await asyncio.to_thread(self._leave.wait)
        except BaseException as exc:
            if self._found.done():
                raise
            self._found.set_exception(exc)


BROKER = pytest.StashKey[Hold[Broker]]()
POSTGRES = pytest.StashKey[Hold[Postgres]]()
PROMETHEUS = pytest.StashKey[Hold[Prometheus]]()
CHROMIUM = pytest.StashKey[Hold[Chromium]]()


#: Files that take longest, begun first: else one process works on them when the others have nothing left.
LONG_FILES = (
    "tests/core/test_core_model.py",
    "tests/chaos/test_chaos_short.py",
    "tests/test_engine_machine.py",
    "tests/e2e/test_dead_letters.py",
    "tests/docs_run/test_first_pages_run.py",
    "tests/docs_run/test_pages_run.py",
    "tests/e2e/test_metrics.py",
    "tests/console_page/test_now.py",
    "tests/e2e/test_following_killed.py",
    "tests/e2e/test_crash.py",
    "tests/demo/test_demo.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """
    Puts the tests of the long files first, in the order of the list; all others stay as they are.
    """
    places = {file: place for place, file in enumerate(LONG_FILES)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(LONG_FILES)))


def pytest_collection_finish(session: pytest.Session) -> None:
    """
    Starts the servers before the first test: installing one may take longer than a test may.
    """
    if session.config.option.collectonly:
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    talk = reporter.write_line if reporter is not None else print
    root, stash = session.config.rootpath, session.config.stash
    if is_wanted("broker", session.items):
        stash[BROKER] = Hold("broker", lambda: find_broker(root / rabbitmq_sandbox.DEFAULT_FOLDER, talk))
    if is_wanted("postgres", session.items):
        stash[POSTGRES] = Hold("postgres", lambda: find_postgres(root / postgres_sandbox.DEFAULT_FOLDER, talk))
    if is_wanted("prometheus", session.items):
        folder = root / prometheus_sandbox.DEFAULT_FOLDER
        stash[PROMETHEUS] = Hold("prometheus", lambda: find_prometheus(folder, talk))
    if is_wanted("chromium", session.items):
        stash[CHROMIUM] = Hold("chromium", lambda: find_chromium(root / chromium_sandbox.DEFAULT_FOLDER, talk))
    # One after the other, also among the processes of one run: each may have to install a package.
    lock = root / ".sandbox" / "tests.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for hold in holds(session):
            hold.begin()
            hold.settled()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """
    Ends the servers, also after failures and Ctrl-C.
    """
    for hold in holds(session):
        hold.end()


def is_wanted(server: str, items: Iterable[pytest.Item]) -> bool:
    """
    Whether a test asks for the server: by the fixture of that name, or by a parameter.
    """
    asked: set[object] = set()
    for item in items:
        asked.update(getattr(item, "fixturenames", ()))
        if (call := getattr(item, "callspec", None)) is not None:
            asked.update(value for value in call.params.values() if isinstance(value, str))
    return server in asked


def holds(session: pytest.Session) -> list[Hold[Any]]:
    """
    What this session keeps running.
    """
    stash = session.config.stash
    found = (stash.get(BROKER, None), stash.get(POSTGRES, None), stash.get(PROMETHEUS, None), stash.get(CHROMIUM, None))
    return [hold for hold in found if hold is not None]


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> Broker:
    """
    A real RabbitMQ, the same for the whole session; without one the test is skipped, or fails where CI is set.
    """
    return request.config.stash[BROKER].server()


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Postgres:
    """
    A real PostgreSQL, the same for the whole session; without one the test is skipped, or fails where CI is set.
    """
    return request.config.stash[POSTGRES].server()


@pytest.fixture(scope="session")
def prometheus(request: pytest.FixtureRequest) -> Prometheus:
    """
    The programs of a real Prometheus; without them the test is skipped, or fails where CI is set.
    """
    return request.config.stash[PROMETHEUS].server()


@pytest.fixture(scope="session")
def chromium(request: pytest.FixtureRequest) -> Chromium:
    """
    A real browser's program; without one the test is skipped, or fails where CI is set.
    """
    return request.config.stash[CHROMIUM].server()


@pytest.fixture
async def postgres_url(postgres: Postgres) -> AsyncIterator[str]:
    """
    A fresh database of the test's own.
    """
    async with fresh_database(postgres) as url:
        yield url


@asynccontextmanager
async def fresh_database(server: Postgres) -> AsyncIterator[str]:
    """
    Where a new and empty database is; it is dropped on leaving, whoever is still connected.
    """
    name = f"t{uuid.uuid4().hex[:12]}"
    await in_postgres(server.url, f"CREATE DATABASE {name}")
    try:
        yield urlsplit(server.url)._replace(path=f"/{name}").geturl()
    finally:
        await in_postgres(server.url, f"DROP DATABASE {name} WITH (FORCE)")


async def in_postgres(url: str, statement: str) -> None:
    """
    Carries out one statement on a connection of its own.
    """
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def amqp_url(broker: Broker) -> str:
    """
    Where the session's RabbitMQ is.
    """
    return broker.amqp_url


@pytest.fixture
def prefix(amqp_url: str) -> Iterator[str]:
    """
    A prefix for exchanges and queues that no other test has; what stands under it is deleted after the test.
    """
    with fresh_prefix(amqp_url) as mine:
        yield mine


@contextmanager
def fresh_prefix(amqp_url: str) -> Iterator[str]:
    """
    A prefix that nobody else has; what stands under it is deleted on leaving.
    """
    mine = f"t{uuid.uuid4().hex[:8]}"
    yield mine
    delete_all(amqp_url, mine)


def delete_all(amqp_url: str, prefix: str) -> None:
    """
    Deletes every exchange and queue under a prefix; those that are not there are no fault.
    """
    ours = topology(Routes(prefix=prefix))
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    try:
        channel = connection.channel()
        for queue in ours.queues:
            channel.queue_delete(queue.name)
        for exchange in ours.exchanges:
            channel.exchange_delete(exchange.name)
    finally:
        connection.close()


@pytest.fixture(scope="session")
def full_node(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FullBroker]:
    """
    A node with users of its own, the management API and TLS; asking for `broker` has installed RabbitMQ, where possible.
    """
    if server_script(os.environ.get("PATH", "")) is None:
        pytest.skip("rabbitmq-server is not installed on this machine")
    loop = asyncio.new_event_loop()  # set nowhere: pytest-asyncio keeps its own
    try:
        authority = new_authority(tmp_path_factory.mktemp("authority"))
        holding = full_broker(tmp_path_factory.mktemp("full"), authority)
        node = loop.run_until_complete(holding.__aenter__())
        try:
            yield node
        finally:
            loop.run_until_complete(holding.__aexit__(None, None, None))
    finally:
        loop.close()


@pytest.fixture(scope="session", autouse=True)
def no_stray_environment() -> Iterator[None]:
    """
    No setting of the person who runs the tests reaches them; the choice of the broker was made before.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("VPN_WORKER_", "OS_", "OTEL_")):
                patch.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """
    Connections and look-ups beyond this machine fail at once, save to servers that the environment names.
    """
    urls = (os.environ.get(name, "") for name in ("VPN_WORKER_AMQP_URL", "VPN_WORKER_TEST_POSTGRES_URL"))
    named = {host for url in urls if (host := urlsplit(url).hostname)}
    allowed = named | {entry[4][0] for host in named for entry in socket.getaddrinfo(host, None)}

    def check(host: object) -> None:
        if host is None or host in allowed or host in {"", "localhost", b"localhost"}:
            return
        name = host.decode() if isinstance(host, bytes) else str(host)
        try:
            is_ours = ipaddress.ip_address(name.split("%")[0]).is_loopback
        except ValueError:
            is_ours = False
        if not is_ours:
            raise RuntimeError(f"Tests stay on this machine; this one wanted to reach {name}.")

    def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
        def guard(sock: socket.socket, address: Any) -> Any:
            if sock.family in {socket.AF_INET, socket.AF_INET6}:
                check(address[0])
            return function(sock, address)

        return guard

    look_up = socket.getaddrinfo

    def guarded_look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
        check(host)
        return look_up(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded(socket.socket.connect))
        patch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex))
        patch.setattr(socket, "getaddrinfo", guarded_look_up)
        yield
