"""
Every command with its arguments, options and exit statuses.
"""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc

from typer.core import TyperCommand

from worker.cli.examples import examples_of
from worker.cli.exit_statuses import EXIT_STATUSES, statuses_of
from worker.cli.reference.commands import Option, leaves, options_of
from worker.cli.reference.markdown import code, table


def command_list_part() -> str:
    """
    The commands with their first sentence, each a link.
    """
    rows = (
        (f"[`vpn-worker {words}`](#vpn-worker-{words.replace(' ', '-')})", _first(command))
        for words, command in leaves()
    )
    return table(("command", "what it does"), rows)


def commands_part() -> str:
    """
    A section for each command.
    """
    return "\n\n".join(_section(words, command) for words, command in leaves())


def exit_statuses_part() -> str:
    """
    What each exit status means, whichever command ends with it.
    """
    return table(("status", "meaning"), ((str(number), meaning) for number, meaning in EXIT_STATUSES.items()))


def command_statuses_part() -> str:
    """
    What a status means of one command, where that says more than the general words.
    """
    rows = (
        (code(words), str(number), meaning)
        for words, _ in leaves()
        for number, meaning in statuses_of(words).items()
        if meaning != EXIT_STATUSES[number]
    )
    return table(("command", "status", "meaning"), rows)


def _section(words: str, command: TyperCommand) -> str:
    options = list(options_of(command))
    parts = [f"## vpn-worker {words}", f"`{_usage(words, options)}`", *_paragraphs(command)]
    if options:
        parts.append(table(("argument or option", "value", "meaning", "default"), map(_row, options)))
    if examples := examples_of(words):
        parts.append("For example:\n\n```text\n" + "\n".join(examples) + "\n```")
    statuses = ((str(number), meaning) for number, meaning in statuses_of(words).items())
    return "\n\n".join([*parts, table(("exit status", "meaning"), statuses)])


def _usage(words: str, options: list[Option]) -> str:
    arguments = (one.names[0] if one.is_needed else f"[{one.names[0]}]" for one in options if one.is_argument)
    flags = ["[OPTIONS]"] if any(not one.is_argument for one in options) else []
    return " ".join(["vpn-worker", words, *flags, *arguments])


def _paragraphs(command: TyperCommand) -> Iterator[str]:
    # The form feed is typer's sign for the end of what the help shows.
    text = cleandoc(command.help or "").partition("\f")[0]
    for paragraph in text.split("\n\n"):
        if paragraph.strip():
            yield " ".join(paragraph.split())


def _first(command: TyperCommand) -> str:
    return next(_paragraphs(command), "").partition(". ")[0].rstrip(".:") + "."


def _row(option: Option) -> tuple[str, str, str, str]:
    names = ", ".join(map(code, option.names))
    variable = f"\nor {code(option.variable)}" if option.variable else ""
    notes = [word for word, holds in (("needed", option.is_needed), ("repeatable", option.is_repeatable)) if holds]
    return names + variable, ", ".join([option.value, *notes]).removeprefix(", "), option.meaning, code(option.default)
