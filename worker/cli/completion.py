"""
`vpn-worker completion`: lets bash, zsh or fish complete what is typed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.errors import VpnWorkerError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Set by the scripts below: asks for candidates instead of running a command.
COMPLETE = "_VPN_WORKER_COMPLETE"
_FILES = ":files"

_BASH = r"""# vpn-worker completion for bash
_vpn_worker() {
    local line=${COMP_LINE:0:COMP_POINT} found=()
    COMPREPLY=()
    mapfile -t found < <(_VPN_WORKER_COMPLETE=bash "${1/#\~/$HOME}" "$line" 2>/dev/null)
    if [[ ${found[0]-} == :files ]]; then
        compopt -o default
    else
        COMPREPLY=("${found[@]}")
    fi
    return 0
}
complete -F _vpn_worker vpn-worker
"""
_ZSH = """\
#compdef vpn-worker
# vpn-worker completion for zsh
_vpn_worker() {
    local -a found
    found=("${(@f)$(_VPN_WORKER_COMPLETE=zsh "${(Q)words[1]}" "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ ${found[1]} == :files ]]; then
        _files
    elif [[ -n ${found[1]} ]]; then
        _describe -V vpn-worker found
    fi
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
compdef _vpn_worker vpn-worker
"""
_FISH = """\
# vpn-worker completion for fish
function __vpn_worker_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l found (env _VPN_WORKER_COMPLETE=fish $words[1] $words[2..-1] "$current" 2>/dev/null)
    if test "$found[1]" = ":files"
        __fish_complete_path "$current"
    else
        printf '%s\\n' $found
    end
end
complete --command vpn-worker --no-files --keep-order --arguments '(__vpn_worker_complete)'
"""
_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


class UnknownShell(VpnWorkerError):  # noqa: N818 - named for what the user sees
    """
    Which shell this is cannot be told; name it: `vpn-worker completion bash` (or zsh, or fish), with --install to set it up.
    """

    exit_code = 2


def completion(
    shell: Annotated[str | None, typer.Argument(help="bash, zsh or fish. Default: the one this is typed in.")] = None,
    install: Annotated[bool, typer.Option("--install", help="Set it up for this user.")] = False,
) -> None:
    """
    Print what makes the shell complete commands, options and values; or set it up.

    Neither RabbitMQ nor the ledger nor the cloud is asked for anything when something is completed.
    """
    name = shell or _detected()
    if name not in _SCRIPTS:
        raise typer.BadParameter(f"must be one of {', '.join(_SCRIPTS)}", param_hint="SHELL")
    if install:
        _install(name)
    else:
        typer.echo(_SCRIPTS[name], nl=False)


def install_completion(value: bool) -> None:
    """
    The option --install-completion, as other programs have it.
    """
    if value:
        _install(_detected())
        raise typer.Exit


def show_completion(value: bool) -> None:
    """
    The option --show-completion, as other programs have it.
    """
    if value:
        typer.echo(_SCRIPTS[_detected()], nl=False)
        raise typer.Exit


def print_candidates(app: typer.Typer, words: Sequence[str]) -> None:
    """
    What a shell is answered, a line each. Whatever goes wrong, nothing is said: somebody is in the middle of typing.
    """
    from contextlib import suppress

    from typer.main import get_command

    from worker.cli.completing import candidates

    shell = os.environ.get(COMPLETE, "")
    if shell == "bash":
        before, current, skipped = _of_bash(words[0] if words else "")
    else:
        before, current, skipped = list(words[:-1]), words[-1] if words else "", 0
    with suppress(Exception):
        found = candidates(get_command(app), before, current)
        if found is None:
            typer.echo(_FILES)
            return
        for word, means in found:
            typer.echo(_line(shell, word[skipped:], means))


def _line(shell: str, word: str, means: str) -> str:
    means = " ".join(means.split())
    match shell:
        case "zsh":
            return word.replace("\\", "\\\\").replace(":", "\\:") + (f":{means}" if means else "")
        case "fish":
            return f"{word}\t{means}" if means else word
        case _:
            return word


def _of_bash(line: str) -> tuple[list[str], str, int]:
    """
    The words of bash's line before the cursor, the one at the cursor, and how much of that bash does not replace: it
    takes what stands after a `=` or `:` for a word of its own.
    """
    import shlex

    words: list[str] = []
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        words.extend(lexer)
    except ValueError:  # in the middle of a quotation
        words.append(lexer.token)
    if not line or line[-1].isspace():
        words.append("")
    current = words[-1] if len(words) > 1 else ""
    return words[1:-1], current, max(current.rfind("="), current.rfind(":")) + 1


def _detected() -> str:
    """
    The shell that this was typed in, else the user's own.
    """
    try:
        parent = Path(f"/proc/{os.getppid()}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        parent = ""
    for name in (parent, Path(os.environ.get("SHELL", "")).name):
        if name in _SCRIPTS:
            return name
    raise UnknownShell


def _install(shell: str) -> None:
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    if shell == "fish":
        _write(config / "fish" / "completions" / "vpn-worker.fish", _FISH)
    else:
        path = data / "vpn-worker" / f"completion.{shell}"
        _write(path, _SCRIPTS[shell])
        folder = Path(os.environ.get("ZDOTDIR") or Path.home()) if shell == "zsh" else Path.home()
        _add_line(folder / f".{shell}rc", f"[ -r '{path}' ] && . '{path}'  # vpn-worker completion")
    typer.echo("It begins with the next shell that you start.", err=True)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    typer.echo(f"Written: {path}", err=True)


def _add_line(path: Path, line: str) -> None:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if line in text.splitlines():
        return
    with path.open("a", encoding="utf-8") as file:
        file.write(("" if not text or text.endswith("\n") else "\n") + line + "\n")
    typer.echo(f"Added a line to {path}", err=True)
