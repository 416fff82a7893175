"""
What went wrong, told to a person in words, or to a program as JSON; and the exit status.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from worker.cli.examples import examples_of
from worker.cli.pages import meant, words_of
from worker.errors import BrokerUnreachable, SettingsError, VpnWorkerError
from worker.shown.texts import printable

if TYPE_CHECKING:
    from typer._click.core import Context

_PROGRAM = "vpn-worker"


@dataclass(frozen=True, slots=True)
class Trouble:
    """
    Why a command ends.

    Attributes:
        error: what is wrong, in words.
        exit_status: what the process ends with.
        remedy: what to do next, where the words do not say it.
        faults: each setting that is wrong, and what is wrong about it.
        command: the words of the command that was used wrongly; empty for the whole.
    """

    error: str
    exit_status: int
    remedy: str | None = None
    faults: Sequence[tuple[str, str]] = ()
    command: str = ""


def tell(trouble: Trouble, *, is_json: bool) -> None:
    """
    Writes it to standard error.
    """
    typer.echo(_as_json(trouble) if is_json else _as_text(trouble), err=True)


def wants_json(words: Sequence[str]) -> bool:
    """
    Whether a command was asked for JSON, also when nothing else about it can be understood.
    """
    options = words[: words.index("--")] if "--" in words else words
    return "--json" in options


def trouble_of(exc: VpnWorkerError) -> Trouble:
    """
    What one of our own errors says.
    """
    faults = exc.faults if isinstance(exc, SettingsError) else ()
    return Trouble(str(exc), exc.exit_code, _remedy(exc), faults)


def misuse(exc: typer.TyperException) -> Trouble:
    """
    What is wrong about the words of a command, with what was meant or an example.
    """
    ctx: Context | None = getattr(exc, "ctx", None)
    words = "" if ctx is None else words_of(ctx)
    text = exc.message if _is_about_all(exc) else exc.format_message()
    error = _first_small(" ".join(printable(line) for line in text.split("\n")).replace("\\t", ""))
    if ctx is not None and (option := getattr(exc, "option_name", None)) and error.startswith("no such option"):
        near = meant(option, _options(ctx))
        error = f"no such option: {printable(option)}" + (f"; did you mean {near}?" if near else "")
    examples = examples_of(words)
    remedy = f"For example: {examples[0]}" if examples else f"`{_PROGRAM} help` shows every command."
    return Trouble(error, exc.exit_code, remedy, command=words)


def system_trouble(exc: OSError) -> Trouble:
    """
    The system refused something else, such as to write into a folder; its words say it best.
    """
    where = f"{exc.filename}: " if exc.filename else ""
    return Trouble(f"{where}{exc.strerror or exc}.", 1)


def shadowed(exc: ImportError) -> Trouble | None:
    """
    Whose package stands in the place of ours; None where that is not why something cannot be loaded.
    """
    from worker.installation import shadows

    words = "; ".join(shadow.words for shadow in shadows())
    if not words:
        return None
    return Trouble(f"{words}. `vpn-worker check --only installation` says what to do. ({exc})", 1)


def _remedy(exc: VpnWorkerError) -> str | None:
    """
    What helps somebody who has set nothing up yet; None where the words say it all.
    """
    match exc:
        case SettingsError(faults=[(str(place), _), *_]) if place.startswith("VPN_WORKER_"):
            return f"`{_PROGRAM} settings {place}` explains it; `{_PROGRAM} check` looks at everything at once."
        case BrokerUnreachable() if not _is_broker_named():
            return (
                f"No RabbitMQ here? `{_PROGRAM} demo --stay` (or `make run`) brings one; for another: "
                "export VPN_WORKER_AMQP_URL=amqp://user:password@host:5672/vhost"
            )
        case _:
            return None


def _is_broker_named() -> bool:
    is_flag = any(word.partition("=")[0] == "--amqp-url" for word in sys.argv)
    return is_flag or any(name in os.environ for name in ("VPN_WORKER_AMQP_URL", "VPN_WORKER_AMQP_URL_FILE"))


def _is_about_all(exc: typer.TyperException) -> bool:
    """
    Whether no single option or argument is at fault.
    """
    return isinstance(exc, typer.BadParameter) and bool(exc.message) and exc.param is None and exc.param_hint is None


def _options(ctx: Context) -> list[str]:
    return [name for param in ctx.command.get_params(ctx) for name in param.opts if name.startswith("--")]


def _first_small(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _as_text(trouble: Trouble) -> str:
    who = f"{_PROGRAM} {trouble.command}".strip()
    lines = [f"{who}: {trouble.error}"]
    if trouble.remedy is not None:
        lines.append(f"  {trouble.remedy}")
    if trouble.command:
        lines.append(f"  All about it: {who} --help")
    return "\n".join(lines)


def _as_json(trouble: Trouble) -> str:
    told: dict[str, object] = {"error": trouble.error, "exit_status": trouble.exit_status}
    if trouble.remedy is not None:
        told["remedy"] = trouble.remedy
    if trouble.faults:
        told["faults"] = [{"place": place, "words": words} for place, words in trouble.faults]
    return json.dumps(told)
