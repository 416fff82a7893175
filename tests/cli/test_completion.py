"""
What a shell completes: the candidates themselves, and the scripts in the real shells that are here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
from typer.main import get_command

from messages.events import EVENTS, VpnServiceStatusChanged
from messages.schemas import contract_files
from tests.cli.terminal import at_terminal
from worker.cli import app, completion_values
from worker.cli.completing import FILES, candidates
from worker.core.letters import REASONS
from worker.core.records import STATES
from worker.profiles import profile_names
from worker.settings import Settings

if TYPE_CHECKING:
    from tests.cli.conftest import Cli

BIN = Path(sys.executable).parent
#: How each shell is started without anybody's own set-up, and how it is told.
SHELLS = {
    "bash": (("bash", "--norc", "--noprofile", "-i"), 'eval "$(vpn-worker completion bash)"'),
    "zsh": (("zsh", "-f", "-i"), 'eval "$(vpn-worker completion zsh)"'),
    "fish": (("fish", "--no-config", "-i"), "vpn-worker completion fish | source"),
}
READY = "it-is-ready"


def words_for(line: str) -> list[str] | None:
    """
    The candidates at the end of a line; None for any file.
    """
    *before, current = line.split(" ")
    found = candidates(get_command(app), before, current)
    return FILES if found is None else [one.word for one in found]


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("", {"run", "publish", "dead", "requests", "check"}),
        ("de", {"demo", "dead"}),
        ("dead ", {"list", "show", "replay", "drop"}),
        ("dead list --re", {"--reason", "--request"}),
        ("dead list --reason ", set(REASONS)),
        ("dead list --reason=f", {"--reason=failed", "--reason=foreign"}),
        ("requests list --state open --state in", {"in_doubt"}),
        ("requests list --since ", {"15m", "1d"}),
        ("publish --mode ", {"binary", "structured", "plain"}),
        ("publish --follow s", {"settled"}),
        ("health --probe ", {"live", "ready", "startup"}),
        ("check --only ", {"settings", "broker", "cloud"}),
        ("check --only broker,l", {"broker,ledger"}),
        ("watch vpnservice.re", {"vpnservice.rejected"}),
        ("schema as", {"asyncapi.json"}),
        ("settings VPN_WORKER_PRE", {"VPN_WORKER_PREFIX"}),
        ("simulate --dialect h", {"huawei"}),
        ("run --log-level w", {"warning"}),
        ("topology ", {"plan", "diff", "apply"}),
    ],
)
def test_it_is_known_what_could_stand_there(line: str, some: set[str]) -> None:
    found = words_for(line) or []

    assert some <= set(found)
    assert all(word.startswith(line.rpartition(" ")[2]) for word in found)


def test_an_option_that_was_given_is_offered_once_more_only_where_it_may_repeat() -> None:
    assert "--prefix" not in (words_for("watch --prefix x --") or [])
    assert "--count" in (words_for("watch --prefix x --") or [])
    assert "--state" in (words_for("requests list --state open --") or [])


@pytest.mark.parametrize("line", ["publish ", "publish orders", "schema --write "])
def test_files_are_left_to_the_shell(line: str) -> None:
    assert words_for(line) is FILES


@pytest.mark.parametrize("line", ["nonsense ", "publish --name ", "dead nonsense x", "resolve "])
def test_where_nothing_is_known_nothing_is_offered(line: str) -> None:
    assert words_for(line) == []


def test_what_is_written_out_is_what_the_code_knows() -> None:
    keys = {f"{kind.key}.*" if kind is VpnServiceStatusChanged else kind.key for kind in EVENTS}

    assert {name for name, _ in completion_values.KEYS} == keys
    assert (*STATES, "open") == completion_values.STATES
    assert completion_values.REASONS == REASONS
    assert set(contract_files()) == set(completion_values.CONTRACT_FILES)
    assert set(profile_names()) == set(completion_values.DIALECTS)
    assert {f"VPN_WORKER_{name.upper()}" for name in Settings.model_fields} == set(completion_values.setting_names())
    assert set(get_args(Settings.model_fields["auth"].annotation)) == set(completion_values.AUTHS)
    assert set(get_args(Settings.model_fields["log_level"].annotation)) == set(completion_values.LOG_LEVELS)
    assert set(get_args(Settings.model_fields["log_format"].annotation)) == set(completion_values.LOG_FORMATS)


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """
    The environment of a user without any set-up, who has `vpn-worker` in the path; no broker or ledger is to be had.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VPN_WORKER_", "XDG_"))}
    paths = {"HOME": str(tmp_path), "ZDOTDIR": str(tmp_path), "PATH": f"{BIN}:{os.environ['PATH']}"}
    nowhere = {"VPN_WORKER_AMQP_URL": "amqp://127.0.0.1:1/", "VPN_WORKER_LEDGER_URL": "sqlite:////nowhere/ledger"}
    return kept | paths | nowhere | {"TERM": "xterm", "COLUMNS": "200"}


@pytest.mark.parametrize("shell", SHELLS)
async def test_a_real_shell_completes(shell: str, tmp_path: Path, home: dict[str, str]) -> None:
    argv, load = SHELLS[shell]
    if shutil.which(argv[0]) is None:
        pytest.skip(f"there is no {argv[0]} on this machine")
    (tmp_path / "my-order.json").touch()
    lines = (
        ("vpn-worker dead rep", "dead replay"),
        ("vpn-worker dead list --reas", "--reason"),
        ("vpn-worker dead list --reason=rej", "--reason=rejected"),
        ("vpn-worker check --only broker,le", "broker,ledger"),
        ("vpn-worker publish my-o", "my-order.json"),
    )
    async with at_terminal(argv, tmp_path, home) as terminal:
        terminal.type(f"{load}; echo {READY[:3]}{READY[3:]!r}\n")
        await terminal.until(READY)
        for typed, wanted in lines:
            before = len(terminal.shown)
            terminal.type(f"{typed}\t")
            await terminal.until(wanted, before)
            terminal.type("\x15")  # Ctrl-U: away with the line


async def test_bash_completes_a_worker_named_by_its_path(tmp_path: Path, home: dict[str, str]) -> None:
    async with at_terminal(SHELLS["bash"][0], tmp_path, home) as terminal:
        terminal.type(f"{SHELLS['bash'][1]}; echo {READY[:3]}{READY[3:]!r}\n")
        await terminal.until(READY)
        terminal.type(f"{BIN}/vpn-worker topo\t")

        await terminal.until("vpn-worker topology")


@pytest.mark.parametrize("shell", SHELLS)
def test_installing_it_twice_is_as_good_as_once(shell: str, tmp_path: Path, home: dict[str, str]) -> None:
    argv = [sys.executable, "-m", "worker", "completion", shell, "--install"]
    for _ in range(2):
        said = subprocess.run(argv, env=home, cwd=tmp_path, capture_output=True, text=True, check=True)
    files = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}

    assert "next shell" in said.stderr
    assert not said.stdout
    if shell == "fish":
        assert [".config/fish/completions/vpn-worker.fish"] == list(files)
    else:
        script = f".local/share/vpn-worker/completion.{shell}"
        assert {script, f".{shell}rc"} == set(files)
        assert 1 == files[f".{shell}rc"].count(f"{tmp_path / script}' ] && ")


async def test_an_installed_completion_works_in_the_next_shell(tmp_path: Path, home: dict[str, str]) -> None:
    async with at_terminal(["bash", "--noprofile", "-i"], tmp_path, home) as terminal:
        terminal.type(f"vpn-worker completion --install && exec bash --noprofile -i\necho {READY[:3]}{READY[3:]!r}\n")
        await terminal.until(READY)
        terminal.type("vpn-worker publ\t")

        await terminal.until("vpn-worker publish")


@pytest.mark.parametrize("option", ["--show-completion", "--install-completion"])
def test_the_usual_options_find_the_shell_out(option: str, tmp_path: Path, home: dict[str, str]) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "worker", option],
        env=home | {"SHELL": "/usr/bin/fish"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert ("complete --command vpn-worker" in said.stdout) == (option == "--show-completion")
    assert (tmp_path / ".config/fish/completions/vpn-worker.fish").exists() == (option == "--install-completion")


async def test_a_shell_that_is_not_known_is_asked_for(cli: Cli) -> None:
    wrong = await cli("completion", "tcsh")

    assert 2 == wrong.status
    assert "must be one of bash, zsh, fish" in wrong.err


def test_completing_loads_nothing_heavy(home: dict[str, str], tmp_path: Path) -> None:
    """
    Somebody waits for it with a finger on the key; and what is not loaded can ask neither broker nor ledger nor cloud.
    """
    code = (
        "import sys; sys.argv = ['vpn-worker', 'vpn-worker settings VPN_']; import worker.cli as cli; cli.main(); "
        "print([name for name in ('pydantic', 'rich', 'asyncio', 'aiohttp', 'aio_pika', 'sqlite3', 'socket', 'ssl') "
        "if name in sys.modules], file=sys.stderr)"
    )
    asked = home | {"_VPN_WORKER_COMPLETE": "bash"}
    said = subprocess.run(
        [sys.executable, "-c", code], env=asked, cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert "[]" == said.stderr.strip()
    assert "VPN_WORKER_PREFIX" in said.stdout


@pytest.mark.parametrize("line", ["vpn-worker publish 'half a quot", "vpn-worker dead list --nonsense=", "", "x y z"])
def test_an_odd_line_is_answered_with_silence(line: str, home: dict[str, str], tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "worker", line],
        env=home | {"_VPN_WORKER_COMPLETE": "bash"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert not said.stderr
