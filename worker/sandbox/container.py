"""
RabbitMQ in a Docker container of our own, for a machine that has an engine and no RabbitMQ.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.errors import SandboxError
from worker.sandbox.node import amqp_answers
from worker.sandbox.places import free_ports
from worker.sandbox.processes import Child, tail

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

IMAGE = "rabbitmq:4.2-management"  # the one docker-compose.yml names

_ENGINE_TIMEOUT_S = 10.0
_START_TIMEOUT_S = 300.0  # the first time downloads about 100 MB
_STOP_GRACE_S = 15.0
_POLL_S = 0.2


@dataclass(frozen=True)
class ContainerBroker:
    """
    A container that ends with us.
    """

    port: int
    has_ended: bool = False

    @property
    def amqp_url(self) -> str:
        """
        Where clients connect: a loopback port.
        """
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    @property
    def origin(self) -> str:
        """
        What this broker is, in words for people.
        """
        return f"{IMAGE} in Docker on port {self.port}"


@contextlib.asynccontextmanager
async def docker_broker(folder: Path, talk: Callable[[str], None], path: str) -> AsyncIterator[ContainerBroker]:
    """
    A RabbitMQ container on a loopback port, removed on leaving.

    Args:
        folder: gets the log of the container.
        path: the folders with programs, as in PATH.

    Raises:
        SandboxError: no docker program, no engine that answers, or the container did not start.
    """
    docker = shutil.which("docker", path=path)
    if docker is None:
        raise SandboxError("Docker: there is no program docker")
    if not await _succeeds(docker, "version", "--format", "{{.Server.Version}}"):
        raise SandboxError("Docker: no engine answers")
    (port,) = free_ports(1)
    name = f"vpn-worker-sandbox-{port}"
    talk(f"Starting {IMAGE} in Docker; the first time it is downloaded, which can take some minutes.")
    # SIGTERM, which `docker run` hands on: a killed one would leave the container behind.
    command = [docker, "run", "--rm", "--name", name, "--publish", f"127.0.0.1:{port}:5672", IMAGE]
    async with Child(command, log_file=folder / "docker.log", death_signal=signal.SIGTERM) as child:
        try:
            await _until_ready(child, port)
            yield ContainerBroker(port)
        finally:
            await child.stop(_STOP_GRACE_S)
            await _succeeds(docker, "rm", "--force", name)


async def _until_ready(child: Child, port: int) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not await amqp_answers("127.0.0.1", port, timeout_s=5):
        if child.returncode is not None:
            raise SandboxError(f"Docker: {IMAGE} could not be run: {_reason(child)}")
        if time.monotonic() > deadline:
            raise SandboxError(f"Docker: RabbitMQ did not answer within {_START_TIMEOUT_S:g} s")
        await asyncio.sleep(_POLL_S)


def _reason(child: Child) -> str:
    lines = tail(child.log_file).splitlines()
    return next((line for line in lines if line.startswith("docker:")), "\n".join(lines))


async def _succeeds(*argv: str) -> bool:
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(_ENGINE_TIMEOUT_S):
            return await process.wait() == 0
    except TimeoutError:
        return False
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
