"""
How the command line explains itself: the overview, help, words that were misspelt, exit statuses.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.main import get_command

from tests.e2e.conftest import worker_environment
from worker import errors
from worker.cli import app
from worker.cli.examples import EXAMPLES
from worker.cli.exit_statuses import EXIT_STATUSES, statuses_of, statuses_table
from worker.cli.pages import WANTS, Overview, leaves
from worker.ledger.sqlite_file import open_database

if TYPE_CHECKING:
    from tests.cli.conftest import Cli

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "command-line.md"


def commands() -> list[str]:
    """
    Every command that does something.
    """
    root = get_command(app)
    assert isinstance(root, Overview)
    return [words for words, _ in leaves(root)]


async def test_alone_it_shows_what_it_can_do(cli: Cli) -> None:
    """
    Asked for nothing, it was asked what there is: standard output, and status 0.
    """
    said = await cli()
    heads = [line.removesuffix(":") for line in said.lines if line and not line.startswith(" ")]

    assert (0, "") == (said.status, said.err)
    assert [*WANTS, "Begin with", "Options", "Read on"] == heads[1:]
    assert all(re.search(rf"^  {words} +\S", said.out, re.MULTILINE) for words in commands() if words != "help")
    assert max(map(len, said.lines)) <= 80
    assert "..." not in said.out.replace("COMMAND ...", "")


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("help",)], ids=" ".join)
async def test_every_way_to_ask_for_help_gives_the_same(cli: Cli, words: tuple[str, ...]) -> None:
    assert (await cli()).out == (await cli(*words)).out


async def test_a_word_that_has_commands_shows_them(cli: Cli) -> None:
    alone, asked = await cli("dead"), await cli("help", "dead")

    assert 0 == alone.status
    assert alone.out == asked.out
    assert "vpn-worker dead replay --reason" in alone.out


async def test_help_of_a_command_has_examples_and_exit_statuses(cli: Cli) -> None:
    short, long = await cli("dead", "replay", "-h"), await cli("help", "dead", "replay")

    assert short.out == long.out
    assert "Examples:\n  vpn-worker dead replay" in short.out
    assert re.search(r"^  1 +letters were left$", short.out, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("pubish",), "vpn-worker: no such command 'pubish'. Did you mean 'publish'?"),
        (("dead", "replya"), "vpn-worker dead: no such command 'replya'. Did you mean 'replay'"),
        (("publish", "--nme", "x"), "vpn-worker publish: no such option: --nme; did you mean --name?"),
        (("requests", "show"), "vpn-worker requests show: missing argument 'id'."),
        (("health", "--probe", "soon"), "vpn-worker health: invalid value for '--probe': "),
        (("dead", "replay"), "vpn-worker dead replay: say which letters"),
        (("resolve", "x"), "vpn-worker resolve: say either --created SERVICE_ID or --not-created"),
        (("help", "pubish"), "there is no pubish in `vpn-worker`; did you mean publish?"),
        (("schema", "asyncapi"), "there is no asyncapi; did you mean asyncapi.json?"),
        (("settings", "FOLOW"), "there is no FOLOW; did you mean VPN_WORKER_FOLLOW?"),
        (("watch", "--count", "many"), "vpn-worker watch: invalid value for '--count'"),
        (("run", "now"), "vpn-worker run: got unexpected extra argument"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
async def test_what_was_typed_wrongly_is_named_with_what_to_type(cli: Cli, words: tuple[str, ...], told: str) -> None:
    said = await cli(*words)

    assert (2, "") == (said.status, said.out)
    assert told in said.err
    assert "For example: vpn-worker" in said.err or "`vpn-worker help` shows every command" in said.err
    assert len(said.err.splitlines()) <= 3


def test_every_command_has_examples_that_can_be_typed() -> None:
    root = get_command(app)
    assert isinstance(root, Overview)
    known = dict(leaves(root))

    assert set(known) == set(EXAMPLES)
    for words, examples in EXAMPLES.items():
        options = {name for param in known[words].params for name in (*param.opts, *param.secondary_opts)}
        for example in examples:
            assert f"vpn-worker {words}" in example
            assert set(re.findall(r"(?<= )--[a-z-]+", example)) <= options, example


def test_every_status_of_an_error_is_in_the_table() -> None:
    """
    Also where a command has an error of its own.
    """
    found = [kind for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "exit_code")]

    assert len(found) > 10
    assert {kind.exit_code for kind in found} <= set(EXIT_STATUSES)
    assert all(set(statuses_of(words)) <= set(EXIT_STATUSES) for words in commands())


def test_the_documentation_has_the_same_table() -> None:
    assert statuses_table() in PAGE.read_text()


def test_help_loads_nothing_heavy() -> None:
    """
    Beside a limit in seconds, which a slow machine breaks: what takes long to load is not loaded for any help.
    """
    heavy = [
        "aiohttp",
        "aio_pika",
        "aiormq",
        "asyncpg",
        "asyncio",
        "pydantic",
        "rich",
        "structlog",
        "yaml",
        "opentelemetry",
        "uvloop",
        "sqlite3",
    ]
    for words in ("--help", "publish --help", "dead replay --help", "check --help", "nonsense"):
        code = f"import sys; sys.argv = ['vpn-worker', *{words.split()!r}]\nimport worker.cli\n"
        code += "try:\n    worker.cli.main()\nexcept SystemExit:\n    pass\n"
        code += f"print([name for name in {heavy!r} if name in sys.modules])"
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

        assert "[]" == said.stdout.splitlines()[-1], words


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        (
            "requests list --ledger-url sqlite:///ledger.sqlite3",
            "aiohttp aio_pika aiormq asyncpg uvloop",
        ),
        ("topology plan", "aiohttp asyncpg prometheus_client uvloop"),
        ("dead list --amqp-url amqp://127.0.0.1:9/", "aiohttp asyncpg prometheus_client uvloop"),
        ("check --only settings,installation", "asyncpg uvloop"),
        ("health --url http://127.0.0.1:9", "aiohttp aio_pika asyncio asyncpg structlog rich"),
        ("schema", "aiohttp aio_pika asyncpg structlog rich"),
    ],
    ids=lambda value: value.split(" --")[0],
)
def test_a_look_loads_only_what_it_needs(words: str, heavy: str, tmp_path: Path) -> None:
    with closing(open_database(tmp_path / "ledger.sqlite3")):
        code = f"import sys; sys.argv = ['vpn-worker', *{words.split()!r}]\nimport worker.cli\n"
        code += "try:\n    worker.cli.main()\nexcept SystemExit:\n    pass\n"
        code += f"print([name for name in {heavy.split()!r} if name in sys.modules])"
        argv = [sys.executable, "-c", code]
        said = subprocess.run(
            argv, capture_output=True, text=True, check=True, cwd=tmp_path, env=worker_environment({})
        )

    assert "[]" == said.stdout.splitlines()[-1]


def test_the_quickest_start_is_quick() -> None:
    """
    The best of several, since other processes lengthen the time that passes; half a second is what a person may wait.
    """
    took_s = []
    for _ in range(5):
        began_s = time.perf_counter()
        subprocess.run([sys.executable, "-m", "worker", "publish", "--help"], capture_output=True, check=True)
        took_s.append(time.perf_counter() - began_s)

    assert min(took_s) < 2.0, took_s
