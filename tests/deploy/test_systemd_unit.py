"""
The systemd unit: accepted by systemd itself, hardened, and in agreement with the worker.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from prometheus_client import ProcessCollector

from tests.deploy.settings_names import faults_of_names
from worker import errors
from worker.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

UNIT = "deploy/systemd/vpn-worker.service"
EXAMPLE = "deploy/systemd/vpn-worker.env.example"
#: Exposure as `systemd-analyze security` puts it, from 0 to 10; docs/how-to/deploying.md gives what is measured.
MOST_EXPOSURE = 1.5
RAN_S = 60.0


def values(unit: str, name: str) -> list[str]:
    """
    Everything that the unit says under one name, in order.
    """
    return re.findall(rf"^{name}=(.*)$", unit, re.MULTILINE)


def exit_statuses() -> dict[str, int]:
    """
    With what status each of our errors ends the worker.
    """
    family = [value for value in vars(errors).values() if isinstance(value, type)]
    return {kind.__name__: kind.exit_code for kind in family if issubclass(kind, errors.VpnWorkerError)}


@pytest.fixture(scope="module")
def unit(request: pytest.FixtureRequest) -> str:
    """
    The unit's text.
    """
    return (request.config.rootpath / UNIT).read_text(encoding="utf-8")


@pytest.fixture
def example(request: pytest.FixtureRequest) -> dict[str, str]:
    """
    The settings of the example.
    """
    lines = (request.config.rootpath / EXAMPLE).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def analysed(folder: Path, unit: str, *command: str) -> subprocess.CompletedProcess[str]:
    """
    What systemd-analyze says of the unit, with a program that exists in place of ours; skipped where there is none.
    """
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze here (Debian package systemd)")
    file = folder / "vpn-worker.service"
    file.write_text(unit.replace("/opt/vpn-worker/bin/vpn-worker run", "/bin/true"), encoding="utf-8")
    # Without LANG its words are English; without SYSTEMD_* nothing of this machine's changes the verdict.
    environ = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    return subprocess.run(
        ["systemd-analyze", *command, str(file)],
        capture_output=True,
        text=True,
        timeout=RAN_S,
        check=False,
        env=environ,
    )


def complaints(ran: subprocess.CompletedProcess[str]) -> list[str]:
    """
    Its lines about our unit; those about units of this machine are none of our business.
    """
    return [line for line in (ran.stdout + ran.stderr).splitlines() if "vpn-worker" in line]


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path, unit: str) -> None:
    assert [] == complaints(analysed(tmp_path, unit, "verify", "--man=no"))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("WatchdogSec=30", "WatchdogSec=soon"),
        ("Restart=on-failure", "Restart=sometimes"),
        ("ProtectProc=invisible", "ProtectProcess=invisible"),
        ("/opt/vpn-worker/bin/vpn-worker run", "/nowhere/vpn-worker run"),
    ],
)
def test_systemd_finds_what_is_wrong(tmp_path: Path, unit: str, right: str, wrong: str) -> None:
    assert right in unit
    assert complaints(analysed(tmp_path, unit.replace(right, wrong), "verify", "--man=no"))


def exposure(tmp_path: Path, unit: str) -> float:
    ran = analysed(tmp_path, unit, "security", "--offline=true", "--no-pager")
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d+)", ran.stdout)
    if found is None and "offline" in ran.stderr:
        pytest.skip("this systemd-analyze is older than 250: it cannot look at a unit that is not installed")
    assert found, ran.stderr

    return float(found[1])


def test_the_unit_exposes_little(tmp_path: Path, unit: str, request: pytest.FixtureRequest) -> None:
    found = exposure(tmp_path, unit)
    told = re.search(
        r"exposure level of (\d+\.\d+)", (request.config.rootpath / "docs/how-to/deploying.md").read_text("utf-8")
    )

    assert found <= MOST_EXPOSURE
    assert told is not None
    # Another version of systemd may weigh a little otherwise.
    assert abs(float(told[1]) - found) <= 0.3


def test_a_unit_without_its_hardening_is_told_as_exposed(tmp_path: Path, unit: str) -> None:
    bare = "\n".join(
        line for line in unit.splitlines() if not line.startswith(("System", "Capab", "Protect", "Private"))
    )

    assert exposure(tmp_path, bare) > MOST_EXPOSURE


def test_the_worker_sees_enough_of_proc_for_its_process_metrics(tmp_path: Path, unit: str) -> None:
    """
    ProcSubset=pid takes /proc/stat away, and without the time of the machine's start there is none of the process's:
    no metric process_*, and no alert about restarts.
    """
    (tmp_path / "self").symlink_to("/proc/self")

    assert [] == list(ProcessCollector(proc=str(tmp_path), registry=None).collect())
    assert [] == values(unit, "ProcSubset")
    assert ["invisible"] == values(unit, "ProtectProc")


def test_a_stop_leaves_the_worker_its_grace_time(unit: str, example: dict[str, str]) -> None:
    grace_s = max(float(example["VPN_WORKER_SHUTDOWN_GRACE_S"]), Settings.model_fields["shutdown_grace_s"].default)

    assert ["SIGTERM"] == values(unit, "KillSignal")
    # Beyond the grace time it closes its connections and its ledger.
    assert int(values(unit, "TimeoutStopSec")[0]) >= grace_s + 15


def test_what_a_restart_cannot_mend_is_not_restarted(unit: str) -> None:
    statuses = exit_statuses()
    prevented = set(map(int, values(unit, "RestartPreventExitStatus")[0].split()))

    assert {statuses["SettingsError"], statuses["TopologyMismatch"]} == prevented
    # These can pass: RabbitMQ or PostgreSQL is away for a while.
    assert not prevented & {statuses["BrokerUnreachable"], statuses["BrokerRefused"], statuses["LedgerError"]}
    assert ["on-failure"] == values(unit, "Restart")
    assert ["0"] == values(unit, "StartLimitIntervalSec")


def test_the_unit_is_told_by_the_main_process_that_it_lives(unit: str) -> None:
    assert (["notify"], ["main"]) == (values(unit, "Type"), values(unit, "NotifyAccess"))
    assert int(values(unit, "WatchdogSec")[0]) >= 20


def test_every_variable_is_a_setting_and_every_secret_a_credential(unit: str, example: dict[str, str]) -> None:
    environment = dict(
        pair.split("=", 1) for line in values(unit, "Environment") for pair in line.split() if pair.startswith("VPN")
    )
    credentials = {line.split(":", 1)[0] for line in values(unit, "LoadCredential")}
    files = {name: value for name, value in environment.items() if name.endswith("_FILE")}

    assert [] == faults_of_names({**environment, **example})
    assert {f"%d/{credential}" for credential in credentials} == set(files.values())
    assert not any(name.endswith("_FILE") for name in example)


def test_a_ledger_file_stands_where_the_worker_may_write(unit: str) -> None:
    folder = values(unit, "StateDirectory")[0]

    assert f"VPN_WORKER_LEDGER_URL=sqlite:///%S/{folder}/ledger.sqlite3" in values(unit, "Environment")
    assert [f"%S/{folder}"] == values(unit, "WorkingDirectory")
