"""
What programs read: every command has JSON, and errors are JSON too where it was asked for.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.main import get_command

from worker.cli import app
from worker.cli.pages import Overview, leaves

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli, Said
    from tests.e2e.conftest import StartWorker
    from worker.simulator import Simulator

#: Commands without the option, and why a program does not miss it.
WITHOUT = {
    "run": "prints one line of JSON when it has started; its logs are JSON wherever they go to no terminal",
    "publish": "prints lines of JSON always",
    "completion": "prints a script, which a shell reads",
    "help": "is text for people",
}


def trouble(said: Said) -> dict[str, Any]:
    """
    The error at the end of standard error.
    """
    told: dict[str, Any] = json.loads(said.err.splitlines()[-1])
    assert set(told) <= {"error", "exit_status", "remedy", "faults"}
    assert said.status == told["exit_status"]
    return told


def test_every_command_has_json() -> None:
    root = get_command(app)
    assert isinstance(root, Overview)
    without = {words for words, command in leaves(root) if not any("--json" in param.opts for param in command.params)}

    assert without <= set(WITHOUT)


@pytest.mark.parametrize(
    ("words", "settings", "status", "told"),
    [
        (("dead", "replay", "--json"), {}, 2, "say which letters"),
        (("nonsense", "--json"), {}, 2, "no such command"),
        (("requests", "show", "--json"), {}, 2, "missing argument"),
        (("dead", "list", "--json"), {"amqp_url": "amqp://u:s3cret@127.0.0.1:1/"}, 3, "does not answer"),
        (("requests", "list", "--json"), {"ledger_url": "sqlite:////nowhere/ledger"}, 5, "There is no ledger"),
        (("health", "--json", "--url", "http://127.0.0.1:1"), {}, 1, "does not answer"),
        (("topology", "diff", "--json"), {"amqp_url": "http://x"}, 2, "VPN_WORKER_AMQP_URL"),
        (("simulate", "--json", "--dialect", "nonsense"), {}, 2, "dialect"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
async def test_an_error_is_one_object_at_the_end_of_standard_error(
    cli: Cli, words: tuple[str, ...], settings: dict[str, Any], status: int, told: str
) -> None:
    said = await cli(*words, **settings)
    found = trouble(said)

    assert status == said.status
    assert told in found["error"]
    assert "s3cret" not in said.err
    assert not said.out


async def test_wrong_settings_are_listed_one_by_one(cli: Cli) -> None:
    said = await cli("topology", "diff", "--json", amqp_url="http://x", prefix="A B")
    faults = trouble(said)["faults"]

    assert {"VPN_WORKER_AMQP_URL", "VPN_WORKER_PREFIX"} == {fault["place"] for fault in faults}
    assert all(fault["words"] for fault in faults)


async def test_a_word_after_the_end_of_options_asks_for_nothing(cli: Cli) -> None:
    said = await cli("requests", "show", "--ledger-url", "sqlite:////nowhere/ledger", "--", "--json")

    assert 5 == said.status
    assert said.err.startswith("vpn-worker: ")


async def test_schema_tells_its_files(cli: Cli, folder: Path) -> None:
    names, written = await cli("schema", "--json"), await cli("schema", "--json", "--write", "contract")

    assert "asyncapi.json" in {json.loads(line)["name"] for line in names.lines}
    assert all((folder / json.loads(line)["path"]).is_file() for line in written.lines)


async def test_settings_tells_those_that_are_asked_for(cli: Cli) -> None:
    said = await cli("settings", "follow", "VPN_WORKER_AMQP_URL_FILE", "--json")

    assert ["VPN_WORKER_FOLLOW", "VPN_WORKER_AMQP_URL (or ..._FILE)"] == [row["name"] for row in json.loads(said.out)]


async def test_apply_tells_what_became_of_each_thing(cli: Cli, amqp_url: str, prefix: str) -> None:
    said = await cli("topology", "apply", "--json", amqp_url=amqp_url, prefix=prefix)
    rows = [json.loads(line) for line in said.lines]

    assert {"kind": "queue", "name": f"{prefix}.dead", "became": "created"} in rows
    assert {"exchange", "queue", "binding"} == {row["kind"] for row in rows}


async def test_health_tells_every_check(cli: Cli, start_worker: StartWorker, cloud: Simulator) -> None:
    worker = await start_worker(cloud.url, http_port=0)
    await worker.until_ready()
    said = await cli("health", "--json", "--url", await worker.http_url())
    told = json.loads(said.out)

    assert 0 == said.status
    assert (True, 200) == (told["is_well"], told["status"])
    assert "ok" == told["answer"]["checks"]["consumer"]["state"]
