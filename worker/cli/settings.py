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
    """
    from worker.cli.settings_table import settings_rows

    rows = settings_rows()
    if json:
        import json as encoder

        typer.echo(encoder.dumps(rows, indent=2))
        return
    for row in rows:
        typer.echo(f"{row['name']}\n    {row['help']}\n    {row['range']}; default: {row['default']}")
