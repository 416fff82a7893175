"""
The private PostgreSQL, with real processes, and which one is chosen.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.conftest import in_postgres
from tests.e2e.conftest import eventually
from worker.errors import SandboxError
from worker.sandbox.postgres import Postgres, PrivatePostgres, find_postgres, private_postgres
from worker.sandbox.postgres_server import as_postgres, server_programs
from worker.sandbox.processes import Child

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

HOLDER = """
import asyncio, sys
from pathlib import Path
from worker.sandbox.postgres import private_postgres

async def hold():
    async with private_postgres(Path(sys.argv[1]), lambda line: None) as server:
        print("READY", server.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(hold())
"""


@pytest.fixture
def installed(postgres: Postgres) -> None:
    """
    PostgreSQL on this machine: asking for `postgres` has installed it, where that is possible.
    """
    if server_programs(os.environ.get("PATH", "")) is None:
        pytest.skip("PostgreSQL is not installed on this machine")


@pytest.fixture
async def server(installed: None, tmp_path: Path) -> AsyncIterator[PrivatePostgres]:
    """
    A server of the test's own.
    """
    async with private_postgres(tmp_path, lambda line: None) as started:
        yield started


def state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def family_of(pid: int) -> list[int]:
    """
    A process and its children.
    """
    found = [pid]
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = stat.read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if parent == str(pid):
            found.append(int(stat.parent.name))
    return found


def have_ended(pids: list[int]) -> bool:
    # Z: dead, but in a container without an init process nobody collects it.
    return all(state_of(pid) in {"", "Z", "X"} for pid in pids)


async def answer_of(server: PrivatePostgres, query: str) -> object:
    connection = await asyncpg.connect(server.url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_server_listens_on_loopback_alone_and_wants_its_password(server: PrivatePostgres) -> None:
    addresses = await answer_of(server, "SHOW listen_addresses")

    assert "127.0.0.1" == addresses
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://postgres:wrong@127.0.0.1:{server.port}/postgres")


@pytest.mark.parametrize("way", ["kill", "stop", "restart"])
async def test_what_was_committed_survives(server: PrivatePostgres, way: str) -> None:
    await in_postgres(server.url, "CREATE TABLE kept AS SELECT 7 AS number")
    family = family_of(server.pid)
    url = server.url

    await {"kill": server.kill, "stop": server.stop, "restart": server.restart}[way]()
    is_gone = have_ended(family)
    await server.start()

    assert is_gone
    assert len(family) > 1
    assert (url, 7) == (server.url, await answer_of(server, "SELECT number FROM kept"))


async def test_two_servers_in_one_folder_keep_to_themselves(server: PrivatePostgres, tmp_path: Path) -> None:
    async with private_postgres(tmp_path, lambda line: None) as second:
        assert server.log_file.parent.parent == second.log_file.parent.parent
        assert server.url != second.url
        assert 1 == await answer_of(second, "SELECT 1") == await answer_of(server, "SELECT 1")


@pytest.mark.usefixtures("installed")
async def test_nothing_runs_after_leaving_and_the_next_begins_empty(tmp_path: Path) -> None:
    async with private_postgres(tmp_path, lambda line: None) as first:
        await in_postgres(first.url, "CREATE TABLE kept ()")
        family = family_of(first.pid)

    assert have_ended(family)
    async with private_postgres(tmp_path, lambda line: None) as second:
        assert 0 == await answer_of(second, "SELECT COUNT(*) FROM pg_tables WHERE tablename = 'kept'")


@pytest.mark.usefixtures("installed")
async def test_nothing_runs_after_its_parent_was_killed(tmp_path: Path) -> None:
    async with Child([sys.executable, "-c", HOLDER, str(tmp_path)], log_file=tmp_path / "holder.log") as holder:
        family = family_of(int((await holder.ready_line("READY", timeout_s=60)).split()[1]))
        await holder.kill()

        assert -signal.SIGKILL == holder.returncode
    await eventually(lambda: have_ended(family), "end of the server", 10)


@pytest.fixture
def programs() -> Iterator[Path]:
    """
    A folder of programs that the user postgres can reach, and that do not work.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "initdb").write_text("#!/bin/sh\necho out of luck\nexit 3\n")
        (folder / "initdb").chmod(0o755)
        folder.chmod(0o755)
        yield folder


async def test_a_server_that_cannot_be_set_up_tells_the_end_of_its_log(programs: Path, tmp_path: Path) -> None:
    server = PrivatePostgres(programs, tmp_path / "data", tmp_path / "server.log")

    with pytest.raises(SandboxError, match=r"(?s)initdb ended with status 3.*out of luck"):
        await server.prepare()


async def test_a_server_that_is_named_is_used_as_it_is(postgres: Postgres, tmp_path: Path) -> None:
    async with find_postgres(tmp_path, print, {"VPN_WORKER_TEST_POSTGRES_URL": postgres.url}) as found:
        assert postgres.url == found.url
        assert "postgres:" not in found.origin

    assert not (tmp_path / "node-1").exists()


@pytest.mark.parametrize("url", ["http://h/x", "postgresql://me:hush@h[:port/x", "hush"])
async def test_a_wrong_url_is_an_error_without_its_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="VPN_WORKER_TEST_POSTGRES_URL must look like") as caught:
        async with find_postgres(tmp_path, print, {"VPN_WORKER_TEST_POSTGRES_URL": url}):
            pass

    assert "hush" not in str(caught.value)


async def test_a_machine_with_nothing_is_told_the_reason_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SandboxError) as caught:
        async with find_postgres(tmp_path, print, {"PATH": ""}):
            pass

    assert "it is not installed, and could not be: this machine has no apt-get" in str(caught.value)
    assert "sudo apt-get install postgresql" in str(caught.value)


def test_only_root_becomes_somebody_else() -> None:
    command = as_postgres(["postgres", "-D", "x"])

    assert ["postgres", "-D", "x"] == command[-3:]
    assert (os.geteuid() == 0) == (len(command) > 3)
