"""
The one way for a fact to become known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import ClassVar, Literal

import structlog

log = structlog.get_logger()

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Fact:
    """
    Something that happened. A kind of fact is a frozen dataclass; what is None of it is not known, and not logged.

    Attributes:
        EVENT: of the log line; None for facts that are too many for one, which are counted alone.
        LEVEL: of the line.
        UNLOGGED: fields that are for counting alone.
    """

    EVENT: ClassVar[str | None] = None
    LEVEL: ClassVar[Level] = "info"
    UNLOGGED: ClassVar[frozenset[str]] = frozenset()

    @property
    def event(self) -> str | None:
        """
        See EVENT.
        """
        return self.EVENT

    @property
    def level(self) -> Level:
        """
        See LEVEL.
        """
        return self.LEVEL


#: Is given every fact, in the event loop's thread; must be quick. What it raises is logged.
Hook = Callable[[Fact], None]

_HOOKS: list[Hook] = []
_LOGGED: dict[type[Fact], tuple[str, ...]] = {}


def note(fact: Fact) -> None:
    """
    Logs a fact and gives it to every hook. To be called in the event loop's thread.
    """
    event = fact.event
    if event is not None:
        told = {name: value for name in _logged(type(fact)) if (value := getattr(fact, name)) is not None}
        getattr(log, fact.level)(event, **told)
    for hook in _HOOKS:
        try:
            hook(fact)
        except Exception:
            # Whoever notes a fact is in the middle of something that matters more.
            log.exception("fact.not_heeded", kind=type(fact).__name__)


@contextmanager
def hooked(hook: Hook) -> Iterator[None]:
    """
    Gives the hook every fact of this process, until the context ends.
    """
    _HOOKS.append(hook)
    try:
        yield
    finally:
        _HOOKS.remove(hook)


def _logged(kind: type[Fact]) -> tuple[str, ...]:
    known = _LOGGED.get(kind)
    if known is None:
        known = _LOGGED[kind] = tuple(field.name for field in fields(kind) if field.name not in kind.UNLOGGED)
    return known
