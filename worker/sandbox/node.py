"""
A RabbitMQ node of our own: loopback only, fresh data, its own cookie and epmd, an ordinary process that ends with us.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from worker.errors import SandboxError
from worker.sandbox.places import free_ports, own_folder
from worker.sandbox.processes import end, tail, tied

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

# Debian's script in /usr/sbin switches to the user rabbitmq; the one it wraps runs as whoever calls it.
SERVER_FOLDERS = ("/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin", "/usr/local/sbin", "/usr/sbin")
ERLANG_FOLDERS = ("/usr/lib/erlang/bin", "/usr/local/bin", "/usr/bin", "/bin")

_START_TIMEOUT_S = 60.0
_CTL_TIMEOUT_S = 30.0
_AMQP_HEADER = b"AMQP\x00\x00\x09\x01"  # AMQP 0-9-1, 4.2.2
_POLL_S = 0.03
_LOOPBACK = "-kernel inet_dist_use_interface {127,0,0,1}"
_METHOD_FRAME = b"\x01\x00\x00"  # the answer, connection.start: a method frame on channel 0


class PrivateBroker:
    """
    One node with its own epmd. `start`, `stop` and `kill` may be awaited in any event loop, one at a time.
    """

    def __init__(self, server: Path, home: Path) -> None:
        self.home = home
        self.port, self._dist_port, self._epmd_port = free_ports(3)
        self._server = server
        self._process: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None

    @property
    def amqp_url(self) -> str:
        """
        Where clients connect; the same after a restart.
        """
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    @property
    def origin(self) -> str:
        """
        What this broker is, in words for people.
        """
        return f"a private RabbitMQ on port {self.port}, data in {self.home}"

    @property
    def has_ended(self) -> bool:
        """
        Whether the node has been started and its process is no more.
        """
        return self._process is not None and self._process.poll() is not None

    @property
    def pid(self) -> int:
        """
        The node's process id, also after its end.
        """
        if self._process is None:
            raise SandboxError("The private RabbitMQ has not been started.")
        return self._process.pid

    @property
    def epmd_pid(self) -> int:
        """
        The process id of the port mapper that serves this node alone.
        """
        if self._epmd is None:
            raise SandboxError("The private RabbitMQ has not been started.")
        return self._epmd.pid

    @property
    def log_file(self) -> Path:
        """
        What the node itself writes while it runs.
        """
        return self.home / "log" / "node.log"

    async def start(self) -> None:
        """
        Starts the node on its port and data; when it returns, AMQP is answered. Does nothing when it runs.

        Raises:
            SandboxError: it ended or did not answer within 60 s; with the end of its log.
        """
        if self._process is not None and self._process.poll() is None:
            return
        if self._epmd is None or self._epmd.poll() is not None:
            epmd = _epmd_program(self._environment()["PATH"])
            self._epmd = self._spawn([epmd, "-address", "127.0.0.1", "-port", str(self._epmd_port)])
        self._process = self._spawn([str(self._server)])
        await self._until_open(self.port, self._process)

    async def stop(self) -> None:
        """
        Ends the node in good order, SIGKILL after 10 s. The data stay. Safe to repeat.
        """
        await end(self._process, signal.SIGTERM)

    async def kill(self) -> None:
        """
        Ends the node as a power cut would. The data stay. Safe to repeat.
        """
        await end(self._process, signal.SIGKILL)

    async def close(self) -> None:
        """
        Ends the node at once, and its epmd; nothing is left running.
        """
        try:
            await self.kill()
        finally:
            await end(self._epmd, signal.SIGKILL)

    async def ctl(self, *args: str) -> str:
        """
        What `rabbitmqctl` prints for these arguments, about this node. Takes about a second.

        Raises:
            SandboxError: it failed; with what it said.
        """
        argv = [str(self._server.parent / "rabbitmqctl"), "--quiet", *args]
        process = self._spawn(argv, output=subprocess.PIPE)
        try:
            said, _ = await asyncio.to_thread(process.communicate, timeout=_CTL_TIMEOUT_S)
        except subprocess.TimeoutExpired as exc:
            raise SandboxError(f"rabbitmqctl {' '.join(args)} took more than {_CTL_TIMEOUT_S:g} s.") from exc
        finally:
            if process.poll() is None:
                process.kill()
        if process.returncode != 0:
            raise SandboxError(f"rabbitmqctl {' '.join(args)} failed: {said.decode(errors='replace').strip()}")
        return said.decode()

    def prepare(self) -> None:
        """
        Empties the folder and writes the node's settings and cookie into it.
        """
        shutil.rmtree(self.home, ignore_errors=True)
        for folder in ("data", "log", "config"):
            (self.home / folder).mkdir(parents=True)
        cookie = self.home / ".erlang.cookie"
        cookie.touch(mode=0o600)
        cookie.write_text(secrets.token_hex(20))
        cookie.chmod(0o400)  # Erlang refuses a cookie that others can read
        (self.home / "enabled_plugins").write_text("[].\n")
        (self.home / "environment.conf").touch()
        (self.home / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            "log.file.level = info\n"
            "log.console = false\n"
            "disk_free_limit.absolute = 50MB\n"
            "raft.wal_max_size_bytes = 33554432\n"
        )

    def _spawn(self, argv: Sequence[str], output: int | None = None) -> subprocess.Popen[bytes]:
        with (self.home / "log" / "output.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own command line
                tied(argv),
                stdin=subprocess.DEVNULL,
                stdout=log if output is None else output,
                stderr=log if output is None else subprocess.STDOUT,
                cwd=self.home,
                env=self._environment(),
                start_new_session=True,
            )

    def _environment(self) -> Mapping[str, str]:
        home = str(self.home)
        return {
            "PATH": ":".join(dict.fromkeys([*os.environ.get("PATH", "").split(":"), *ERLANG_FOLDERS])),
            "LANG": "C.UTF-8",
            "HOME": home,  # where Erlang looks for its cookie
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_AFLAGS": "-start_epmd false",  # never a shared one that stays behind
            "ERL_CRASH_DUMP_BYTES": "0",
            "ERL_MAX_PORTS": "8192",
            "RABBITMQ_NODENAME": f"sandbox-{self.port}@127.0.0.1",
            "RABBITMQ_USE_LONGNAME": "true",  # with the address as host there is no name to resolve
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_CONF_ENV_FILE": f"{home}/environment.conf",
            "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq.conf",
            "RABBITMQ_CONFIG_FILES": f"{home}/none/*.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{home}/advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/enabled_plugins",
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{home}/config",
            "RABBITMQ_MNESIA_BASE": f"{home}/data",
            "RABBITMQ_LOG_BASE": f"{home}/log",
            "RABBITMQ_LOGS": str(self.log_file),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{_LOOPBACK} +S 2:2 +SDcpu 1:1 +A 2",
            "RABBITMQ_MAX_NUMBER_OF_PROCESSES": "65536",  # the default tables cost 10 MB
            "RABBITMQ_MAX_NUMBER_OF_ATOMS": "1048576",
            "RABBITMQ_CTL_ERL_ARGS": f"{_LOOPBACK} +S 1:1 +SDcpu 1:1 +SDio 1",
            "RABBITMQ_CTL_DIST_PORT_MIN": "0",  # any free port: two calls at once must not meet
            "RABBITMQ_CTL_DIST_PORT_MAX": "0",
            "RUNNING_UNDER_SYSTEMD": "true",  # the script then becomes the node instead of waiting for it
        }

    async def _until_open(self, port: int, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not await amqp_answers("127.0.0.1", port, timeout_s=5):
            if process.poll() is not None:
                raise self._trouble(f"ended with status {process.returncode} while starting")
            if time.monotonic() > deadline:
                raise self._trouble(f"did not answer within {_START_TIMEOUT_S:g} s")
            await asyncio.sleep(_POLL_S)

    def _trouble(self, what: str) -> SandboxError:
        logs = [self.home / "log" / "output.log", self.log_file]
        tails = "\n".join(f"The end of {log}:\n{tail(log)}" for log in logs if log.exists())
        return SandboxError(f"The private RabbitMQ {what}. {tails}")


@contextlib.asynccontextmanager
async def private_broker(folder: Path, talk: Callable[[str], None]) -> AsyncIterator[PrivateBroker]:
    """
    A fresh RabbitMQ node with its data in `folder`; nothing of it runs any more on leaving.

    A second caller with the same folder at the same time gets a sub-folder of its own. The thread that enters must
    outlive the node, since the node ends with it.

    Raises:
        SandboxError: RabbitMQ is not installed, or the node did not start; with the end of its log.
    """
    server = server_script(os.environ.get("PATH", ""))
    if server is None:
        raise SandboxError("RabbitMQ is not installed: there is no program rabbitmq-server.")
    with own_folder(folder) as home:
        broker = PrivateBroker(server, home)
        broker.prepare()
        try:
            begun = time.monotonic()
            await broker.start()
            talk(f"A private RabbitMQ runs on 127.0.0.1:{broker.port} (started in {time.monotonic() - begun:.1f} s).")
            yield broker
        finally:
            await broker.close()
            shutil.rmtree(home / "data", ignore_errors=True)


def server_script(path: str) -> Path | None:
    """
    RabbitMQ's start script: in its usual folders, else along `path` (as in PATH); None when there is none.
    """
    found = shutil.which("rabbitmq-server", path=":".join([*SERVER_FOLDERS, path]) if path else "")
    return Path(found) if found else None


async def amqp_answers(host: str, port: int, timeout_s: float) -> bool:
    """
    Whether an AMQP 0-9-1 broker answers the protocol header there.
    """
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(_AMQP_HEADER)
                return await reader.readexactly(len(_METHOD_FRAME)) == _METHOD_FRAME
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False


def _epmd_program(path: str) -> str:
    found = shutil.which("epmd", path=path)
    if found is None:
        raise SandboxError("RabbitMQ is installed, but there is no program epmd; reinstall Erlang.")
    return found
