"""
What the workers logged, counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.chaos.crew import entries


def count_logged(log_files: Iterable[Path]) -> Counter[str]:
    """
    How often each event was logged, and in brackets what is told apart by more than its event.

    Args:
        log_files: one for each worker process.
    """
    counted: Counter[str] = Counter()
    rounds: dict[object, list[tuple[str, Path]]] = defaultdict(list)
    for log_file in log_files:
        for entry in entries(log_file):
            counted[str(entry.get("event"))] += 1
            counted.update(_told_apart(entry))
            if entry.get("event") == "follow.round":
                rounds[entry.get("tenant_id")].append((str(entry.get("timestamp")), log_file))
    for each in rounds.values():
        counted["(round by another)"] += sum(one != other for (_, one), (_, other) in pairwise(sorted(each)))
    return counted


def _told_apart(entry: Mapping[str, Any]) -> Mapping[str, int]:
    event = entry.get("event")
    # An end with one of our own errors is foreseen; such ends are counted by their status.
    is_end = event == "worker.failed" and "exception" not in entry
    found = {
        "(looked)": event == "api.answered" and entry.get("call") == "list",
        "(reconciled)": event == "request.created" and bool(entry.get("reconciled")),
        "(error)": not is_end and ("exception" in entry or entry.get("level") in {"error", "critical"}),
        "(round lost)": event == "follow.not_completed" and "another worker" in str(entry.get("reason")),
    }
    if event == "follow.round":
        found |= {"(round broken off)": not entry["is_well"], "(pages)": entry["pages"], "(shown)": entry["shown"]}
    return {name: int(count) for name, count in found.items()}
