"""
A PostgreSQL of our own: loopback only, fresh data, an ordinary process that ends with us.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from worker.errors import SandboxError
from worker.sandbox.places import free_ports, own_folder
from worker.sandbox.processes import end, tail, tied

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

# Debian keeps the programs of each version out of PATH.
_PROGRAM_FOLDERS = "/usr/lib/postgresql/*/bin"
_OTHER_FOLDERS = ("/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin")
_START_TIMEOUT_S = 60.0
_END_TIMEOUT_S = 10.0
_POLL_S = 0.02
# What a commit says is on disk: that is what we test. The rest is made small.
_SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = on
synchronous_commit = on
shared_buffers = 32MB
max_wal_size = 256MB
wal_level = minimal
max_wal_senders = 0
"""


class PrivatePostgres:
    """
    One server. `start`, `stop` and `kill` may be awaited in any event loop, one at a time.

    Args:
        programs: the folder of `initdb` and `postgres`.
        data: its folder, still to be made, where the user it runs as can write.
        log_file: gets what it says.
    """

    def __init__(self, programs: Path, data: Path, log_file: Path) -> None:
        (self.port,) = free_ports(1)
        self.log_file = log_file
        self._programs = programs
        self._data = data
        self._password = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """
        Where clients connect; the same after a restart.
        """
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self.port}/postgres"

    @property
    def origin(self) -> str:
        """
        What this server is, in words for people.
        """
        return f"a private PostgreSQL on port {self.port}, data in {self._data}"

    @property
    def pid(self) -> int:
        """
        The server's process id, also after its end.
        """
        if self._process is None:
            raise SandboxError("The private PostgreSQL has not been started.")
        return self._process.pid

    async def prepare(self) -> None:
        """
        Makes fresh data; raises SandboxError with what `initdb` said.
        """
        with tempfile.NamedTemporaryFile("w", prefix="vpn-worker-") as secret:
            secret.write(self._password)
            secret.flush()
            if os.geteuid() == 0:
                shutil.chown(secret.name, "postgres")
            argv = [str(self._programs / "initdb"), "--pgdata", str(self._data), "--username", "postgres"]
            argv += ["--pwfile", secret.name, "--auth", "scram-sha-256"]
            argv += ["--encoding", "UTF8", "--no-locale", "--no-sync"]
            status = await asyncio.to_thread(self._spawn(argv).wait)
        if status != 0:
            raise self._trouble(f"could not be set up: initdb ended with status {status}")
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write(f"{_SETTINGS}port = {self.port}\n")

    async def start(self) -> None:
        """
        Starts the server on its port and data; when it returns, it takes connections. Does nothing when it runs.

        Raises:
            SandboxError: it ended or was not ready within 60 s; with the end of its log.
        """
        if self._process is not None and self._process.poll() is None:
            return
        self._process = self._spawn([str(self._programs / "postgres"), "-D", str(self._data)])
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self._is_ready(self._process.pid):
            if self._process.poll() is not None:
                raise self._trouble(f"ended with status {self._process.returncode} while starting")
            if time.monotonic() > deadline:
                raise self._trouble(f"was not ready within {_START_TIMEOUT_S:g} s")
            await asyncio.sleep(_POLL_S)

    async def stop(self) -> None:
        """
        Ends the server in good order without waiting for its clients. The data stay. Safe to repeat.
        """
        await end(self._process, signal.SIGINT)  # "fast" (PostgreSQL, 19.5)

    async def restart(self) -> None:
        """
        Ends the server in good order and starts it again, on the same port and data.
        """
        await self.stop()
        await self.start()

    async def kill(self) -> None:
        """
        Ends the server and all its processes as a power cut would. The data stay. Safe to repeat.
        """
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGSTOP)  # so that it starts no more of them
        processes = _children(self._process.pid)
        for pid in (self._process.pid, *processes):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(self._process.wait)
        # It does not start again while one of them still has the shared memory.
        deadline = time.monotonic() + _END_TIMEOUT_S
        while any(_is_running(pid) for pid in processes):
            if time.monotonic() > deadline:
                raise self._trouble("left processes behind that a kill did not end")
            await asyncio.sleep(_POLL_S)

    def _is_ready(self, pid: int) -> bool:
        # Line 1 is the process id, line 8 its state: what `pg_ctl --wait` goes by as well.
        with contextlib.suppress(OSError, IndexError):
            lines = (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            return (str(pid), "ready") == (lines[0].strip(), lines[7].strip())
        return False

    def _spawn(self, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        with self.log_file.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own command line
                tied(as_postgres(argv), signal.SIGQUIT),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"},
                start_new_session=True,
            )

    def _trouble(self, what: str) -> SandboxError:
        return SandboxError(f"The private PostgreSQL {what}. The end of {self.log_file}:\n{tail(self.log_file)}")


@contextlib.asynccontextmanager
async def private_postgres(folder: Path, talk: Callable[[str], None]) -> AsyncIterator[PrivatePostgres]:
    """
    A fresh PostgreSQL with its data in `folder`; nothing of it runs any more on leaving.

    A second caller with the same folder at the same time gets a sub-folder of its own. The thread that enters must
    outlive the server, since the server ends with it.

    Raises:
        SandboxError: PostgreSQL is not installed, or the server did not start; with the end of its log.
    """
    programs = server_programs(os.environ.get("PATH", ""))
    if programs is None:
        raise SandboxError("PostgreSQL is not installed: there is no program initdb.")
    with own_folder(folder) as home, _data_folder(home) as data:
        server = PrivatePostgres(programs, data, home / "server.log")
        begun = time.monotonic()
        await server.prepare()
        try:
            await server.start()
            talk(f"A private PostgreSQL runs on 127.0.0.1:{server.port} (started in {time.monotonic() - begun:.1f} s).")
            yield server
        finally:
            await server.stop()


def server_programs(path: str) -> Path | None:
    """
    The folder with PostgreSQL's programs, the newest version first, else along `path` (as in PATH); None for none.
    """
    if not path:
        return None
    versions = sorted(Path("/").glob(_PROGRAM_FOLDERS.lstrip("/")), key=_version, reverse=True)
    found = shutil.which("initdb", path=":".join([*map(str, versions), path, *_OTHER_FOLDERS]))
    return Path(found).resolve().parent if found else None


def as_postgres(argv: Sequence[str]) -> list[str]:
    """
    The command that runs `argv` as the user `postgres` when we are root: as root PostgreSQL refuses to run.
    """
    if os.geteuid() != 0:
        return list(argv)
    setpriv = shutil.which("setpriv")
    if setpriv is None or not _has_user():
        raise SandboxError("PostgreSQL refuses to run as root, and there is no user postgres or no program setpriv.")
    # The signal is given again: the kernel forgets it when the user changes (prctl(2), PR_SET_PDEATHSIG).
    mine = ["--reuid", "postgres", "--regid", "postgres", "--init-groups", "--pdeathsig", "QUIT"]
    return [setpriv, *mine, "--", *argv]


@contextlib.contextmanager
def _data_folder(home: Path) -> Iterator[Path]:
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    with contextlib.ExitStack() as stack:
        place = home / "cluster"
        place.mkdir(mode=0o700)
        if os.geteuid() == 0 and _has_user():
            shutil.chown(place, "postgres", "postgres")
            if subprocess.run(as_postgres(["test", "-w", str(place)]), check=False).returncode != 0:  # noqa: S603
                # The project lies in a folder of root's that others may not enter.
                place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vpn-worker-postgres-")))
                shutil.chown(place, "postgres", "postgres")
        try:
            yield place / "data"
        finally:
            shutil.rmtree(place / "data", ignore_errors=True)


def _has_user() -> bool:
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        return False
    return True


def _version(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in folder.parent.name.split(".") if part.isdigit())


def _children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if _fields(stat)[1] == str(pid):
                found.append(int(stat.parent.name))
    return found


def _is_running(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return _fields(Path(f"/proc/{pid}/stat"))[0] not in {"Z", "X"}
    return False


def _fields(stat: Path) -> list[str]:
    # State and parent come after the program's name, which stands in brackets and may hold anything (proc(5)).
    return stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
