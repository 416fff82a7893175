"""
What could stand at the cursor of a command line: commands, options, and the values that are known without asking anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from typer.core import TyperArgument, TyperGroup, TyperOption

from worker.cli.completion_values import known_values

if TYPE_CHECKING:
    from typer._click.core import Command


class Candidate(NamedTuple):
    """
    A word that could stand there, and what it means.
    """

    word: str
    means: str = ""


#: Any file: the shell knows them best.
FILES = None


@dataclass(slots=True)
class _Place:
    """
    Where the cursor is, as far as the words before it tell.
    """

    command: Command
    words: tuple[str, ...] = ()
    waiting: TyperOption | None = None
    used: set[str] = field(default_factory=set)
    arguments: int = 0
    has_only_arguments: bool = False


def candidates(root: Command, words: Sequence[str], current: str) -> list[Candidate] | None:
    """
    What could stand for the word at the cursor.

    Args:
        root: the whole command line.
        words: those before the cursor, without the program's name.
        current: as much of the word as was typed.

    Returns:
        The candidates that begin with it, in the order in which they are best shown; FILES where any file could.
    """
    place = _place_after(root, words)
    if place is None:
        return []
    if place.waiting is not None:
        return _values(place, place.waiting, current)
    if current.startswith("-") and not place.has_only_arguments:
        return _at_option(place, current)
    if isinstance(place.command, TyperGroup):
        commands = place.command.commands.items()
        shown = [Candidate(name, one.get_short_help_str(80)) for name, one in commands if not one.hidden]
        return _fitting(shown, current)
    argument = _argument(place)
    return _fitting(_options(place), current) if argument is None else _values(place, argument, current)


def _place_after(root: Command, words: Iterable[str]) -> _Place | None:
    place = _Place(root)
    for word in words:
        if place.waiting is not None:
            place.waiting = None
        elif word == "--" and not place.has_only_arguments:
            place.has_only_arguments = True
        elif word.startswith("-") and word != "-" and not place.has_only_arguments:
            name, equals, _ = word.partition("=")
            place.used.add(name)
            option = _option(place, name)
            place.waiting = option if option is not None and _takes_value(option) and not equals else None
        elif isinstance(place.command, TyperGroup):
            command = place.command.commands.get(word)
            if command is None:
                return None
            place = _Place(command, (*place.words, word))
        else:
            place.arguments += 1
    return place


def _at_option(place: _Place, current: str) -> list[Candidate] | None:
    name, equals, part = current.partition("=")
    if not equals:
        return _fitting(_options(place), current)
    option = _option(place, name)
    if option is None or not _takes_value(option):
        return []
    values = _values(place, option, part)
    return values and [Candidate(f"{name}={word}", means) for word, means in values]


def _options(place: _Place) -> Iterator[Candidate]:
    for option in place.command.params:
        if not isinstance(option, TyperOption) or option.hidden:
            continue
        names = [*option.opts, *option.secondary_opts]
        if option.multiple or not place.used.intersection(names):
            yield from (Candidate(name, option.help or "") for name in names)
    yield Candidate("--help", "Show this message and exit.")


def _values(place: _Place, param: TyperOption | TyperArgument, current: str) -> list[Candidate] | None:
    choices = param.type_descriptor.choices
    if choices:
        return _fitting((Candidate(str(getattr(choice, "value", choice))) for choice in choices), current)
    if param.type_descriptor.is_path or any(word in param.name for word in ("file", "folder")):
        return FILES
    known = known_values(" ".join(place.words), param.name, current)
    return _fitting((Candidate(word, means) for word, means in known), current)


def _argument(place: _Place) -> TyperArgument | None:
    """
    The argument whose turn it is.
    """
    arguments = [param for param in place.command.params if isinstance(param, TyperArgument)]
    if place.arguments < len(arguments):
        return arguments[place.arguments]
    return arguments[-1] if arguments and arguments[-1].nargs == -1 else None


def _option(place: _Place, name: str) -> TyperOption | None:
    for param in place.command.params:
        if isinstance(param, TyperOption) and name in {*param.opts, *param.secondary_opts}:
            return param
    return None


def _takes_value(option: TyperOption) -> bool:
    return not option.is_flag and not option.count


def _fitting(shown: Iterable[Candidate], current: str) -> list[Candidate]:
    return [one for one in shown if one.word.startswith(current)]
