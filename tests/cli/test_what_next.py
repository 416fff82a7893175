"""
Errors say what to do next: what people meet in their first minutes, each as they would meet it.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pika
import pytest

from messages.routes import Routes
from tests.cli.terminal import at_terminal
from tests.e2e.conftest import worker_environment
from worker.broker.topology import apply_topology
from worker.cli.troubles import trouble_of
from worker.errors import BrokerUnreachable

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli
    from tests.full_broker import FullBroker

WORKER = (sys.executable, "-m", "worker")
#: How long somebody may wait for the word that a ledger is locked, on a busy machine.
SOON_S = 12.0


async def test_a_wrong_port_is_not_called_unwanted(cli: Cli) -> None:
    said = await cli(
        "check", "--only", "settings", "--json", http_port="eighty", auth="none", api_url="http://127.0.0.1:1"
    )
    findings = {one["subject"]: one for one in map(json.loads, said.lines)}

    assert 2 == said.status
    assert ("fault", "unseen") == (findings["VPN_WORKER_HTTP_PORT"]["state"], findings["HTTP port"]["state"])
    assert "VPN_WORKER_HTTP_PORT is wrong" in findings["HTTP port"]["words"]


async def test_who_may_not_read_dead_letters_hears_so_even_when_there_are_none(cli: Cli, full_node: FullBroker) -> None:
    await apply_topology(full_node.amqp_url, Routes("norights"))
    nobody = await full_node.add_user("nobody", "^$", "^$", "^$")
    refused = await cli("dead", "list", amqp_url=nobody, prefix="norights")
    allowed = await cli("dead", "list", amqp_url=full_node.amqp_url, prefix="norights")

    assert (3, "") == (refused.status, refused.out)
    assert "this user may not. Use a user that may" in refused.err
    assert (0, "0 letters.\n") == (allowed.status, allowed.err)


@pytest.mark.parametrize("words", [("requests", "list"), ("requests", "show", "x")], ids=" ".join)
async def test_a_locked_ledger_is_told_soon(cli: Cli, tmp_path: Path, words: tuple[str, ...]) -> None:
    path = tmp_path / "ledger.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        began_s = time.monotonic()
        said = await cli(*words, ledger_url=f"sqlite:///{path}")
        took_s = time.monotonic() - began_s

    assert 5 == said.status
    assert f"another process has held it for 3 s, `fuser -v {path}` shows which" in said.err
    assert took_s < SOON_S


async def test_without_a_broker_it_says_how_to_get_one(cli: Cli) -> None:
    """
    Whether RabbitMQ runs where it is by default is not for this test to know: the port of discard has none.
    """
    named = await cli("watch", "--amqp-url", "amqp://127.0.0.1:9/")

    assert 3 == named.status
    assert "check that it runs and that VPN_WORKER_AMQP_URL names it" in named.err
    assert "demo --stay" not in named.err
    assert "demo --stay" in (trouble_of(BrokerUnreachable()).remedy or "")


async def test_wrong_settings_lead_to_their_explanation(cli: Cli) -> None:
    said = await cli("watch", amqp_url="rabbit.example")

    assert 2 == said.status
    assert "`vpn-worker settings VPN_WORKER_AMQP_URL` explains it; `vpn-worker check` looks at" in said.err


@pytest.mark.parametrize("words", [("watch",), ("run",)], ids=" ".join)
async def test_ctrl_c_is_no_failure_to_explain(
    words: tuple[str, ...], amqp_url: str, prefix: str, topology: None, tmp_path: Path
) -> None:
    settings = {"amqp_url": amqp_url, "prefix": prefix, "auth": "none", "api_url": "http://127.0.0.1:1"}
    environ = worker_environment({**settings, "ledger_url": f"sqlite:///{tmp_path / 'ledger.sqlite3'}"})
    async with at_terminal([*WORKER, *words], tmp_path, environ) as terminal:
        await terminal.until({"watch": "Ctrl-C ends it", "run": '{"started": true'}[words[0]])
        terminal.type("\x03")

        assert {"watch": 130, "run": 0}[words[0]] == await terminal.end()
    assert "Traceback" not in terminal.shown


@pytest.mark.parametrize(("key", "status"), [("n\n", 1), ("\x03", 130), ("\x04", 1)], ids=["no", "Ctrl-C", "Ctrl-D"])
async def test_a_question_can_be_declined(
    key: str, status: int, amqp_url: str, prefix: str, topology: None, tmp_path: Path
) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    connection.channel().basic_publish("", f"{prefix}.dead", b"{}")
    connection.close()
    environ = worker_environment({"amqp_url": amqp_url, "prefix": prefix})
    async with at_terminal([*WORKER, "dead", "drop", "--all"], tmp_path, environ) as terminal:
        await terminal.until("Drop 1 letter for good?")
        terminal.type(key)

        assert status == await terminal.end()
    await terminal.until("Stopped; nothing was done.")
    assert "Traceback" not in terminal.shown
