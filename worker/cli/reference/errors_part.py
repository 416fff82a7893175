"""
The tables of what can go wrong: codes in events, faults of requests, reasons of dead letters, our own errors, and what an
answer of the cloud means.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Iterator
from importlib import import_module

import worker
from messages.error_codes import ERROR_CODES, ErrorCode, Topic
from worker.cli.reference.markdown import code, one_line, table
from worker.cloud.classify import TABLE
from worker.core.letters import REASON_WORDS
from worker.core.meanings import Row
from worker.errors import VpnWorkerError


def error_codes_part() -> str:
    """
    Every code of an event, by what it is about.
    """
    names = ("`error.code`", "stands in", "is_retryable", "means", "what to do")
    parts = []
    for topic in Topic:
        rows = (_code_row(one) for one in ERROR_CODES.values() if one.topic is topic)
        parts.append(f"### {topic.value}\n\n{table(names, rows)}")
    return "\n\n".join(parts)


def letter_reasons_part() -> str:
    """
    Why a message lies among the dead letters.
    """
    rows = ((code(reason), words.meaning, words.remedy) for reason, words in REASON_WORDS.items())
    return table(("reason", "means", "what to do"), rows)


def answers_part() -> str:
    """
    What an error answer of the cloud means: the table that the worker reads, in its order.
    """
    rows = (
        (
            _any(map(str, sorted(row.statuses))),
            _any(sorted(row.api_codes)),
            _condition(row),
            row.means.value,
            code(row.code),
        )
        for row in TABLE
    )
    return table(("HTTP status", "the cloud's code", "and", "class", "our code"), rows)


def error_classes_part() -> str:
    """
    Our own errors, by exit status.
    """
    kinds = sorted(_kinds(), key=lambda kind: (kind.exit_code, kind.__name__))
    rows = ((code(kind.__name__), str(kind.exit_code), one_line(kind.__doc__)) for kind in kinds)
    return table(("error", "exit status", "what it says"), rows)


def _code_row(one: ErrorCode) -> tuple[str, str, str, str, str]:
    places = ", ".join(sorted(told.value for told in one.told_in))
    retry = "the event says" if one.is_retryable is None else "yes" if one.is_retryable else "no"
    return code(one.code), places, retry, one.meaning, one.remedy


def _any(values: Iterable[str]) -> str:
    return ", ".join(map(code, values)) or "any"


def _condition(row: Row) -> str:
    return one_line(row.matches.__doc__).rstrip(".")


def _kinds() -> Iterator[type[VpnWorkerError]]:
    for module in pkgutil.walk_packages(worker.__path__, f"{worker.__name__}."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    open_kinds: list[type[VpnWorkerError]] = [VpnWorkerError]
    while open_kinds:
        kind = open_kinds.pop()
        yield kind
        open_kinds += kind.__subclasses__()
