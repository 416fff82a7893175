"""
A page that is wrong fails, with its line and what was said instead.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.docs_run.following import follow, prepare, ready_pattern, unused
from tests.docs_run.needs import NEEDS, Exempt, Needs
from tests.docs_run.pages import Step, blocks_of, text_of
from tests.docs_run.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

#: Not a loop of the shell: where a signal comes between two of its commands, bash may go on.
SLEEPER = {r"echo begun": "begun"}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """
    A stage without any server.
    """
    nothing: Any = None
    made = Stage("page.md", tmp_path / "folder", tmp_path / "host", "amqp://x/", "t0", nothing, nothing)
    made.folder.mkdir()
    made.environ["PATH"] = os.environ["PATH"]
    return made


async def faults(stage: Stage, *lines: str, needs: Needs | None = None, exempt: Sequence[Exempt] = ()) -> list[str]:
    text = "\n".join(["```console", *lines, "```", ""])
    return await follow("page.md", text, stage, needs or Needs(), exempt)


async def test_what_comes_true_is_no_fault(stage: Stage) -> None:
    said = await faults(
        stage,
        *("$ export NAME=x", "$ echo hello $NAME >file"),
        *("$ cat file; echo told >&2", "hello x", "told"),
        *("$ cat \\", "    file", "hello ..."),
    )

    assert [] == said


async def test_wrong_output_is_a_fault_with_a_diff(stage: Stage) -> None:
    (fault,) = await faults(stage, "$ true", "$ printf 'one\\ntwo\\n'", "one", "three")

    assert fault.startswith("page.md:3: $ printf")
    assert "  one\n+ two\n- three\n" in fault


async def test_every_fault_of_a_page_is_told(stage: Stage) -> None:
    assert 2 == len(await faults(stage, "$ echo a", "b", "$ echo c", "c", "$ echo d", "e"))


async def test_an_output_that_does_not_come_is_a_fault(stage: Stage) -> None:
    (fault,) = await faults(stage, "$ true", "done")

    assert "- done" in fault


async def test_an_end_that_is_no_good_is_a_fault_unless_the_page_expects_it(stage: Stage) -> None:
    lines = ("$ sh -c 'echo no; exit 3'", "no")

    assert [] == await faults(stage, *lines, needs=Needs(statuses={"sh -c": 3}))
    (fault,) = await faults(stage, *lines)
    assert "ended with status 3, not 0" in fault
    (fault,) = await faults(stage, *lines, needs=Needs(statuses={"sh": 0, "sh -c": 4}))
    assert "ended with status 3, not 4" in fault


async def test_an_end_that_the_page_shows_is_no_fault(stage: Stage) -> None:
    assert [] == await faults(stage, "$ sh -c 'exit 3'", "$ echo $?", "3", "$ echo $?", "0")
    assert 1 == len(await faults(stage, "$ sh -c 'exit 3'", "$ echo $?", "4"))


async def test_a_file_that_is_shown_first_is_made(stage: Stage) -> None:
    (stage.folder / "there").write_text("old\n")

    assert [] == await faults(stage, "$ cat new.csv", "a,b", "1,2", "$ tail -n 1 new.csv", "1,2")
    assert 1 == len(await faults(stage, "$ cat there", "new"))


async def test_a_page_of_ours_that_is_doctored_fails(stage: Stage) -> None:
    doctored = (
        ("VPN_WORKER_* settings", "VPN_WORKER_* settings", None),
        ("iam.eu-de.otc", "iam.eu-nl.otc", "- Account default: password at iam.eu-nl.otc"),
        ("vpn-worker settings", "vpn-worker setings", "ended with status 2, not 0"),
        ("VPN_WORKER_USERNAME", "VPN_WORKER_USER", "+ A worker would not start with the settings of this shell."),
    )
    stage.folder.rmdir()
    needs = NEEDS["docs/how-to/clouds.md"]
    await prepare(stage, needs)
    block = next(one for one in blocks_of("page.md", text_of("docs/how-to/clouds.md")) if one.language == "console")
    text = f"```console\n{block.text}```\n"

    for was, becomes, fault in doctored:
        assert was in text
        found = "\n".join(await follow("page.md", text.replace(was, becomes), stage, needs, ()))
        assert found == "" if fault is None else fault in found


async def test_what_is_exempt_is_not_run(stage: Stage) -> None:
    assert [] == await faults(stage, "$ touch made", exempt=[Exempt("touch ", "for a test", page="page.md")])
    assert not (stage.folder / "made").exists()
    assert [] == await faults(stage, "$ touch made", exempt=[Exempt("touch ", "for a test", page="other.md")])
    assert (stage.folder / "made").exists()


def test_an_exemption_that_nothing_needs_is_found() -> None:
    steps = [Step("a.md", 1, "docker ps", ()), Step("b.md", 1, "kubectl get pods", ())]
    needed, elsewhere, behind = Exempt("docker ", ""), Exempt("kubectl ", "", page="a.md"), Exempt("docker ps", "")

    assert [elsewhere, behind] == unused(steps, [needed, elsewhere, behind])


async def test_what_runs_until_ctrl_c_has_to_show_what_the_page_says_and_is_ended(stage: Stage) -> None:
    lines = ("$ touch log", "$ echo begun; exec tail -f log", "begun", "...", "on", "$ echo off >>log; echo on >>log")

    assert [] == await faults(stage, *lines, needs=Needs(long=SLEEPER))
    assert [] == at_work_in(stage.folder)


async def test_what_is_put_in_the_background_is_ended_as_well(stage: Stage) -> None:
    (fault,) = await faults(stage, "$ sleep 1000 &")
    assert "see LONG" in fault
    assert [] == await faults(stage, "$ true && echo begun && exec sleep 1000 &", "begun", needs=Needs(long=SLEEPER))
    assert [] == at_work_in(stage.folder)


@pytest.mark.parametrize(
    ("command", "is_long"),
    [
        ("vpn-worker run", True),
        ("VPN_WORKER_HTTP_PORT=8080 vpn-worker run --concurrency 5", True),
        ("vpn-worker topology apply && .venv/bin/vpn-worker run", True),
        ("A=1 B= make run   # stays", True),
        ("vpn-worker watch vpnservice.created", True),
        ("vpn-worker watch --count 1", False),
        ("vpn-worker watch | head -n 1", False),
        ("vpn-worker requests list", False),
        ("make runs", False),
    ],
)
def test_what_runs_until_ctrl_c_is_known_by_its_words(command: str, is_long: bool) -> None:
    assert is_long == (ready_pattern(Step("page.md", 1, command, ()), Needs()) is not None)


async def test_what_runs_until_ctrl_c_and_ends_before_it_works_is_a_fault(stage: Stage) -> None:
    (fault,) = await faults(stage, "$ echo over", needs=Needs(long={"echo over": "begun"}))

    assert "it has ended; it wrote:\nover" in fault


async def test_what_runs_until_ctrl_c_and_says_something_else_is_a_fault(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.docs_run.following._SHOWN_LIMIT_S", 0.2)
    (fault,) = await faults(stage, "$ echo begun; exec sleep 1000", "ended", needs=Needs(long=SLEEPER))

    assert "- ended" in fault
    assert fault.endswith("It wrote, in the page's words:\nbegun")
    assert [] == at_work_in(stage.folder)


async def test_a_command_without_an_end_is_a_fault_and_is_ended(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.docs_run.shell.LIMIT_S", 2.0)
    (fault,) = await faults(stage, "$ echo begun; sleep 1000", "$ echo next", "other")

    assert re.search(r"page.md:2: .*\nno end within 2 s; it wrote:\nbegun", fault)
    assert [] == at_work_in(stage.folder)


async def test_ways_to_choose_from_know_nothing_of_each_other(stage: Stage) -> None:
    text = "```console\n$ export A=1\n```\n\n```console\n$ echo a$A\na\n```\n"

    assert [] == await follow("page.md", text, stage, Needs(is_apart=True), ())
    assert 1 == len(await follow("page.md", text, stage, Needs(), ()))


async def test_a_named_block_is_a_file_for_the_commands_behind_it(stage: Stage) -> None:
    text = "```yaml\n# a/b.yaml\nkey: /run/secrets/x\n```\n\n```console\n$ cat a/b.yaml\n# a/b.yaml\nkey: /run/secrets/x\n```\n"

    assert [] == await follow("page.md", text, stage, Needs(), ())
    assert f"key: {stage.host}/run/secrets/x" in (stage.folder / "a" / "b.yaml").read_text()


async def test_folders_and_ports_of_a_host_are_our_own(stage: Stage) -> None:
    lines = (
        *("$ mkdir -p /etc/vpn-worker/credentials && ls -d /etc/vpn-worker/*", "/etc/vpn-worker/credentials"),
        *("$ echo port 9696, not 19696 or 9696.5", "port 9696, not 19696 or 9696.5"),
        *("$ vpn-worker simulate --dialect otc", "Simulated cloud simulate --port 9696 --dialect otc"),
    )
    stage.write("vpn-worker", '#!/bin/sh\necho "Simulated cloud $*"\nexec sleep 1000\n')
    (stage.folder / "vpn-worker").chmod(0o755)
    stage.environ["PATH"] = f"{stage.folder}:{os.environ['PATH']}"

    assert [] == await faults(stage, *lines, needs=Needs())
    assert "9696" != stage.ports["9696"]
    assert (stage.host / "etc" / "vpn-worker" / "credentials").is_dir()


def at_work_in(folder: Path) -> list[str]:
    """
    Command lines of the processes whose working folder this is.
    """
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder and (process / "stat").read_text().rpartition(")")[2][1] != "Z":
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found
