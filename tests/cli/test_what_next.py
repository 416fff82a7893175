"""
Errors say what to do next: what people meet in their first minutes, each as they would meet it.
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from messages.routes import Routes
from worker.broker.topology import apply_topology

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli
    from tests.full_broker import FullBroker

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
