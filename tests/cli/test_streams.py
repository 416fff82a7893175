"""
Where the output goes, and what becomes of it: terminals, pipes that close, full disks, poor encodings.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.terminal import at_terminal
from tests.e2e.conftest import worker_environment

if TYPE_CHECKING:
    from pathlib import Path

WORKER = [sys.executable, "-m", "worker"]
ESCAPE = "\x1b["
CHECK = ("check", "--only", "settings,ledger")
#: Each prints something without asking anybody.
QUIET = (("settings",), ("schema", "asyncapi.json"), ("topology", "plan"), ("--help",), CHECK)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """
    The environment of somebody without a set-up, but with a ledger to be made.
    """
    kept = worker_environment({"ledger_url": f"sqlite:///{tmp_path / 'ledger.sqlite3'}", "auth": "none"})
    return {name: value for name, value in kept.items() if name not in {"NO_COLOR", "TERM", "COLUMNS"}} | {
        "TERM": "xterm-256color"
    }


def run(
    words: tuple[str, ...], folder: Path, environ: dict[str, str], shell: str = ""
) -> subprocess.CompletedProcess[str]:
    """
    A command, with what the shell does to its streams behind it.
    """
    argv = ["bash", "-c", f'"$@" {shell}', "bash", *WORKER, *words]
    said = subprocess.run(argv, cwd=folder, env=environ, capture_output=True, text=True, timeout=30, check=False)
    assert "Traceback" not in said.stderr, said.stderr
    assert "Exception ignored" not in said.stderr, said.stderr
    return said


@pytest.mark.parametrize("words", QUIET, ids=" ".join)
def test_a_pipe_gets_no_colours(words: tuple[str, ...], tmp_path: Path, environ: dict[str, str]) -> None:
    said = run(words, tmp_path, environ)

    assert said.stdout
    assert ESCAPE not in said.stdout + said.stderr


@pytest.mark.parametrize(
    ("change", "has_colours"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)], ids=str
)
async def test_a_terminal_gets_colours_unless_they_are_not_wanted(
    change: dict[str, str], has_colours: bool, tmp_path: Path, environ: dict[str, str]
) -> None:
    async with at_terminal([*WORKER, *CHECK], tmp_path, environ | change) as terminal:
        await terminal.until("fault")

    assert has_colours == (f"{ESCAPE}3" in terminal.shown)


@pytest.mark.parametrize(("change", "has_colours"), [({}, True), ({"NO_COLOR": "1"}, False)], ids=str)
async def test_log_lines_have_colours_at_a_terminal_alone(
    change: dict[str, str], has_colours: bool, tmp_path: Path, environ: dict[str, str]
) -> None:
    nowhere = {"VPN_WORKER_AMQP_URL": "amqp://127.0.0.1:1/", "VPN_WORKER_API_URL": "http://127.0.0.1:1"}
    async with at_terminal([*WORKER, "run"], tmp_path, environ | nowhere | change) as terminal:
        await terminal.until("does not answer")

        assert 3 == await terminal.end()
    assert has_colours == (ESCAPE in terminal.shown)


@pytest.mark.parametrize("words", QUIET, ids=" ".join)
def test_a_reader_may_have_enough(words: tuple[str, ...], tmp_path: Path, environ: dict[str, str]) -> None:
    said = run(words, tmp_path, environ, "| true; exit ${PIPESTATUS[0]}")

    assert 0 == said.returncode
    assert "written" not in said.stderr


@pytest.mark.parametrize("words", QUIET, ids=" ".join)
def test_a_full_disk_is_told(words: tuple[str, ...], tmp_path: Path, environ: dict[str, str]) -> None:
    said = run(words, tmp_path, environ, "> /dev/full")

    assert 1 == said.returncode
    assert "vpn-worker: The output cannot be written (No space left on device)" in said.stderr


def test_a_full_disk_is_told_as_json(tmp_path: Path, environ: dict[str, str]) -> None:
    said = run(("settings", "--json"), tmp_path, environ | {"PYTHONUNBUFFERED": "1"}, "> /dev/full")

    assert "No space left" in json.loads(said.stderr.splitlines()[-1])["error"]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "2> /dev/full"])
@pytest.mark.parametrize("words", [("topology", "plan"), ("watch", "--count", "x")], ids=" ".join)
def test_closed_streams_harm_nothing(
    words: tuple[str, ...], closed: str, tmp_path: Path, environ: dict[str, str]
) -> None:
    said = run(words, tmp_path, environ, closed)

    assert said.returncode == (2 if "watch" in words else 0)


@pytest.mark.parametrize(
    "poor", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}], ids=str
)
def test_a_poor_encoding_stops_nothing(poor: dict[str, str], tmp_path: Path, environ: dict[str, str]) -> None:
    name = os.fsdecode("größe-".encode() + b"\x80.json")
    for words in (("publish", name), ("dead", "drop", "--reason", name), ("help", name), ("resolve", name, name)):
        said = run(words, tmp_path, environ | poor)

        assert 2 == said.returncode
        assert said.stderr.isascii()


def test_bytes_that_are_no_text_are_shown_as_escapes(tmp_path: Path, environ: dict[str, str]) -> None:
    said = run(("publish", os.fsdecode(b"order-\x80.json")), tmp_path, environ)

    assert "The file order-\\udc80.json cannot be read: No such file or directory" in said.stderr
