"""
The browser of the console's tests, and what is said when there is none.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from worker.errors import SandboxError
from worker.sandbox.chromium import Chromium, find_chromium, program


def test_it_is_a_browser_that_starts(chromium: Chromium) -> None:
    said = subprocess.run([chromium.program, *chromium.flags, "--version"], capture_output=True, text=True, check=True)

    assert "Chrom" in said.stdout


def test_only_root_gives_up_the_sandbox_of_the_browser(chromium: Chromium) -> None:
    assert (os.geteuid() == 0) == ("--no-sandbox" in chromium.flags)


async def test_a_browser_that_is_named_wins(tmp_path: Path) -> None:
    mine = tmp_path / "my-chrome"
    mine.touch(mode=0o755)
    async with find_chromium(tmp_path, print, {"PATH": "", "VPN_WORKER_TEST_CHROMIUM": str(mine)}) as found:
        assert mine == found.program


async def test_a_wrong_name_is_told(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="VPN_WORKER_TEST_CHROMIUM names /nowhere"):
        async with find_chromium(tmp_path, print, {"PATH": "", "VPN_WORKER_TEST_CHROMIUM": "/nowhere"}):
            pass


async def test_a_machine_with_nothing_is_told_the_reason_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SandboxError) as caught:
        async with find_chromium(tmp_path, print, {"PATH": ""}):
            pass

    assert "could not be: this machine has no apt-get" in str(caught.value)
    assert "sudo apt-get install chromium" in str(caught.value)


def test_none_is_found_where_there_is_none(tmp_path: Path) -> None:
    assert program(str(tmp_path)) is None
