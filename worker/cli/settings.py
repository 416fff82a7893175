"""
`vpn-worker settings`: every knob.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from worker.cli.pages import meant


def settings(
    name: Annotated[
        list[str] | None, typer.Argument(help="Show these alone, such as VPN_WORKER_FOLLOW. Default: all.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """
    List every setting with its range, default and help. Values are never shown.

    Standard error says which accounts the settings of this shell lead to, and where each login comes from.
    """
    from worker.cli.settings_table import login_lines, settings_rows

    rows = _chosen(settings_rows(), name or ())
    for line in login_lines():
        typer.echo(line, err=True)
    if json:
        import json as encoder

        typer.echo(encoder.dumps(rows, indent=2))
        return
    for row in rows:
        typer.echo(f"{row['name']}\n    {row['help']}\n    {row['range']}; default: {row['default']}")


def _chosen(rows: list[dict[str, str]], names: Iterable[str]) -> list[dict[str, str]]:
    known = {row["name"].partition(" ")[0]: row for row in rows}
    wanted = []
    for name in names:
        full = name.upper() if name.upper().startswith("VPN_WORKER_") else f"VPN_WORKER_{name.upper()}"
        row = known.get(full) or known.get(full.removesuffix("_FILE"))
        if row is None:
            near = meant(full, known)
            words = f"there is no {name}" + (f"; did you mean {near}?" if near else "")
            raise typer.BadParameter(words, param_hint="NAME")
        wanted.append(row)
    return wanted or rows
