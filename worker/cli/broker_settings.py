"""
Which broker the commands for people talk to.
"""

from __future__ import annotations

import os
from pathlib import Path

import typer

from worker.settings import BrokerSettings, load_settings

#: Settings that a note of `make run` has.
_NOTED = frozenset({"amqp_url", "prefix", "api_url", "auth", "ledger_url"})


def broker_settings(amqp_url: str | None, prefix: str | None, management_url: str | None = None) -> BrokerSettings:
    """
    The broker from flags, else from the environment, else the one that a running `make run` of this folder uses.

    Raises:
        SettingsError: a value is wrong.
    """
    flags = noted_settings(amqp_url, prefix) | {"management_url": management_url}
    return load_settings(flags, BrokerSettings)


def noted_settings(amqp_url: str | None, prefix: str | None) -> dict[str, object]:
    """
    The flags given; without a broker among them or in the environment, what a running `make run` of this folder noted.
    """
    note = None if amqp_url is not None or "VPN_WORKER_AMQP_URL_FILE" in os.environ else _note()
    if note is None:
        return {"amqp_url": amqp_url, "prefix": prefix}
    typer.echo("Using the broker of `make run` in this folder.", err=True)
    known = {name: value for name, value in note.items() if name in _NOTED}
    return {**known, "prefix": prefix or note["prefix"]}


def noted_ledger() -> str | None:
    """
    The ledger of a running `make run` of this folder; None when the environment names a ledger or another broker.
    """
    given = ("VPN_WORKER_LEDGER_URL", "VPN_WORKER_AMQP_URL")
    if any(name in os.environ or f"{name}_FILE" in os.environ for name in given):
        return None
    note = _note()
    if note is None or "ledger_url" not in note:
        return None
    typer.echo("Using the ledger of `make run` in this folder.", err=True)
    return note["ledger_url"]


def _note() -> dict[str, str] | None:
    from worker.sandbox.noted import read_note

    return read_note(Path.cwd())
