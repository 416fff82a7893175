"""
Which broker `publish`, `watch` and `topology` talk to.
"""

from __future__ import annotations

import os
from pathlib import Path

import typer

from worker.settings import BrokerSettings, load_settings


def broker_settings(amqp_url: str | None, prefix: str | None) -> BrokerSettings:
    """
    The broker from flags, else from the environment, else the one that a running `make run` of this folder uses.

    Raises:
        SettingsError: a value is wrong.
    """
    if amqp_url is None and "VPN_WORKER_AMQP_URL_FILE" not in os.environ:
        from worker.sandbox.noted import read_note

        note = read_note(Path.cwd())
        if note is not None:
            typer.echo("Using the broker of `make run` in this folder.", err=True)
            amqp_url, prefix = note["amqp_url"], prefix or note["prefix"]
    return load_settings({"amqp_url": amqp_url, "prefix": prefix}, BrokerSettings)
