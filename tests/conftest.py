"""
What every test gets: a real RabbitMQ once a session, names of its own on it, and no way out to the network.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import threading
import uuid
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pika
import pytest

from messages.routes import Routes
from worker.broker.topology import topology
from worker.errors import SandboxError
from worker.sandbox.rabbitmq import DEFAULT_FOLDER, Broker, find_broker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

START_LIMIT_S = 600.0  # a first start may install RabbitMQ or download an image
STOP_LIMIT_S = 60.0


class BrokerHold:
    """
    Keeps the broker in a thread of its own: its processes end with the thread that started them.
    """

    def __init__(self, folder: Path, talk: Callable[[str], None]) -> None:
        self._folder, self._talk = folder, talk
        self._found: Future[Broker] = Future()
        self._leave = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._hold()), name="broker", daemon=True)

    def begin(self) -> None:
        """
        Starts looking, and waits until the broker answers or there is none.
        """
        self._thread.start()
        self._found.exception(START_LIMIT_S)

    def broker(self) -> Broker:
        """
        The broker, or the SandboxError that says why there is none.
        """
        return self._found.result(0)

    def end(self) -> None:
        """
        Ends what was started; returns when it is gone.
        """
        self._leave.set()
        self._thread.join(STOP_LIMIT_S)

    async def _hold(self) -> None:
        try:
            async with find_broker(self._folder, self._talk) as broker:
                self._found.set_result(broker)
                await asyncio.to_thread(self._leave.wait)
        except BaseException as exc:
            if self._found.done():
                raise
            self._found.set_exception(exc)


HOLD = pytest.StashKey[BrokerHold]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """
    Starts the broker before the first test: installing one may take longer than a test may.
    """
    wanted = any("broker" in getattr(item, "fixturenames", ()) for item in session.items)
    if not wanted or session.config.option.collectonly:
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    talk = reporter.write_line if reporter is not None else print
    hold = session.config.stash[HOLD] = BrokerHold(session.config.rootpath / DEFAULT_FOLDER, talk)
    hold.begin()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """
    Ends the broker, also after failures and Ctrl-C.
    """
    if (hold := session.config.stash.get(HOLD, None)) is not None:
        hold.end()


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> Broker:
    """
    A real RabbitMQ, the same for the whole session; without one the test is skipped, or fails where CI is set.
    """
    try:
        return request.config.stash[HOLD].broker()
    except SandboxError as exc:
        reason = str(exc)
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture
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
    mine = f"t{uuid.uuid4().hex[:8]}"
    yield mine
    ours = topology(Routes(prefix=mine))
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    try:
        channel = connection.channel()
        for queue in ours.queues:
            channel.queue_delete(queue.name)
        for exchange in ours.exchanges:
            channel.exchange_delete(exchange.name)
    finally:
        connection.close()


@pytest.fixture(scope="session", autouse=True)
def no_stray_environment() -> Iterator[None]:
    """
    No setting of the person who runs the tests reaches them; the choice of the broker was made before.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("VPN_WORKER_", "OS_")):
                patch.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """
    Connections and look-ups beyond this machine fail at once, save to a broker named by VPN_WORKER_AMQP_URL.
    """
    named = urlsplit(os.environ.get("VPN_WORKER_AMQP_URL", "")).hostname
    allowed = {named} | ({entry[4][0] for entry in socket.getaddrinfo(named, None)} if named else set())

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
