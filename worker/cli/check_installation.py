"""
What `vpn-worker check` says of this installation.
"""

from __future__ import annotations

import platform
import resource
from importlib.metadata import PackageNotFoundError, version

from worker.cli.check_text import Told
from worker.installation import NAME, Shadow, misfits, shadows

_AREA = "installation"
#: Files and connections beside those to the cloud: broker, ledger, logs, health, and some room.
_OTHER_FILES = 64


def installation_findings(concurrency: int | None) -> list[Told]:
    """
    Whether the code that runs is ours, on libraries that fit, with enough open files.

    Args:
        concurrency: requests at once; None where it is not known.
    """
    return [*_packages(), *_libraries(), *([] if concurrency is None else [_files(concurrency)])]


def shadow_findings() -> list[Told]:
    """
    A fault for each package of ours that another distribution has a hand in.
    """
    return [_shadowed(shadow) for shadow in shadows()]


def _packages() -> list[Told]:
    try:
        words = f"vpn-worker {version(NAME)}, Python {platform.python_version()}"
    except PackageNotFoundError:
        remedy = "Install it with pip, so that its version and its libraries can be known."
        return [Told(_AREA, "packages", "warning", "vpn-worker runs from a folder and is not installed.", remedy)]
    return shadow_findings() or [Told(_AREA, "packages", "ok", f"{words}, messages and worker are ours.")]


def _shadowed(shadow: Shadow) -> Told:
    others = " ".join(shadow.others)
    if others:
        remedy = f"pip uninstall {others}, then pip install --force-reinstall --no-deps {NAME}; or give it an environment of its own."
    else:
        remedy = f"Look what else is in PYTHONPATH and the working folder, or pip install --force-reinstall {NAME}."
    words = shadow.words
    if others and others not in words:
        words += f"; {' and '.join(shadow.others)} installs it as well"
    return Told(_AREA, f"package {shadow.package}", "fault", f"{words}.", remedy)


def _libraries() -> list[Told]:
    found = misfits()
    if not found:
        return [Told(_AREA, "libraries", "ok", "All are within their ranges.")]
    remedy = f"pip install --upgrade {NAME}, or install from requirements.lock."
    return [
        Told(
            _AREA,
            f"library {one.name}",
            "fault" if one.installed is None else "warning",
            f"{'Not installed' if one.installed is None else f'Version {one.installed}'}; wanted is {one.wanted or 'any'}.",
            remedy,
        )
        for one in found
    ]


def _files(concurrency: int) -> Told:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = concurrency + _OTHER_FILES
    if limit == resource.RLIM_INFINITY or limit >= needed:
        told = "no limit" if limit == resource.RLIM_INFINITY else str(limit)
        return Told(_AREA, "open files", "ok", f"{told}, enough for {concurrency} requests at once.")
    words = f"{limit}, and {concurrency} requests at once need {needed}."
    remedy = f"Raise it (`ulimit -n {needed}`, LimitNOFILE= of systemd), or lower VPN_WORKER_CONCURRENCY."
    return Told(_AREA, "open files", "fault", words, remedy)
