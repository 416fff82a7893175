"""
`vpn-worker schema`: the contract as JSON Schema and AsyncAPI.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def schema(
    name: Annotated[str | None, typer.Argument(help="Which file to print; without it the names are listed.")] = None,
    write: Annotated[Path | None, typer.Option(help="Write all files into this folder instead.")] = None,
) -> None:
    """
    Print the JSON Schemas of requests and events, or the AsyncAPI document.
    """
    from messages.schemas import contract_files, write_contract

    if write is not None:
        for path in write_contract(write):
            typer.echo(path)
        return
    files = contract_files()
    if name is None:
        for one in files:
            typer.echo(one)
        return
    if name not in files:
        typer.echo(f"vpn-worker: there is no {name}; there are: {', '.join(files)}", err=True)
        raise typer.Exit(2)
    typer.echo(files[name], nl=False)
