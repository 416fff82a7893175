"""
Logs: one line a decision, JSON for machines, colours for a person at a terminal; always on standard error.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, Literal, TextIO, cast

import orjson
import structlog

from worker.terminals import wants_colours

LogFormat = Literal["auto", "json", "text"]

#: Libraries whose own chatter is told by our events already.
_QUIET = {"aio_pika": logging.CRITICAL, "aiormq": logging.CRITICAL, "aiohttp": logging.WARNING}

#: Keys that a line begins with, so that a person can read it too.
_FIRST = ("timestamp", "level", "event", "request_id")


def configure_logs(level: str, log_format: LogFormat) -> None:
    """
    Sets structlog and the standard library's logging up, for the whole process.

    Args:
        level: debug, info, warning or error.
        log_format: json, text, or auto for text at a terminal and JSON elsewhere.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    is_text = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            escape_controls,
            _to_text(colors=wants_colours(sys.stderr)) if is_text else _to_json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _Stderr())),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Forward()]
    root.setLevel(logging.WARNING)
    for name, quiet_level in _QUIET.items():
        logging.getLogger(name).setLevel(quiet_level)


def escape_controls(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """
    A structlog processor: control characters from messages cannot forge a line or drive a terminal.

    Only the traceback of an exception keeps its line breaks, each line indented: none can pass for an event.
    """
    for name, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            lines = (f"  {_escaped(line)}" for line in value.split("\n"))
            event[name] = "\n".join(lines) if name == "exception" else _escaped(value)
    return event


def _escaped(text: str) -> str:
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _to_text(*, colors: bool) -> structlog.dev.ConsoleRenderer:
    # The default formatter would print local variables, secrets among them.
    return structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)


def _to_json(_: object, __: str, event: MutableMapping[str, Any]) -> str:
    first = {name: event.pop(name) for name in _FIRST if name in event}
    line = {**first, **event}
    try:
        return orjson.dumps(line, default=str).decode()
    except TypeError:
        # Half a surrogate pair, a number beyond 64 bits, an odd key: no log call may fail for them.
        return json.dumps({name: _plain(value) for name, value in line.items()})


def _plain(value: object) -> str | int | float | None:
    if value is None or isinstance(value, str | int | float):
        return value
    return repr(value)


class _Stderr:
    """
    Standard error that may break: a full disk or a reader that has gone must not stop the work.
    """

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()


class _Forward(logging.Handler):
    """
    Passes what libraries log through the standard library on to structlog.
    """

    def emit(self, record: logging.LogRecord) -> None:
        try:
            # A level of the library's own counts as the known one below it.
            level = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL)
            structlog.get_logger().log(
                level, "library.logged", logger=record.name, text=record.getMessage(), exc_info=record.exc_info
            )
        except Exception:  # noqa: BLE001 - as every handler of the standard library: a log call breaks nothing
            self.handleError(record)
