"""
Finds a PostgreSQL for tests: the one named, one installed, or one we install.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from worker.errors import SandboxError
from worker.sandbox.install import POSTGRES, install
from worker.sandbox.postgres_server import PrivatePostgres, private_postgres, server_programs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

__all__ = ["DEFAULT_FOLDER", "Postgres", "PrivatePostgres", "find_postgres", "private_postgres"]

DEFAULT_FOLDER = Path(".sandbox/postgres")


class Postgres(Protocol):
    """
    A PostgreSQL server where we may make databases.
    """

    @property
    def url(self) -> str:
        """
        Where to connect, password included.
        """

    @property
    def origin(self) -> str:
        """
        What this server is and where it came from, in words for people, without the password.
        """


@dataclass(frozen=True)
class GivenPostgres:
    """
    The server that VPN_WORKER_TEST_POSTGRES_URL names; not ours to stop.
    """

    url: str
    origin: str


@contextlib.asynccontextmanager
async def find_postgres(
    folder: Path, talk: Callable[[str], None], environ: Mapping[str, str] | None = None
) -> AsyncIterator[Postgres]:
    """
    A PostgreSQL that takes connections; what was started for it has ended on leaving.

    In this order: `VPN_WORKER_TEST_POSTGRES_URL`; a private server of an installed PostgreSQL; the same after
    `apt-get install`. The thread that enters must outlive the server.

    Args:
        folder: where a private server keeps its data and log.
        talk: gets a line for people at each step that takes a while.
        environ: the environment to look at, `os.environ` unless given; without PATH no program is found.

    Raises:
        SandboxError: none of them worked; with the reason, and what helps.
    """
    environ = os.environ if environ is None else environ
    if url := environ.get("VPN_WORKER_TEST_POSTGRES_URL"):
        yield GivenPostgres(url, f"the PostgreSQL of VPN_WORKER_TEST_POSTGRES_URL on {_host(url)}")
        return
    path = environ.get("PATH", "")
    if server_programs(path) is None:
        try:
            await install(POSTGRES, folder / "apt-get.log", talk, path)
        except SandboxError as exc:
            raise SandboxError(
                f"There is no PostgreSQL to use: it is not installed, and could not be: {exc}\n"
                "What helps: install it (on Debian and Ubuntu: sudo apt-get install postgresql), or set "
                "VPN_WORKER_TEST_POSTGRES_URL=postgresql://user:password@host:5432/database to one that runs."
            ) from exc
    async with private_postgres(folder, talk) as server:
        yield server


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, scheme = parts.hostname, parts.scheme
    except ValueError:
        host, scheme = None, ""
    if not host or scheme != "postgresql":
        raise SandboxError("VPN_WORKER_TEST_POSTGRES_URL must look like postgresql://user:password@host:5432/database.")
    return host
