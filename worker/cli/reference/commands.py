"""
The commands as they are, read from the command line itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from worker.cli import app


@dataclass(frozen=True, slots=True)
class Option:
    """
    An option or argument of a command.

    Attributes:
        names: of an option its flags, the first one the usual; of an argument its word.
        is_argument: it has no flag.
        value: what is to be given, in words; empty for a flag without a value.
        meaning: as the help has it.
        default: as text; empty for none.
        variable: of the environment, that says the same; empty for none.
        is_needed: there is no default.
        is_repeatable: it can be given more than once.
    """

    names: tuple[str, ...]
    is_argument: bool
    value: str
    meaning: str
    default: str
    variable: str
    is_needed: bool
    is_repeatable: bool


def leaves(group: TyperGroup | None = None, before: str = "") -> Iterator[tuple[str, TyperCommand]]:
    """
    Every command that does something and is shown, with its words: `dead list`.
    """
    if group is None:
        whole = typer.main.get_command(app)
        assert isinstance(whole, TyperGroup)  # noqa: S101 - an app with several commands is one
        group = whole
    for name, command in group.commands.items():
        words = f"{before} {name}".strip()
        if isinstance(command, TyperGroup):
            yield from leaves(command, words)
        elif isinstance(command, TyperCommand) and not command.hidden:
            yield words, command


def options_of(command: TyperCommand) -> Iterator[Option]:
    """
    Its arguments and options, in the order of the help; without `--help`.
    """
    for param in command.params:
        if not getattr(param, "hidden", False):
            yield _option(param)


def _option(param: Any) -> Option:
    is_argument = isinstance(param, TyperArgument)
    is_flag = bool(getattr(param, "is_flag", False))
    names = (param.name.upper(),) if is_argument else (*param.opts, *param.secondary_opts)
    return Option(
        names=names,
        is_argument=is_argument,
        value="" if is_flag else _value(param),
        meaning=param.help or "",
        default=_default(param, is_flag=is_flag),
        variable=param.envvar if isinstance(param.envvar, str) else "",
        is_needed=bool(param.required),
        is_repeatable=bool(param.multiple) or param.nargs == -1,
    )


def _value(param: Any) -> str:
    kind = param.type_descriptor.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(str(one.value) for one in kind)
    words = {int: "whole number", float: "number", Path: "path"}.get(kind, "text")
    bounds = [f"{word} {bound:g}" for word, bound in (("from", param.min), ("to", param.max)) if bound is not None]
    return " ".join([words, *bounds])


def _default(param: Any, *, is_flag: bool) -> str:
    value = getattr(param.default, "value", param.default)
    if value is None or callable(value) or value in ("", [], ()) or (is_flag and value is False):
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
