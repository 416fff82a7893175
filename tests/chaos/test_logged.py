"""
What the workers of a chaos run logged is counted.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.chaos.logged import count_logged

if TYPE_CHECKING:
    from pathlib import Path

FINE: dict[str, object] = {"event": "follow.round", "pages": 3, "shown": 1, "is_well": True}
LOST: dict[str, object] = {"event": "follow.not_completed", "reason": "another worker has taken the round over"}


def write(log_file: Path, *entries: dict[str, object]) -> Path:
    """
    A worker's log, its last line cut as by SIGKILL.
    """
    log_file.write_text("\n".join(map(json.dumps, entries)) + '\n{"event":"follow.rou')
    return log_file


def test_rounds_of_looking_are_counted_with_their_calls_and_who_made_them(tmp_path: Path) -> None:
    first = write(tmp_path / "worker-0.001.log", FINE | {"timestamp": "1"}, FINE | {"timestamp": "2"})
    second = write(tmp_path / "worker-1.001.log", LOST, FINE | {"timestamp": "3", "is_well": False})
    elsewhere = FINE | {"timestamp": "2.5", "tenant_id": "t", "pages": 1, "shown": 0}
    third = write(tmp_path / "worker-0.002.log", elsewhere, FINE | {"timestamp": "4"})
    counted = count_logged([first, second, third])

    assert 5 == counted["follow.round"]
    assert 2 == counted["(round by another)"]
    assert 1 == counted["(round broken off)"] == counted["(round lost)"]
    assert 13 == counted["(pages)"]
    assert 4 == counted["(shown)"]


def test_looks_and_errors_are_told_apart(tmp_path: Path) -> None:
    log_file = write(
        tmp_path / "worker-0.001.log",
        {"event": "api.answered", "call": "list"},
        {"event": "api.answered", "call": "create"},
        {"event": "request.created", "reconciled": True},
        {"event": "follow.crashed", "exception": "Traceback", "level": "error"},
        # Counted by its exit status, beside the other ends of workers.
        {"event": "worker.failed", "error": "RabbitMQ does not answer", "exit_status": 3, "level": "error"},
    )
    counted = count_logged([log_file])

    assert (1, 1, 1) == (counted["(looked)"], counted["(reconciled)"], counted["(error)"])
    assert 2 == counted["api.answered"]
