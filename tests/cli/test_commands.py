"""
The other commands, and what holds for all of them: quick help, clear ends, no secret shown.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pika
import pytest

from messages.schemas import contract_files
from tests.e2e.conftest import READY_S, eventually, worker_environment
from tests.e2e.proxy import AmqpProxy
from tests.e2e.shop import Shop, binary, order
from worker.sandbox.processes import Child
from worker.sandbox.rabbitmq import PrivateBroker

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli
    from worker.sandbox.rabbitmq import Broker
    from worker.simulator import Simulator

COMMANDS = (
    (), ("run",), ("publish",), ("watch",), ("simulate",), ("demo",), ("schema",), ("settings",), ("topology",),
    ("topology", "plan"), ("topology", "diff"), ("topology", "apply"), ("dead",), ("dead", "list"), ("dead", "show"),
    ("dead", "replay"), ("dead", "drop"), ("resolve",), ("requests", "list"), ("requests", "show"), ("health",),
)  # fmt: skip


#: What takes long to import, and no help needs.
HEAVY = (
    "aio_pika",
    "aiohttp",
    "asyncpg",
    "asyncio",
    "pydantic",
    "prometheus_client",
    "opentelemetry",
    "structlog",
    "yaml",
)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words) or "vpn-worker")
async def test_help_says_what_the_command_is_for(cli: Cli, words: tuple[str, ...]) -> None:
    said = await cli(*words, "--help")

    assert 0 == said.status
    assert "Usage:" in said.out


def test_the_command_line_imports_nothing_heavy() -> None:
    code = f"import sys, worker.cli; print([name for name in {HEAVY} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]" == said.stdout.strip()


def test_help_is_quick() -> None:
    """
    By processor time, which other processes do not lengthen as they do the time that passes.
    """
    took_s = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "worker", "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took_s.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(f"vpn-worker --help: {min(took_s):.2f} s of processor time")  # noqa: T201

    assert min(took_s) < 0.5


async def test_no_words_show_the_help_and_the_version_is_known(cli: Cli) -> None:
    bare, version = await cli(), await cli("--version")

    assert "Usage:" in bare.out + bare.err
    assert version.out.startswith("vpn-worker 0.")


async def test_schema_prints_each_file_and_names_them_when_asked_wrongly(cli: Cli) -> None:
    names, wrong = await cli("schema"), await cli("schema", "nonsense")
    first = names.lines[0]
    shown = await cli("schema", first)

    assert list(contract_files()) == names.lines
    assert contract_files()[first] == shown.out
    assert 2 == wrong.status
    assert first in wrong.err


async def test_schema_writes_a_folder(cli: Cli, folder: Path) -> None:
    said = await cli("schema", "--write", "contract")

    assert 0 == said.status
    assert set(contract_files()) == {
        str(f.relative_to(folder / "contract")) for f in (folder / "contract").rglob("*.*")
    }


async def test_settings_lists_every_knob_and_no_value(cli: Cli) -> None:
    secrets: dict[str, Any] = {"amqp_url": "amqp://me:s3cret@h/", "auth_token": "t0ken"}
    text, rows = await cli("settings", **secrets), await cli("settings", "--json", **secrets)
    names = [row["name"] for row in json.loads(rows.out)]

    assert {"VPN_WORKER_CONCURRENCY", "VPN_WORKER_AMQP_URL (or ..._FILE)"} <= set(names)
    assert all(name in text.out for name in names)
    assert all(row["help"] and row["range"] and row["default"] for row in json.loads(rows.out))
    assert not any(secret in said.out + said.err for secret in ("s3cret", "t0ken") for said in (text, rows))


@pytest.mark.parametrize(
    "words",
    [
        ("--fault", "nonsense:0.5"),
        ("--fault", "error_503"),
        ("--fault", "error_503:2"),
        ("--fault", "error_503:0.5:nothing"),
        ("--settle-after", "soon"),
        ("--latency-ms", "-1"),
        ("--dialect", "nonsense"),
        ("--port", "70000"),
        ("--host", "192.0.2.1"),
    ],
    ids=" ".join,
)
async def test_simulate_refuses_what_it_cannot_do_in_words(cli: Cli, words: tuple[str, ...]) -> None:
    said = await cli("simulate", *(() if "--port" in words else ("--port", "0")), *words)

    assert 2 == said.status
    assert said.err


async def test_simulate_ends_well_on_either_signal(tmp_path: Path) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        argv = [sys.executable, "-m", "worker", "simulate", "--port", "0"]
        async with Child(argv, log_file=tmp_path / "simulate.log", env=worker_environment({})) as child:
            await child.ready_line("Simulated cloud (otc) on http://127.0.0.1:", READY_S)
            os.kill(child.pid, number)
            assert 0 == await child.wait()
        assert "" == (tmp_path / "simulate.log").read_text()


async def test_topology_apply_can_be_repeated(cli: Cli, amqp_url: str, prefix: str) -> None:
    first = await cli("topology", "apply", amqp_url=amqp_url, prefix=prefix)
    second = await cli("topology", "apply", "--amqp-url", amqp_url, "--prefix", prefix)

    assert (0, 0) == (first.status, second.status)
    assert f"queue {prefix}.requests.create: created" in first.lines
    assert f"queue {prefix}.requests.create: there already" in second.lines


async def test_topology_apply_names_a_queue_that_differs(cli: Cli, amqp_url: str, prefix: str) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    connection.channel().queue_declare(f"{prefix}.dead", durable=True, arguments={"x-max-length": 1})
    connection.close()
    said = await cli("topology", "apply", amqp_url=amqp_url, prefix=prefix)

    assert 4 == said.status
    assert f"Queue {prefix}.dead exists with other arguments" in said.err
    assert 1 == len(said.err.splitlines())


async def test_run_lists_every_wrong_setting_at_once(cli: Cli) -> None:
    said = await cli("run", amqp_url="http://me:s3cret@h/", concurrency=0, lease_s="long", prefix="A B")

    assert 2 == said.status
    for name in ("AMQP_URL", "API_URL", "CONCURRENCY", "LEASE_S", "PREFIX"):
        assert f"VPN_WORKER_{name}: " in said.err
    assert "s3cret" not in said.err


async def test_ctrl_c_ends_run_well(shop: Shop, cloud: Simulator, tmp_path: Path) -> None:
    settings: dict[str, object] = {
        "amqp_url": shop.amqp_url,
        "prefix": shop.prefix,
        "api_url": cloud.url,
        "auth": "none",
        "ledger_url": f"sqlite:///{tmp_path / 'ledger.sqlite3'}",
    }
    argv = [sys.executable, "-m", "worker", "run"]
    async with Child(argv, log_file=tmp_path / "run.log", env=worker_environment(settings)) as child:
        await child.ready_line('{"started": true', READY_S)
        os.kill(child.pid, signal.SIGINT)
        async with asyncio.timeout(10):
            assert 0 == await child.wait()

    assert "worker.stopped" in (tmp_path / "run.log").read_text()
    assert "Traceback" not in (tmp_path / "run.log").read_text()


async def test_no_secret_is_ever_written(shop: Shop, cloud: Simulator, tmp_path: Path, broker: Broker) -> None:
    """
    Through good work, a refused token, a lost broker and debug logs.
    """
    if not isinstance(broker, PrivateBroker):
        pytest.skip("only a broker of our own takes new users")
    user = f"user-{shop.prefix}"
    await broker.ctl("add_user", user, "pa55w0rd")
    await broker.ctl("set_permissions", user, ".*", ".*", ".*")
    cloud.state.faults.add({"fault": "answer", "status": 401, "body": "no", "times": 2})
    settings: dict[str, object] = {
        "prefix": shop.prefix,
        "api_url": cloud.url,
        "auth_token": "t0ken-t0ken",
        "pause_s": 0.2,
        # What the broker delivers into the connection that is just being cut comes again as a stranger.
        "stranger_window_s": 0.5,
        "log_level": "debug",
        "ledger_url": f"sqlite:///{tmp_path / 'ledger.sqlite3'}",
    }
    argv = [sys.executable, "-m", "worker", "run"]
    async with AmqpProxy(f"amqp://{user}:pa55w0rd@127.0.0.1:{broker.port}/") as proxy:
        environment = worker_environment(settings | {"amqp_url": proxy.amqp_url})
        async with Child(argv, log_file=tmp_path / "run.log", env=environment) as child:
            await child.ready_line("{", READY_S)
            proxy.cut()
            await shop.publish((order(), binary()), (b"{}", binary()))
            await shop.outcomes(2)
            await broker.ctl("change_password", user, "another")
            proxy.cut()
            await eventually(lambda: "refused the login" in child.log_file.read_text(), "refusal")
            await child.stop()
    said = (tmp_path / "run.log").read_text() + "\n".join(child.lines)
    await broker.ctl("delete_user", user)

    assert "request.created" in said
    assert "t0ken" not in said
    assert "pa55w0rd" not in said
