"""
docs/how-to/batches.md shows what the command says: its files and commands, run here, give its output.
"""

from __future__ import annotations

import asyncio
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import TIMEOUT_S
from tests.e2e.conftest import worker_environment

if TYPE_CHECKING:
    from tests.e2e.conftest import StartWorker
    from tests.e2e.shop import Shop
    from worker.simulator import Simulator

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "batches.md"
BLOCKS = re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def parts(block: str) -> list[tuple[str, str]]:
    """
    Every command of a block and what it is shown to say.
    """
    return [(command, said) for command, said in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[0])
async def test_the_page_shows_what_is_said(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, folder: Path, block: str
) -> None:
    await start_worker(cloud.url)
    script = [f'vpn-worker() {{ {shlex.quote(sys.executable)} -m worker "$@"; }}']
    for command, said in parts(block):
        if command.startswith("cat "):
            (folder / command.removeprefix("cat ")).write_text(said, encoding="utf-8")
        script.append(
            f"echo {shlex.quote('$ ' + command)}; {command}"
            if command != "echo $?"
            else "echo '$ echo $?'; echo $status"
        )
        script.append("status=$?")
    said = await _bash("\n".join(script), folder, {"amqp_url": shop.amqp_url, "prefix": shop.prefix})

    assert block == said


async def _bash(script: str, folder: Path, settings: dict[str, Any]) -> str:
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", script),
        cwd=folder,
        env=worker_environment(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return out.decode()
