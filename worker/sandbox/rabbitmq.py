"""
Finds a RabbitMQ for a local set-up: the one named, one installed, one we install, or one in Docker.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from worker.errors import SandboxError
from worker.sandbox.container import docker_broker
from worker.sandbox.install import RABBITMQ, install
from worker.sandbox.node import PrivateBroker, amqp_answers, private_broker, server_script

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

__all__ = ["DEFAULT_FOLDER", "Broker", "PrivateBroker", "find_broker", "private_broker"]

DEFAULT_FOLDER = Path(".sandbox/rabbitmq")

_GIVEN_TIMEOUT_S = 5.0
_REMEDY = (
    "What helps: install it (on Debian and Ubuntu: sudo apt-get install rabbitmq-server), or start Docker, or set "
    "VPN_WORKER_AMQP_URL=amqp://user:password@host:5672/ to a RabbitMQ that runs. Then try again."
)


class Broker(Protocol):
    """
    A RabbitMQ that answers AMQP.
    """

    @property
    def amqp_url(self) -> str:
        """
        Where to connect, password included.
        """

    @property
    def origin(self) -> str:
        """
        What this broker is and where it came from, in words for people, without the password.
        """

    @property
    def has_ended(self) -> bool:
        """
        Whether it was started for us and its process has ended; what others started is not ours to watch.
        """


@dataclass(frozen=True)
class GivenBroker:
    """
    The broker that VPN_WORKER_AMQP_URL names; not ours to stop.
    """

    amqp_url: str
    origin: str
    has_ended: bool = False


@contextlib.asynccontextmanager
async def find_broker(
    folder: Path, talk: Callable[[str], None], environ: Mapping[str, str] | None = None
) -> AsyncIterator[Broker]:
    """
    A RabbitMQ that answers; what was started for it has ended on leaving.

    In this order: `VPN_WORKER_AMQP_URL`; a private node of the installed rabbitmq-server; the same after
    `apt-get install`; a container. The thread that enters must outlive the broker.

    Args:
        folder: where a private node keeps its data and logs.
        talk: gets a line for people at each step that takes a while.
        environ: the environment to look at, `os.environ` unless given; without PATH no program is found.

    Raises:
        SandboxError: none of them worked; with the reason of each, and what helps.
    """
    environ = os.environ if environ is None else environ
    if url := environ.get("VPN_WORKER_AMQP_URL"):
        yield await _given(url)
        return
    path = environ.get("PATH", "")
    troubles = ["VPN_WORKER_AMQP_URL is not set"]
    async with contextlib.AsyncExitStack() as stack:
        for way in (_node(folder, talk, path), docker_broker(folder, talk, path)):
            try:
                broker = await stack.enter_async_context(way)
            except SandboxError as exc:
                troubles.append(str(exc))
            else:
                yield broker
                return
    raise SandboxError("\n  - ".join(["There is no RabbitMQ to use:", *troubles]) + f"\n{_REMEDY}")


@contextlib.asynccontextmanager
async def _node(folder: Path, talk: Callable[[str], None], path: str) -> AsyncIterator[Broker]:
    if server_script(path) is None:
        try:
            await install(RABBITMQ, folder / "apt-get.log", talk, path)
        except SandboxError as exc:
            raise SandboxError(f"rabbitmq-server is not installed, and could not be: {exc}") from exc
    async with private_broker(folder, talk) as broker:
        yield broker


async def _given(url: str) -> GivenBroker:
    try:
        parts = urlsplit(url)
        host, port, scheme = parts.hostname or "localhost", parts.port, parts.scheme
    except ValueError as exc:
        raise SandboxError("VPN_WORKER_AMQP_URL is not a URL; it looks like amqp://user:password@host:5672/.") from exc
    if scheme not in {"amqp", "amqps"}:
        raise SandboxError("VPN_WORKER_AMQP_URL must begin with amqp:// or amqps://.")
    if scheme == "amqp" and not await amqp_answers(host, port or 5672, _GIVEN_TIMEOUT_S):
        raise SandboxError(
            f"VPN_WORKER_AMQP_URL names {host}:{port or 5672}, but no RabbitMQ answers there; "
            "start it, correct the URL, or unset it to get a private RabbitMQ."
        )
    return GivenBroker(amqp_url=url, origin=f"the RabbitMQ of VPN_WORKER_AMQP_URL on {host}")
