"""
The command line: one thin file a command; heavy imports sit inside the commands.
"""

from __future__ import annotations

import logging
import sys
import warnings
from typing import Annotated

import typer

from worker.cli.check import check
from worker.cli.dead import dead_app
from worker.cli.demo import demo
from worker.cli.health import health
from worker.cli.publish import publish
from worker.cli.requests import requests_app
from worker.cli.resolve import resolve
from worker.cli.run import run
from worker.cli.schema import schema
from worker.cli.settings import settings
from worker.cli.simulate import simulate
from worker.cli.topology import topology_app
from worker.cli.watch import watch
from worker.errors import VpnWorkerError

app = typer.Typer(
    name="vpn-worker",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Turns create-VPN-service requests on RabbitMQ into services at the cloud and events about them.",
    epilog="Exit status: 0 done, 1 not all went well, 2 wrong use or settings, 3 broker, 4 queues differ, "
    "5 ledger, 6 local set-up, 7 consumer not served, 130 Ctrl-C.",
)
app.command()(run)
app.command()(health)
app.command()(check)
app.command()(publish)
app.command()(watch)
app.add_typer(dead_app, name="dead")
app.add_typer(requests_app, name="requests")
app.command()(resolve)
app.command()(simulate)
app.command()(demo)
app.command()(schema)
app.command()(settings)
app.add_typer(topology_app, name="topology")


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"vpn-worker {installed('vpn-worker')}")
        raise typer.Exit


def main() -> None:
    """
    Runs the command line; our own errors become one clear line and their exit status.
    """
    # What libraries would print by themselves is told in our own words.
    logging.getLogger().addHandler(logging.NullHandler())
    # aio-pika 10.2.1 says this of every connection that failed: its __del__ closes it when no loop turns any more.
    warnings.filterwarnings("ignore", "coroutine 'Connection.close' was never awaited", RuntimeWarning)
    try:
        app()
    except VpnWorkerError as exc:
        typer.echo(f"vpn-worker: {exc}", err=True)
        sys.exit(exc.exit_code)
    except ImportError as exc:
        # Rather than a traceback about a module of ours that is there: whose package stands in its place.
        if (words := _shadow_words()) is None:
            raise
        typer.echo(f"vpn-worker: {words} ({exc})", err=True)
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does; that is its right.
        sys.stderr.close()
        sys.exit(0)
    except OSError as exc:
        # A full disk behind our output, a folder that is a file: the system's words say it best.
        typer.echo(f"vpn-worker: {exc}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _shadow_words() -> str | None:
    from worker.installation import shadows

    words = "; ".join(shadow.words for shadow in shadows())
    return f"{words}. `vpn-worker check --only installation` says what to do." if words else None
