"""
`vpn-worker check`: every kind of trouble is told with its remedy, and the exit status says which it is.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aio_pika
import pytest

from messages.routes import Routes
from tests.cli.conftest import Cli, Said
from tests.conftest import in_postgres
from tests.e2e.conftest import StartCloud, StartWorker, worker_environment
from worker.ledger.migrations import steps
from worker.sandbox.rabbitmq import Broker
from worker.simulator import Simulator, User

Json = dict[str, Any]
Given = dict[str, Any]
#: In every URL and login here; it must never be shown.
SECRETS = ("hush-hush", "wrong-password", "right-password", "guest:guest")
USER = User("worker", "right-password")


@pytest.fixture
def dead_port() -> Iterator[int]:
    """
    A port at which nobody listens, kept from others.
    """
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


@pytest.fixture
def usual(amqp_url: str, prefix: str, cloud: Simulator, tmp_path: Path, topology: None) -> Given:
    """
    Settings of a worker that would be well.
    """
    ledger = made(tmp_path / "ledger.sqlite3", len(steps("sqlite")))
    return {
        "amqp_url": amqp_url,
        "prefix": prefix,
        "api_url": cloud.url,
        "auth": "none",
        "ledger_url": f"sqlite:///{ledger}",
    }


def made(path: Path, version: int) -> Path:
    """
    A ledger whose schema has had the first scripts, and says to have that version.
    """
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        for statement in (statement for script in steps("sqlite")[:version] for statement in script):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {version}")
    return path


def found(said: Said) -> dict[str, Json]:
    """
    The findings of `--json` by their subject; whatever is not well has a remedy, and nothing shows a secret.
    """
    lines = [json.loads(line) for line in said.lines]
    for line in lines:
        assert {"area", "subject", "state", "words", "remedy"} == set(line)
        assert line["state"] in {"ok", "unseen"} or line["remedy"], line
    assert not any(secret in said.out + said.err for secret in SECRETS)
    return {line["subject"]: line for line in lines}


def faults(said: Said) -> dict[str, Json]:
    return {subject: line for subject, line in found(said).items() if line["state"] == "fault"}


class TestAllWell:
    async def test_a_line_each_and_nothing_is_wrong(self, cli: Cli, usual: Given) -> None:
        said = await cli("check", **usual)

        assert 0 == said.status, said
        assert "FAULT" not in said.out
        assert "\x1b" not in said.out
        assert said.err.startswith("0 faults, ")
        told = [line for line in said.lines if line.startswith("ok       ")]
        assert any("settings: 5 given, none wrong" in line for line in told)
        assert any("ledger schema: Version" in line for line in told)
        assert any("API default: http://" in line for line in told)

    async def test_as_json_every_area_is_there(self, cli: Cli, usual: Given) -> None:
        said = await cli("check", "--json", **usual)

        assert 0 == said.status, said
        assert {"settings", "installation", "broker", "ledger", "cloud"} == {
            line["area"] for line in found(said).values()
        }

    async def test_beside_a_running_worker(
        self, cli: Cli, start_worker: StartWorker, cloud: Simulator, amqp_url: str, prefix: str, tmp_path: Path
    ) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        await start_worker(cloud.url, http_port=port)
        settings = {"amqp_url": amqp_url, "prefix": prefix, "api_url": cloud.url, "auth": "none", "http_port": port}

        said = await cli("check", "--json", ledger_url=f"sqlite:///{tmp_path / 'ledger.sqlite3'}", **settings)

        assert (0, {}) == (said.status, faults(said)), said
        assert f"A worker that runs here has 127.0.0.1:{port}." == found(said)["HTTP port"]["words"]

    async def test_with_postgres(self, cli: Cli, usual: Given, postgres_url: str) -> None:
        said = await cli("check", "--json", **usual | {"ledger_url": postgres_url})

        assert (0, {}) == (said.status, faults(said)), said
        assert "PostgreSQL " in found(said)["ledger server"]["words"]


class TestSettings:
    async def test_every_fault_is_told_and_the_rest_is_looked_at(self, cli: Cli, usual: Given) -> None:
        said = await cli("check", "--json", **usual | {"concurrency": "many", "lease_s": 1, "api_url": "nowhere"})

        assert 2 == said.status
        assert {"VPN_WORKER_CONCURRENCY", "VPN_WORKER_LEASE_S", "VPN_WORKER_API_URL"} == set(faults(said))
        assert "unseen" == found(said)["cloud"]["state"]
        assert "ok" == found(said)["ledger schema"]["state"]
        assert "broker" in {line["area"] for line in found(said).values() if line["state"] == "ok"}

    async def test_a_wrong_setting_does_not_keep_the_cloud_from_being_looked_at(self, cli: Cli, usual: Given) -> None:
        said = await cli("check", "--json", **usual | {"lease_s": "10", "pause_s": "never"})

        assert {"VPN_WORKER_API_TIMEOUT_S", "VPN_WORKER_PAUSE_S"} == set(faults(said))
        assert "ok" == found(said)["API default"]["state"]

    async def test_an_unknown_variable_is_a_warning(self, cli: Cli, usual: Given) -> None:
        said = await cli("check", "--json", **usual | {"concurency": 5})

        assert 0 == said.status
        line = found(said)["VPN_WORKER_CONCURENCY"]
        assert ("warning", "is no setting; did you mean VPN_WORKER_CONCURRENCY?") == (line["state"], line["words"])

    async def test_settings_that_do_not_fit_together_are_a_warning(self, cli: Cli, usual: Given) -> None:
        said = await cli("check", "--json", "--only", "settings", **usual | {"stranger_window_s": 1})

        assert 0 == said.status
        assert "warning" == found(said)["VPN_WORKER_STRANGER_WINDOW_S"]["state"]

    async def test_a_port_that_somebody_else_has(self, cli: Cli, usual: Given, cloud: Simulator) -> None:
        port = urlsplit(cloud.url).port

        said = await cli("check", "--json", "--only", "settings", **usual | {"http_port": port})

        assert (2, {"HTTP port"}) == (said.status, set(faults(said)))
        assert "VPN_WORKER_HTTP_PORT" in faults(said)["HTTP port"]["remedy"]

    async def test_an_address_of_another_machine(self, cli: Cli, usual: Given) -> None:
        said = await cli(
            "check", "--json", "--only", "settings", **usual | {"http_host": "192.0.2.1", "http_port": 8080}
        )

        assert 2 == said.status
        assert "VPN_WORKER_HTTP_HOST" in faults(said)["HTTP port"]["remedy"]

    async def test_only_what_is_asked_for_must_be_set(self, cli: Cli, usual: Given) -> None:
        """
        Who publishes has no login for the cloud.
        """
        said = await cli("check", "--json", "--only", "broker, ledger", **usual | {"auth": "token"})

        assert 0 == said.status, said
        assert {"broker", "ledger"} == {line["area"] for line in found(said).values()}

    async def test_what_is_asked_for_tells_its_own_settings(self, cli: Cli, usual: Given) -> None:
        said = await cli("check", "--json", "--only", "broker", **usual | {"amqp_url": "http://me:hush-hush@host"})

        assert (2, {"VPN_WORKER_AMQP_URL"}) == (said.status, set(faults(said)))

    async def test_an_area_that_there_is_not(self, cli: Cli) -> None:
        said = await cli("check", "--only", "broker,moon")

        assert 2 == said.status
        assert "there is no moon" in " ".join(said.err.split())


class TestBroker:
    async def test_one_that_is_down(self, cli: Cli, usual: Given, dead_port: int) -> None:
        said = await cli("check", "--json", **usual | {"amqp_url": f"amqp://me:hush-hush@127.0.0.1:{dead_port}/"})

        assert 3 == said.status
        assert {"broker"} == {line["area"] for line in faults(said).values()}
        assert "" == "".join(line for line in said.err.splitlines(keepends=True) if "Warning" in line)

    async def test_a_wrong_password(self, cli: Cli, usual: Given, amqp_url: str) -> None:
        place = urlsplit(amqp_url).netloc.rpartition("@")[2]

        said = await cli("check", "--json", **usual | {"amqp_url": f"amqp://guest:wrong-password@{place}/"})

        assert 3 == said.status
        assert {"broker"} == {line["area"] for line in faults(said).values()}

    async def test_a_wrong_virtual_host(self, cli: Cli, usual: Given, amqp_url: str) -> None:
        wrong = urlsplit(amqp_url)._replace(path="/nowhere").geturl()

        said = await cli("check", "--json", "--only", "broker", **usual | {"amqp_url": wrong})

        assert 3 == said.status
        assert "virtual host" in " ".join(line["words"] + line["remedy"] for line in faults(said).values())

    async def test_a_queue_with_other_arguments(
        self, cli: Cli, usual: Given, amqp_url: str, prefix: str, broker: Broker
    ) -> None:
        queue = Routes(prefix).requests_queue
        connection = await aio_pika.connect(amqp_url)
        async with connection:
            channel = await connection.channel()
            await channel.queue_delete(queue)
            await channel.declare_queue(queue, durable=True, arguments={"x-queue-type": "classic"})

        said = await cli("check", "--json", **usual)

        assert 4 == said.status, said
        assert any(queue in subject for subject in faults(said))


class TestLedger:
    async def test_one_of_a_newer_version(self, cli: Cli, usual: Given, tmp_path: Path) -> None:
        made(tmp_path / "newer.sqlite3", 99)

        said = await cli("check", "--json", **usual | {"ledger_url": f"sqlite:///{tmp_path / 'newer.sqlite3'}"})

        assert (5, {"ledger schema"}) == (said.status, set(faults(said)))

    async def test_one_that_is_not_there_yet(self, cli: Cli, usual: Given, folder: Path) -> None:
        said = await cli("check", "--json", **usual | {"ledger_url": "sqlite:///new.sqlite3"})

        assert 0 == said.status
        assert "warning" == found(said)["ledger file"]["state"]
        assert not (folder / "new.sqlite3").exists()

    async def test_a_file_that_can_only_be_read(self, usual: Given, tmp_path: Path) -> None:
        (tmp_path / "ledger.sqlite3").chmod(0o444)

        said = await obeying_modes("check", "--json", "--only", "ledger", **usual)

        assert (5, {"ledger file"}) == (said.status, set(faults(said)))
        assert "chown or chmod" in faults(said)["ledger file"]["remedy"]
        assert "ok" == found(said)["ledger schema"]["state"]

    async def test_a_folder_that_can_only_be_read(self, usual: Given, tmp_path: Path) -> None:
        """
        SQLite makes its log beside the file.
        """
        folder = tmp_path / "mounted"
        folder.mkdir()
        made(folder / "ledger.sqlite3", len(steps("sqlite")))
        folder.chmod(0o555)

        said = await obeying_modes(
            "check", "--json", "--only", "ledger", **usual | {"ledger_url": f"sqlite:///{folder / 'ledger.sqlite3'}"}
        )

        assert (5, {"ledger file"}) == (said.status, set(faults(said)))
        assert f"cannot write in the folder {folder}" in faults(said)["ledger file"]["words"]

    async def test_a_server_that_is_down(self, cli: Cli, usual: Given, dead_port: int) -> None:
        url = f"postgresql://me:hush-hush@127.0.0.1:{dead_port}/jobs"

        said = await cli("check", "--json", **usual | {"ledger_url": url})

        assert (5, {"ledger server"}) == (said.status, set(faults(said)))

    async def test_a_server_with_the_tables_of_something_else(self, cli: Cli, usual: Given, postgres_url: str) -> None:
        await in_postgres(postgres_url, "CREATE TABLE jobs (name text)")

        said = await cli("check", "--json", **usual | {"ledger_url": postgres_url})

        assert (5, {"ledger schema"}) == (said.status, set(faults(said)))


class TestCloud:
    async def test_a_wrong_password_is_tried_once(self, cli: Cli, usual: Given, start_cloud: StartCloud) -> None:
        cloud = await start_cloud(users=(USER,))
        login = {"auth": "token", "iam_url": f"{cloud.url}/v3", "username": USER.name, "user_domain_name": USER.domain}

        said = await cli(
            "check",
            "--json",
            **usual | login | {"password": "wrong-password", "project_id": USER.project_id, "api_url": None},
        )

        assert (1, {"login default"}) == (said.status, set(faults(said)))
        assert "unseen" == found(said)["API default"]["state"]
        assert 1 == cloud.state.failed_logins[USER.name]

    async def test_one_that_is_down(self, cli: Cli, usual: Given, dead_port: int) -> None:
        said = await cli("check", "--json", **usual | {"api_url": f"http://127.0.0.1:{dead_port}"})

        assert (1, {"API default"}) == (said.status, set(faults(said)))

    async def test_a_clock_that_would_have_services_created_twice(
        self, cli: Cli, usual: Given, cloud: Simulator
    ) -> None:
        cloud.state.clock_ahead_s = -600.0

        said = await cli("check", "--json", "--only", "cloud", **usual)

        ((subject, line),) = faults(said).items()
        assert (1, f"clock of {urlsplit(cloud.url).netloc}") == (said.status, subject)
        assert "VPN_WORKER_CLOCK_TOLERANCE_S" in line["words"]


async def test_the_worst_decides_the_exit_status(cli: Cli, usual: Given, dead_port: int) -> None:
    """
    Settings before broker before ledger before the rest; each is told all the same.
    """
    broken: Given = {"api_url": f"http://127.0.0.1:{dead_port}", "ledger_url": "sqlite:////nowhere/at/all"}

    assert 5 == (await cli("check", **usual | broken)).status

    broken["amqp_url"] = f"amqp://me:hush-hush@127.0.0.1:{dead_port}/"
    said = await cli("check", "--json", **usual | broken)

    assert 3 == said.status
    assert {"broker", "ledger", "cloud"} == {line["area"] for line in faults(said).values()}


async def test_ctrl_c_ends_it_without_a_word_of_ours(usual: Given, tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "worker", "check"),
            cwd=tmp_path,
            env=worker_environment(usual | {"amqp_url": f"amqp://me:hush-hush@127.0.0.1:{port}/"}),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(20.0):
            await asked.wait()
            process.send_signal(signal.SIGINT)
            out, err = await process.communicate()

    assert (130, b"", b"") == (process.returncode, out, err)


async def obeying_modes(*words: str, **settings: object) -> Said:
    """
    Runs the command as a user whom the modes of files bind, which they do not root.
    """
    prefix: tuple[str, ...] = ()
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("root may write everywhere, and there is no setpriv to take that away")
        capabilities = "-dac_override,-dac_read_search"
        prefix = (setpriv, f"--bounding-set={capabilities}", f"--inh-caps={capabilities}")
    process = await asyncio.create_subprocess_exec(
        *(*prefix, sys.executable, "-m", "worker", *words),
        env=worker_environment(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(20.0):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Said(process.returncode, out.decode(), err.decode())
