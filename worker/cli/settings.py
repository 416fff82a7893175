"""
`vpn-worker settings`: every knob.
"""

from __future__ import annotations

from typing import Annotated

import typer


def settings(
    json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """
    List every setting with its range, default and help. Values are never shown.

    Standard error says which accounts the settings of this shell lead to, and where each login comes from.
    """
    from worker.cli.settings_table import login_lines, settings_rows

    rows = settings_rows()
    for line in login_lines():
        typer.echo(line, err=True)
    if json:
        import json as encoder

        typer.echo(encoder.dumps(rows, indent=2))
        return
    for row in rows:
        typer.echo(f"{row['name']}\n    {row['help']}\n    {row['range']}; default: {row['default']}")
