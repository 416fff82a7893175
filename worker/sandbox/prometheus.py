"""
A Prometheus for tests: the one installed, or one we install; its servers are our own, on loopback, and end with us.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from worker.errors import SandboxError
from worker.sandbox.install import PROMETHEUS, install
from worker.sandbox.places import free_ports
from worker.sandbox.processes import Child

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

DEFAULT_FOLDER = Path(".sandbox/prometheus")
_START_TIMEOUT_S = 30.0
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Prometheus:
    """
    The programs of an installed Prometheus.

    Attributes:
        server: `prometheus`.
        promtool: `promtool`, which checks and tests its files.
    """

    server: Path
    promtool: Path


@contextlib.asynccontextmanager
async def find_prometheus(
    folder: Path, talk: Callable[[str], None], environ: Mapping[str, str] | None = None
) -> AsyncIterator[Prometheus]:
    """
    The programs of Prometheus, after `apt-get install` where there are none. No server is started.

    Args:
        folder: gets the log of an installation.
        talk: gets a line for people at each step that takes a while.
        environ: the environment to look at, `os.environ` unless given; without PATH no program is found.

    Raises:
        SandboxError: it is not installed and could not be; with the reason, and what helps.
    """
    path = (os.environ if environ is None else environ).get("PATH", "")
    if (found := programs(path)) is None:
        try:
            await install(PROMETHEUS, folder / "apt-get.log", talk, path)
        except SandboxError as exc:
            raise _nothing(str(exc)) from exc
        found = programs(path)
    if found is None:
        raise _nothing("its package brought no prometheus and promtool")
    yield found


def programs(path: str) -> Prometheus | None:
    """
    Prometheus' programs along `path` (as in PATH); None when one of them is missing.
    """
    server, promtool = shutil.which("prometheus", path=path), shutil.which("promtool", path=path)
    return Prometheus(Path(server), Path(promtool)) if server and promtool else None


@contextlib.asynccontextmanager
async def private_prometheus(found: Prometheus, config: Path, folder: Path) -> AsyncIterator[str]:
    """
    The URL of a Prometheus with this configuration, once it answers; it has ended on leaving.

    Args:
        found: the programs.
        config: its prometheus.yml.
        folder: gets its data and its log.

    Raises:
        SandboxError: it ended, or did not answer in time; with the end of its log.
    """
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    argv = [str(found.server), f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    argv += [f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=1h"]
    async with Child(argv, log_file=folder / "prometheus.log") as child:
        await _until_ready(child, url)
        yield url


async def _until_ready(child: Child, url: str) -> None:
    try:
        async with asyncio.timeout(_START_TIMEOUT_S):
            while not await asyncio.to_thread(_is_ready, url):
                if child.returncode is not None:
                    raise child.trouble(f"ended with status {child.returncode}")
                await asyncio.sleep(_POLL_S)
    except TimeoutError as exc:
        raise child.trouble(f"did not answer within {_START_TIMEOUT_S:g} s") from exc


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=2) as answer:  # noqa: S310 - our own loopback URL
            return bool(answer.status == 200)
    except OSError:
        return False


def _nothing(why: str) -> SandboxError:
    return SandboxError(
        f"There is no Prometheus to use: it is not installed, and could not be: {why}\n"
        "What helps: install it (on Debian and Ubuntu: sudo apt-get install prometheus)."
    )
