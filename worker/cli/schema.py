"""
`vpn-worker schema`: the contract as JSON Schema and AsyncAPI.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from worker.cli.pages import meant


def schema(
    name: Annotated[str | None, typer.Argument(help="Which file to print; without it the names are listed.")] = None,
    write: Annotated[Path | None, typer.Option(help="Write all files into this folder instead.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Names and paths as JSON lines, for programs.")] = False,
) -> None:
    """
    Print the JSON Schemas of requests and events, or the AsyncAPI document.
    """
    import json as encoder

    from messages.schemas import contract_files, write_contract

    if write is not None:
        for path in write_contract(write):
            typer.echo(encoder.dumps({"name": path.name, "path": str(path)}) if json else path)
        return
    files = contract_files()
    if name is None:
        for one in files:
            typer.echo(encoder.dumps({"name": one}) if json else one)
        return
    if name not in files:
        near = meant(name, files)
        raise typer.BadParameter(
            f"there is no {name}; " + (f"did you mean {near}?" if near else f"there are: {', '.join(files)}"),
            param_hint="NAME",
        )
    typer.echo(files[name], nl=False)
