"""
Whether the worker has started and is ready: named checks, each with its state, since when, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Check:
    """
    One thing that must be well for the worker to be ready.

    Attributes:
        is_well: whether it is.
        words: what it is like, for the operator; never a secret.
        remedy: what to do about it, when it is not well.
    """

    is_well: bool
    words: str
    remedy: str = ""


#: How one thing is now; must not block.
Look = Callable[[], Check]


@dataclass(frozen=True, slots=True)
class _Known:
    is_well: bool
    since: datetime


class Health:
    """
    The checks of a process. Before the worker has started there is one, `started`, which says what it is at.

    Args:
        now: this machine's time, aware UTC.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._looks: dict[str, Look] = {}
        self._known: dict[str, _Known] = {}
        self._stage: str | None = "starting"

    @property
    def is_started(self) -> bool:
        """
        Whether everything the worker is made of has come up once.
        """
        return self._stage is None

    @property
    def is_ready(self) -> bool:
        """
        Whether all checks are well.
        """
        return all(check.is_well for check in self.look().values())

    def starting(self, stage: str) -> None:
        """
        Says what the start is at, in words.
        """
        self._stage = stage

    def started(self) -> None:
        """
        The start is over.
        """
        self._stage = None

    def watch(self, looks: Mapping[str, Look]) -> None:
        """
        Adds checks.
        """
        self._looks.update(looks)

    def look(self) -> dict[str, Check]:
        """
        How everything is now. Since when is known as well as this is called often.
        """
        found = {name: _looked(name, look) for name, look in self._looks.items()}
        if self._stage is not None:
            found["started"] = Check(is_well=False, words=self._stage, remedy="wait; the log says what it is at")
        now = self._now()
        for name, check in found.items():
            known = self._known.get(name)
            if known is None or known.is_well != check.is_well:
                self._known[name] = _Known(check.is_well, now)
        return found

    def report(self) -> dict[str, object]:
        """
        As `/ready` tells it.
        """
        found = self.look()
        return {
            "ready": all(check.is_well for check in found.values()),
            "checks": {
                name: {
                    "state": "ok" if check.is_well else "failing",
                    "since": self._known[name].since.isoformat(timespec="milliseconds"),
                    "words": check.words,
                    "remedy": "" if check.is_well else check.remedy,
                }
                for name, check in found.items()
            },
        }


def _looked(name: str, look: Look) -> Check:
    try:
        return look()
    except Exception as exc:
        log.exception("check.not_made", check=name)
        return Check(
            is_well=False, words=f"could not be looked at ({type(exc).__name__})", remedy="report it: a fault of ours"
        )
