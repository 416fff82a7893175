"""
The words of a shell command, and whether they are commands, flags and targets that there are.
"""

from __future__ import annotations

import enum
import re
import shlex
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import typer.main
from typer.core import TyperArgument, TyperGroup, TyperOption

from tests.docs_run.pages import ROOT, is_open, without_comments
from worker.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_KEYWORDS = frozenset({"do", "then", "else", "if", "while", "!", "sudo", "time", "exec", "umask"})
_BETWEEN = re.compile(r"[;&|()]+")
_REDIRECTION = re.compile(r"[<>][<>&]*")
#: A value that a reader puts something of his own for, or that is cut short.
_PLACEHOLDER = re.compile(r"[A-Z][A-Z_]*|<.*>|.*(\.\.\.|…).*|.*\$.*")
#: What begins a path within the project.
_PROJECT_PATH = re.compile(r"(?:\./)?((?:docs|deploy|tests|benchmarks|examples|worker|messages)/[\w./-]+)")


@cache
def tree() -> TyperGroup:
    """
    All commands of `vpn-worker`.
    """
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    return root


@cache
def flags() -> frozenset[str]:
    """
    The flags of all commands, and of the scripts in deploy/.
    """
    scripts = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "deploy").rglob("*.sh")))
    return frozenset({"--help", *_flags_of(tree()), *re.findall(r"--[a-z][a-z0-9-]*", scripts)})


@cache
def targets() -> frozenset[str]:
    """
    The targets of the Makefile.
    """
    return frozenset(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def simple_commands(command: str) -> list[list[str]]:
    """
    A command line as the commands it is made of, each as its words; without comments, variables and redirections.
    """
    command = re.sub(r"<<-?\s*['\"]?(\w+)['\"]?([^\n]*)\n(?:.*\n)*?\1$", r"\2", command, flags=re.MULTILINE)
    written = without_comments(command).replace("\\\n", " ").replace("\n", " ; ")
    if is_open(written):
        return []
    lexer = shlex.shlex(written, posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split, lexer.commenters = True, ""
    found, words = [], list[str]()
    is_target = False
    for word in lexer:
        if _BETWEEN.fullmatch(word):
            found.append(words)
            words = []
        elif _REDIRECTION.fullmatch(word):
            is_target = True
            if words and words[-1].isdigit():
                words.pop()
        elif is_target:
            is_target = False
        else:
            words.append(word)
    return [stripped for words in [*found, words] if (stripped := _without_assignments(words))]


def faults_of(command: str, *, made: Sequence[str] = (), is_prose: bool = False) -> list[str]:
    """
    What is wrong with a command line: a command, flag, target, module or file that there is not.

    Args:
        made: files that the reader has made.
        is_prose: it is a mention: `[...]` may be left out, `a|b` is one of these, values may be missing.
    """
    faults = [f"there is no {path}" for path in _paths(command) if path not in made and not (ROOT / path).exists()]
    if is_prose:
        command = command.replace("[OPTIONS]", " ").replace("[", " ").replace("]", " ")
    commands = [_split(command)] if is_prose else simple_commands(command)
    for words in commands:
        faults += _faults_of_words(words, is_prose=is_prose)
    return faults


def _faults_of_words(words: Sequence[str], *, is_prose: bool) -> Iterator[str]:
    for at, word in enumerate(words):
        name = word.rpartition("/")[2]
        if name == "vpn-worker" and not word.endswith("/") and _is_program(words, at):
            yield from faults_of_ours(words[at + 1 :], is_prose=is_prose)
            return
        if name == "make" and at == 0:
            named = [target for target in words[1:] if not target.startswith("-") and "=" not in target]
            yield from (
                f"there is no target {target}" for target in named if target not in targets() and target != "..."
            )
            return
        if name.startswith("python") and words[at + 1 : at + 2] == ["-m"] and len(words) > at + 2:
            module = words[at + 2]
            if module == "worker":
                yield from faults_of_ours(words[at + 3 :], is_prose=is_prose)
            elif find_spec(module.split(".")[0]) is None or (
                module.split(".")[0] in {"tests", "benchmarks", "deploy"} and find_spec(module) is None
            ):
                yield f"there is no module {module}"
            return


def _flags_of(command: Any) -> Iterator[str]:
    for option in command.params:
        yield from (*option.opts, *option.secondary_opts)
    for one in getattr(command, "commands", {}).values():
        yield from _flags_of(one)


def _is_program(words: Sequence[str], at: int) -> bool:
    """
    Whether `vpn-worker` is what runs there, and not the name of an image, a unit or a user.
    """
    if at == 0:
        return True
    behind = words[at + 1 : at + 2]
    return words[0] in {"docker", "kubectl"} and bool(behind) and behind[0] in tree().commands


def faults_of_ours(words: Sequence[str], *, is_prose: bool = False) -> list[str]:
    """
    What is wrong with the words behind `vpn-worker`.
    """
    command: Any = tree()
    rest = list(words)
    while isinstance(command, TyperGroup) and rest and not rest[0].startswith("-"):
        names = rest.pop(0).split("|")
        if is_prose and (names == ["..."] or _PLACEHOLDER.fullmatch(names[0])):
            return []
        if unknown := [name for name in names if name not in command.commands]:
            return [f"`{command.name}` has no command {', '.join(unknown)}"]
        command = command.commands[names[0]]
    return _faults_of_arguments(command, rest, is_prose=is_prose)


def _faults_of_arguments(command: Any, words: list[str], *, is_prose: bool) -> list[str]:
    flags = {flag: option for option in command.params for flag in (*option.opts, *option.secondary_opts)}
    room = sum(1 if one.nargs == 1 else 1000 for one in command.params if isinstance(one, TyperArgument))
    faults, given, rest = [], 0, list(words)
    while rest:
        flag, has_value, value = rest.pop(0).partition("=")
        if flag in {"--help", "--install-completion", "--show-completion", "..."}:
            continue
        if not flag.startswith("-") or flag == "-":
            given += 1
            continue
        option = flags.get(flag)
        if option is None:
            faults.append(f"`{command.name}` has no {flag}")
            continue
        if isinstance(option, TyperOption) and option.is_flag:
            continue
        if not has_value and not rest:
            faults += [] if is_prose else [f"{flag} needs a value"]
            continue
        value = value if has_value else rest.pop(0)
        faults += _faults_of_value(flag, option, value)
    if isinstance(command, TyperGroup) and given == 0 and not is_prose and not words:
        faults.append(f"`{command.name}` needs a command")
    return faults + ([f"`{command.name}` takes no more than {room} words"] if given > room else [])


def _faults_of_value(flag: str, option: Any, value: str) -> list[str]:
    kind = option.type_descriptor.annotation
    if not (isinstance(kind, type) and issubclass(kind, enum.Enum)) or _PLACEHOLDER.fullmatch(value):
        return []
    choices = {str(choice.value) for choice in kind}
    return [f"{flag} cannot be {one}" for one in value.split("|") if one not in choices]


def _paths(command: str) -> list[str]:
    return [
        found.rstrip("./")
        for word in re.split(r"[\s'\"=;|&()]+", command)
        if (fits := _PROJECT_PATH.fullmatch(word)) and not re.search(r"[*<>]|\.\.\.", found := fits[1])
    ]


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote alone
        return text.split()


def _without_assignments(words: list[str]) -> list[str]:
    at = 0
    while at < len(words) and (words[at] in _KEYWORDS or re.fullmatch(r"[A-Za-z_]\w*=.*", words[at])):
        at += 1
    return words[at:]
