"""
Logs: one line a decision, JSON for machines, colours for a person at a terminal; always on standard error.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import orjson
import structlog

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
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if is_text else _to_json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
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

    Only the traceback of an exception keeps its line breaks.
    """
    for name, value in event.items():
        if isinstance(value, str) and name != "exception" and not value.isprintable():
            event[name] = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in value)
    return event


def _to_json(_: object, __: str, event: MutableMapping[str, Any]) -> str:
    first = {name: event.pop(name) for name in _FIRST if name in event}
    return orjson.dumps({**first, **event}, default=str).decode()


class _Forward(logging.Handler):
    """
    Passes what libraries log through the standard library on to structlog.
    """

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            record.levelno, "library.logged", logger=record.name, text=record.getMessage(), exc_info=record.exc_info
        )
