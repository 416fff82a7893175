"""
Child processes: what they say, how they end.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from worker.errors import SandboxError
from worker.sandbox.processes import Child, tail

TALKER = "import sys, time; print('warming up'); print('READY on 1', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('READY', flush=True); time.sleep(600)"
)
FAILING = "import sys; print('no luck', file=sys.stderr); sys.exit(4)"
PARENT = """
import asyncio, sys
from pathlib import Path
from worker.sandbox.processes import Child

async def main():
    async with Child([sys.executable, "-c", "import time; time.sleep(600)"], log_file=Path(sys.argv[1])) as child:
        print("READY", child.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def child(code: str, tmp_path: Path, *args: str) -> Child:
    return Child([sys.executable, "-c", code, *args], log_file=tmp_path / "child.log")


async def test_ready_line_is_found_also_when_it_has_come_already(tmp_path: Path) -> None:
    async with child(TALKER, tmp_path) as talker:
        first = await talker.ready_line("READY", timeout_s=10)
        again = await talker.ready_line("READY", timeout_s=10)

        assert ("READY on 1", first) == (first, again)
        assert talker.lines == ["warming up", "READY on 1"]


async def test_child_that_ends_early_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    async with child(FAILING, tmp_path) as failing:
        with pytest.raises(SandboxError, match=r"(?s)ended before it said 'READY'.*no luck"):
            await failing.ready_line("READY", timeout_s=10)

        assert await failing.wait() == 4


async def test_silent_child_is_given_up_after_the_limit(tmp_path: Path) -> None:
    async with child("import time; time.sleep(600)", tmp_path) as silent:
        with pytest.raises(SandboxError, match=r"did not say 'READY' within 0\.1 s"):
            await silent.ready_line("READY", timeout_s=0.1)


async def test_stop_asks_first_and_kills_after_the_grace_time(tmp_path: Path) -> None:
    async with child(TALKER, tmp_path) as polite, child(STUBBORN, tmp_path) as stubborn:
        await polite.ready_line("READY", timeout_s=10)
        await stubborn.ready_line("READY", timeout_s=10)

        assert await polite.stop(grace_s=10) == -signal.SIGTERM
        assert await stubborn.stop(grace_s=0.1) == -signal.SIGKILL
        assert await stubborn.stop(grace_s=0.1) == -signal.SIGKILL


async def test_child_has_a_session_of_its_own_so_that_ctrl_c_passes_it_by(tmp_path: Path) -> None:
    async with child(TALKER, tmp_path) as talker:
        assert talker.pid == os.getsid(talker.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
async def test_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    async with child(PARENT, tmp_path, str(tmp_path / "grandchild.log")) as parent:
        grandchild = int((await parent.ready_line("READY", timeout_s=10)).split()[1])
        await parent.kill()

        assert await has_ended(grandchild)


async def test_program_that_does_not_exist_is_told_by_name(tmp_path: Path) -> None:
    async with Child(["/no/such/program"], log_file=tmp_path / "child.log") as missing:
        with pytest.raises(SandboxError, match=r"/no/such/program"):
            await missing.ready_line("READY", timeout_s=10)


def test_tail_says_when_there_is_nothing_to_read(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    assert tail(tmp_path / "empty") == "(the log is empty)"
    assert tail(tmp_path / "absent") == "(there is no log)"


async def has_ended(pid: int) -> bool:
    for _ in range(200):
        if state_of(pid) in {"", "Z"}:  # Z: dead, but in a container without an init process nobody collects it
            return True
        await asyncio.sleep(0.05)
    return False


def state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
