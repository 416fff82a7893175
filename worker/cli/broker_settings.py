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


def broker_settings(amqp_url: str | None, prefix: str | None) -> BrokerSettings:
    """
    The broker from flags, else from the environment, else the one that a running `make run` of this folder uses.

    Raises:
        SettingsError: a value is wrong.
    """
    return load_settings(noted_settings(amqp_url, prefix), BrokerSettings)


def noted_settings(amqp_url: str | None, prefix: str | None) -> dict[str, object]:
    """
    The flags given; without a broker among them or in the environment, what a running `make run` of this folder noted.
    """
    if amqp_url is None and "VPN_WORKER_AMQP_URL_FILE" not in os.environ:
        from worker.sandbox.noted import read_note

        note = read_note(Path.cwd())
        if note is not None:
            typer.echo("Using the broker of `make run` in this folder.", err=True)
            known = {name: value for name, value in note.items() if name in _NOTED}
            return {**known, "prefix": prefix or note["prefix"]}
    return {"amqp_url": amqp_url, "prefix": prefix}
