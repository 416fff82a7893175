"""
A Chromium for tests of the console's page: the one named, one installed, or one we install.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from worker.errors import SandboxError
from worker.sandbox.install import CHROMIUM, install

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

DEFAULT_FOLDER = Path(".sandbox/chromium")
_NAMES = ("chromium", "google-chrome")
_NAMED = "VPN_WORKER_TEST_CHROMIUM"


@dataclass(frozen=True, slots=True)
class Chromium:
    """
    The program of an installed Chromium.

    Attributes:
        program: what to start.
        flags: what it must be started with here.
    """

    program: Path
    flags: tuple[str, ...]


@contextlib.asynccontextmanager
async def find_chromium(
    folder: Path, talk: Callable[[str], None], environ: Mapping[str, str] | None = None
) -> AsyncIterator[Chromium]:
    """
    A Chromium, after `apt-get install` where there is none. It is not started.

    Args:
        folder: gets the log of an installation.
        talk: gets a line for people at each step that takes a while.
        environ: the environment to look at, `os.environ` unless given; without PATH no program is found.

    Raises:
        SandboxError: it is not installed and could not be; with the reason, and what helps.
    """
    environ = os.environ if environ is None else environ
    if named := environ.get(_NAMED):
        yield _given(named)
        return
    path = environ.get("PATH", "")
    if (found := program(path)) is None:
        try:
            await install(CHROMIUM, folder / "apt-get.log", talk, path)
        except SandboxError as exc:
            raise _nothing(str(exc)) from exc
        found = program(path)
    if found is None:
        raise _nothing("its package brought no chromium")
    yield Chromium(found, _flags())


def program(path: str) -> Path | None:
    """
    The first Chromium along `path` (as in PATH); None when there is none.
    """
    found = (shutil.which(name, path=path) for name in _NAMES)
    return next((Path(one) for one in found if one), None)


def _given(named: str) -> Chromium:
    if shutil.which(named) is None:
        raise SandboxError(f"{_NAMED} names {named}, which is no program here.")
    return Chromium(Path(named), _flags())


def _flags() -> tuple[str, ...]:
    # Chromium's own sandbox refuses root, which is who runs the tests in most containers.
    return ("--no-sandbox",) if os.geteuid() == 0 else ()


def _nothing(why: str) -> SandboxError:
    return SandboxError(
        f"There is no Chromium to use: it is not installed, and could not be: {why}\n"
        f"What helps: install it (on Debian: sudo apt-get install chromium), or set {_NAMED}=/path/to/chrome."
    )
