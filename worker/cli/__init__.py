"""
The command line: one thin file a command; heavy imports sit inside the commands.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from typing import Annotated

import typer

from worker.cli.check import check
from worker.cli.completion import COMPLETE, completion, install_completion, print_candidates, show_completion
from worker.cli.dead import dead_app
from worker.cli.demo import demo
from worker.cli.explain import explain
from worker.cli.health import health
from worker.cli.pages import PUBLISH, REPAIR, RUN, SET_UP, TRY, Overview, Page
from worker.cli.publish import publish
from worker.cli.requests import requests_app
from worker.cli.resolve import resolve
from worker.cli.run import run
from worker.cli.schema import schema
from worker.cli.settings import settings
from worker.cli.simulate import simulate
from worker.cli.streams import ReaderGone, prepare_streams
from worker.cli.topology import topology_app
from worker.cli.troubles import Trouble, misuse, shadowed, system_trouble, tell, trouble_of, wants_json
from worker.cli.watch import watch
from worker.errors import VpnWorkerError

app = typer.Typer(
    name="vpn-worker",
    cls=Overview,
    # Ours is quicker, and knows values: worker.cli.completion.
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    subcommand_metavar="COMMAND ...",
    help="Turns create-VPN-service requests on RabbitMQ into services at the cloud and events about them.",
)
for _command, _want, _short in (
    (run, RUN, "the worker: take requests, create services, publish events"),
    (health, RUN, "ask a running worker how it is"),
    (publish, PUBLISH, "ask for VPN services: publish requests"),
    (watch, PUBLISH, "show events as they come"),
    (resolve, REPAIR, "say what became of a request in doubt"),
    (settings, SET_UP, "list every setting with its range and default"),
    (check, SET_UP, "look whether a worker could do its work here"),
    (schema, SET_UP, "print the contract as JSON Schema and AsyncAPI"),
    (completion, SET_UP, "let the shell complete what you type"),
    (demo, TRY, "all of it on this machine, with a batch of orders"),
    (simulate, TRY, "a simulated cloud, with faults on request"),
):
    app.command(cls=Page, rich_help_panel=_want, short_help=_short)(_command)
app.command("help", cls=Page, hidden=True, short_help="explain a command")(explain)
app.add_typer(dead_app, name="dead")
app.add_typer(requests_app, name="requests")
app.add_typer(topology_app, name="topology")


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
    install: Annotated[
        bool,
        typer.Option(
            "--install-completion", callback=install_completion, is_eager=True, help="Set up completion for this shell."
        ),
    ] = False,
    show: Annotated[
        bool,
        typer.Option("--show-completion", callback=show_completion, is_eager=True, help="Show what that would set up."),
    ] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"vpn-worker {installed('vpn-worker')}")
        raise typer.Exit


def main() -> None:
    """
    Runs the command line; what goes wrong becomes clear words, or JSON where that was asked for, and an exit status.
    """
    prepare_streams()
    if COMPLETE in os.environ:
        print_candidates(app, sys.argv[1:])
        return
    # What libraries would print by themselves is told in our own words.
    logging.getLogger().addHandler(logging.NullHandler())
    # aio-pika 10.2.1 says this of every connection that failed: its __del__ closes it when no loop turns any more.
    warnings.filterwarnings("ignore", "coroutine 'Connection.close' was never awaited", RuntimeWarning)
    sys.exit(_status())


def _status() -> int:
    try:
        ended: object = app(prog_name="vpn-worker", standalone_mode=False)
    except ReaderGone:
        return 0  # that is its right
    except KeyboardInterrupt:
        return 130
    except (typer.Abort, typer.TyperException, VpnWorkerError, ImportError, OSError) as exc:
        trouble = _trouble(exc)
        if trouble is None:
            raise
        tell(trouble, is_json=wants_json(sys.argv[1:]))
        return trouble.exit_status
    return ended if isinstance(ended, int) else 0


def _trouble(exc: Exception) -> Trouble | None:
    match exc:
        case typer.Abort():
            # Ctrl-C at a question is Ctrl-C all the same.
            is_interrupted = isinstance(exc.__context__, KeyboardInterrupt)
            return Trouble("Stopped; nothing was done.", 130 if is_interrupted else 1)
        case typer.TyperException():
            return misuse(exc)
        case VpnWorkerError():
            return trouble_of(exc)
        case ImportError():
            # Rather than a traceback about a module of ours that is there: whose package stands in its place.
            return shadowed(exc)
        case OSError():
            return system_trouble(exc)
        case _:
            return None
