"""
How the commands explain themselves: the overview, the pages of `--help`, what was meant by a misspelt word.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

from typer.core import TyperCommand, TyperGroup, TyperOption

from worker.cli.examples import examples_of
from worker.cli.exit_statuses import statuses_of

if TYPE_CHECKING:
    from typer._click.core import Command, Context
    from typer._click.formatting import HelpFormatter

#: What a person wants, in the order in which the overview shows it.
RUN, PUBLISH, LOOK, REPAIR, SET_UP, TRY = (
    "Run it",
    "Publish and watch",
    "Look",
    "Repair",
    "Set up",
    "Try it",
)
WANTS = (RUN, PUBLISH, LOOK, REPAIR, SET_UP, TRY)

_BEGIN = (
    ("vpn-worker demo", "a batch of orders, all on this machine"),
    ("vpn-worker check", "whether the settings of this shell would do"),
    ("vpn-worker run", "the worker itself"),
)
_MORE = (
    ("vpn-worker help COMMAND", "one command: options, examples, statuses"),
    ("vpn-worker completion --install", "let the shell complete what you type"),
    ("README.md, docs/", "in the source: start, how-to, reference"),
)


class Page(TyperCommand):
    """
    A command whose help ends with examples and its exit statuses.
    """

    def get_help_option(self, ctx: Context) -> TyperOption | None:
        """
        The option --help.
        """
        return _light(super().get_help_option(ctx))

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:
        """
        Writes what stands below the options.
        """
        words = words_of(ctx)
        _write_examples(words, formatter)
        with formatter.section("Exit status"):
            formatter.write_dl([(str(number), means) for number, means in statuses_of(words).items()])


class Group(TyperGroup):
    """
    Commands under one word. Without a command it shows what there is, as asked for: status 0, on standard output.
    """

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """
        Shows the help where no word follows.
        """
        return super().parse_args(ctx, args or (["--help"] if not ctx.resilient_parsing else []))

    def get_help_option(self, ctx: Context) -> TyperOption | None:
        """
        The option --help.
        """
        return _light(super().get_help_option(ctx))

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:
        """
        Writes what stands below the commands.
        """
        _write_examples(words_of(ctx), formatter)


class Overview(Group):
    """
    The command line as a whole: its commands by what a person wants.
    """

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """
        Writes the commands, what to begin with, and the options last.
        """
        wants: dict[str, list[tuple[str, str]]] = {want: [] for want in WANTS}
        for words, command in leaves(self):
            if not command.hidden:
                wants[getattr(command, "rich_help_panel", None) or TRY].append((words, _short(command)))
        width = max(len(words) for rows in wants.values() for words, _ in rows)
        for want, rows in wants.items():
            with formatter.section(want):
                formatter.write_dl([(words.ljust(width), short) for words, short in rows], col_max=width + 2)
        with formatter.section("Begin with"):
            formatter.write_dl(_BEGIN)
        super().format_options(ctx, formatter)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """
        Writes nothing: they stand above, by what a person wants.
        """

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:
        """
        Writes where to read on.
        """
        with formatter.section("Read on"):
            formatter.write_dl(_MORE, col_max=34)


def leaves(group: TyperGroup, before: str = "") -> Iterable[tuple[str, Command]]:
    """
    Every command that does something, with its words: `dead list`.
    """
    for name, command in group.commands.items():
        words = f"{before} {name}".strip()
        if isinstance(command, TyperGroup):
            yield from leaves(command, words)
        else:
            yield words, command


def words_of(ctx: Context) -> str:
    """
    The words of the command that a context is of: `dead list`; nothing for the whole.
    """
    return ctx.command_path.partition(" ")[2]


def meant(typed: str, known: Iterable[str]) -> str | None:
    """
    What somebody may have meant; None where nothing is near.
    """
    near = get_close_matches(typed, sorted(known), n=1, cutoff=0.6)
    return near[0] if near else None


def _light(option: TyperOption | None) -> TyperOption | None:
    """
    The option with a default that needs no look: for one of None, typer 0.29 loads pydantic, whatever is asked for.
    """
    if option is not None and option.default is None:
        option.default = False
    return option


def _short(command: Command) -> str:
    return command.get_short_help_str(limit=200)


def _write_examples(words: str, formatter: HelpFormatter) -> None:
    if examples := examples_of(words):
        with formatter.section("Examples"):
            for example in examples:
                formatter.write(f"{'':>{formatter.current_indent}}{example}\n")
