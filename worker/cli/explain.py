"""
`vpn-worker help`: what there is, or all about one command.
"""

from __future__ import annotations

from typing import Annotated

import typer
from typer.core import TyperGroup

from worker.cli.pages import meant


def explain(
    ctx: typer.Context,
    command: Annotated[list[str] | None, typer.Argument(help="The command's words, such as: dead replay.")] = None,
) -> None:
    """
    Explain a command, with its options, examples and exit statuses; without one, show what there is.
    """
    page = ctx.find_root()
    for word in command or ():
        known = page.command.commands if isinstance(page.command, TyperGroup) else {}
        if word not in known:
            near = meant(word, known)
            raise typer.BadParameter(
                f"there is no {word} in `{page.command_path}`" + (f"; did you mean {near}?" if near else ""),
                param_hint="COMMAND",
            )
        page = type(page)(known[word], info_name=word, parent=page)
    typer.echo(page.get_help())
