"""
What a process used of the machine, and how busy the machine was; Linux alone tells.
"""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path


def cpu_s(pid: int) -> float | None:
    """
    Processor time since its start, of all threads; None where there is no /proc.
    """
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return None
    # The name in brackets may hold anything; what follows it begins with field 3 (proc(5): 14 utime, 15 stime).
    fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_memory_mib(pid: int) -> float | None:
    """
    The most memory it ever held (proc(5): VmHWM); None where there is no /proc.
    """
    return _status_mib(pid, "VmHWM")


def memory_mib(pid: int) -> float | None:
    """
    The memory it holds now (proc(5): VmRSS); None where there is no /proc.
    """
    return _status_mib(pid, "VmRSS")


def _status_mib(pid: int, field: str) -> float | None:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return None
    lines = status.read_text(encoding="utf-8").splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:")), None)


def circumstances(load_before: float) -> str:
    """
    The day, the versions, the machine and how busy it was, others' work included.

    Args:
        load_before: processes that ran or wanted to in the minute before we began; above the cores, we were slowed down.
    """
    return (
        f"{datetime.now(UTC):%Y-%m-%d}: vpn-worker {version('vpn-worker')}, Python {platform.python_version()}; "
        f"{os.cpu_count()} cores; load {load_before:.1f} before, {load():.1f} at the end."
    )


def load() -> float:
    """
    Processes that ran or wanted to, on average over the last minute.
    """
    return os.getloadavg()[0]
