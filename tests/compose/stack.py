"""
docker-compose.yml brought up beside whatever else runs on the engine, and taken down without a trace.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker.sandbox.places import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROJECT = Path(__file__).parents[2]
IMAGE = "vpn-worker:compose-test"  # kept, so that the next build is short

_BUILD_S = 900.0
_UP_S = 240.0
_DOWN_S = 180.0
_POLL_S = 0.5


class EngineError(Exception):
    """
    A command of Docker or Compose failed; with what it said.
    """


@dataclass(frozen=True)
class Stack:
    """
    What was brought up.

    Attributes:
        name: of the project.
        ports: on loopback, by the variable that the compose file knows them under.
    """

    name: str
    ports: dict[str, int]

    @property
    def amqp_url(self) -> str:
        """
        Where clients on this machine reach RabbitMQ.
        """
        return f"amqp://guest:guest@127.0.0.1:{self.ports['RABBITMQ_PORT']}/"

    def url(self, port: str) -> str:
        """
        Where this machine reaches one of the HTTP ports.
        """
        return f"http://127.0.0.1:{self.ports[port]}"

    def containers(self, service: str | None = None) -> list[dict[str, Any]]:
        """
        What `docker inspect` says of the containers, of one service or of all, also of those that have ended.
        """
        labels = [f"com.docker.compose.project={self.name}"]
        labels += [f"com.docker.compose.service={service}"] if service else []
        ids = docker("ps", "--all", "--quiet", "--no-trunc", *(f"--filter=label={label}" for label in labels)).split()
        read: list[dict[str, Any]] = json.loads(docker("inspect", *ids)) if ids else []
        return sorted(read, key=lambda container: str(container["Name"]))

    def compose(self, *words: str, timeout_s: float = 60.0) -> str:
        """
        What a command of Compose printed.
        """
        files = ["--file", str(PROJECT / "docker-compose.yml"), "--file", str(PROJECT / "tests/compose/override.yml")]
        ports = {name: str(port) for name, port in self.ports.items()}
        command = [*compose_command(), "--project-name", self.name, *files, "--profile", "observability", *words]
        return run(command, timeout_s, os.environ | ports | {"VPN_WORKER_IMAGE": IMAGE})

    def until_healthy(self, timeout_s: float = _UP_S) -> None:
        """
        Returns once every container runs and is healthy.
        """
        wait_for(lambda: set(self._states().values()) == {"healthy"}, timeout_s, self._report)

    def _states(self) -> dict[str, str]:
        states = {str(each["Name"]): each["State"] for each in self.containers()}
        return {name: state.get("Health", {}).get("Status", state["Status"]) for name, state in states.items()}

    def _report(self) -> str:
        unwell = [name for name, state in self._states().items() if state != "healthy"]
        said = [f"{name}:\n{docker_log(name)[-2000:]}" for name in unwell]
        return "\n".join([f"{self._states()}", *said])


@contextlib.contextmanager
def stack(workers: int) -> Iterator[Stack]:
    """
    Everything in docker-compose.yml, with so many workers; containers, networks and volumes are removed on leaving.

    Raises:
        EngineError: something does not come up.
    """
    names = ("RABBITMQ_PORT", "RABBITMQ_MANAGEMENT_PORT", "SIMULATOR_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT")
    made = Stack(f"vpnw{uuid.uuid4().hex[:8]}", dict(zip(names, free_ports(len(names)), strict=True)))
    try:
        made.compose("up", "--detach", "--no-build", "--scale", f"worker={workers}", timeout_s=_UP_S)
        made.until_healthy()
        yield made
    finally:
        made.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", timeout_s=_DOWN_S)


def build_image() -> None:
    """
    Builds the image from the Dockerfile, as IMAGE, and removes the one it takes the name from.

    The network is the machine's own, whose name server may be on loopback.
    """
    options = ["--quiet", "--network", "host"]
    # The first stage by itself: with a name it is kept, and so is what pip installed.
    for tag, stage in ((f"{IMAGE}-build", ["--target", "build"]), (IMAGE, [])):
        before = docker("images", "--quiet", "--no-trunc", tag).strip()
        made = docker("build", *options, *stage, "--tag", tag, str(PROJECT), timeout_s=_BUILD_S).strip()
        if before and before != made:
            with contextlib.suppress(EngineError):  # somebody's container may still run it
                docker("rmi", before)


def compose_command() -> list[str]:
    """
    Compose: the plugin, or the program before it. Empty when neither is here.
    """
    for command in (["docker", "compose"], ["docker-compose"]):
        if (
            shutil.which(command[0])
            and not subprocess.run([*command, "version"], check=False, capture_output=True).returncode
        ):
            return command
    return []


def docker(*words: str, timeout_s: float = 60.0) -> str:
    """
    What a command of Docker printed.
    """
    return run(["docker", *words], timeout_s)


def docker_log(container: str) -> str:
    """
    All that a container printed, to either stream.
    """
    done = subprocess.run(
        ["docker", "logs", container],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return done.stdout


def run(command: list[str], timeout_s: float, environ: dict[str, str] | None = None) -> str:
    """
    What a command printed.

    Raises:
        EngineError: it failed.
    """
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=timeout_s, env=environ)
    if done.returncode != 0:
        raise EngineError(f"{' '.join(command)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}")
    return done.stdout


def wait_for(claim: Callable[[], bool], timeout_s: float, report: Callable[[], str]) -> None:
    """
    Returns once the claim holds; what is reported else tells why it did not in time.
    """
    end = time.monotonic() + timeout_s
    while not claim():
        if time.monotonic() > end:
            raise EngineError(f"not within {timeout_s:g} s: {report()}")
        time.sleep(_POLL_S)
