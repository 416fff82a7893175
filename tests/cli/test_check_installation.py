"""
`vpn-worker check` in an environment that is not as it was installed: PyPI has a `messages` and a `worker` of others.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Site:
    """
    A folder that packages are installed in, looked at before all others.
    """

    folder: Path

    def install(self, name: str, *files: str, **contents: str) -> None:
        """
        Writes what pip does of a distribution: its files, and the record of them.
        """
        for file, content in contents.items():
            place = self.folder / file.replace("__", "/", 1).replace(".py", "") / "__init__.py"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content, encoding="utf-8")
            files += (str(place.relative_to(self.folder)),)
        self.record(name, files)

    def record(self, name: str, files: tuple[str, ...], requires: tuple[str, ...] = ()) -> None:
        info = self.folder / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        wanted = "".join(f"Requires-Dist: {one}\n" for one in requires)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{wanted}", encoding="utf-8")
        lines = [f"{file},sha256={digest(self.folder / file)},1\n" for file in files]
        (info / "RECORD").write_text("".join(lines), encoding="utf-8")

    def check(self, *words: str, before: Path | None = None) -> subprocess.CompletedProcess[str]:
        """
        Runs `vpn-worker` as it is installed here; `before` is where Python looks first.
        """
        # The libraries without what .pth files add: an editable installation would bring our modules back.
        folders = [self.folder, sysconfig.get_path("purelib")]
        path = os.pathsep.join(map(str, [before, *folders] if before else folders))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("VPN_WORKER_", "OS_"))}
        return subprocess.run(
            [sys.executable, "-S", "-P", "-m", "worker", *words],
            cwd=self.folder,
            env=kept | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def findings(self, before: Path | None = None) -> tuple[int, dict[str, dict[str, Any]]]:
        """
        The exit status, and what is said of the installation by its subject.
        """
        done = self.check("check", "--only", "installation", "--json", before=before)
        assert "Traceback" not in done.stderr, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return done.returncode, {line["subject"]: line for line in lines}


def digest(file: Path) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(file.read_bytes()).digest()).rstrip(b"=").decode()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """
    Where vpn-worker is installed, and nothing else.
    """
    made = Site(tmp_path / "site")
    for package in ("messages", "worker"):
        shutil.copytree(ROOT / package, made.folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    files = tuple(str(file.relative_to(made.folder)) for file in sorted(made.folder.rglob("*.py")))
    requires = ("rich>=14", "absent-library>=2,<3; extra == 'more'", "typer>=0.1; sys_platform != 'win32'")
    made.record("vpn-worker", files, requires)
    return made


def test_as_it_was_installed_all_is_well(site: Site) -> None:
    status, found = site.findings()

    assert 0 == status, found
    assert {"ok"} == {line["state"] for line in found.values()}
    assert "messages and worker are ours" in found["packages"]["words"]


@pytest.mark.parametrize("package", ["messages", "worker"])
def test_another_distribution_installed_over_ours_is_named(site: Site, package: str) -> None:
    """
    `pip install messages` replaces files of ours, and says nothing.
    """
    site.install("stranger", **{package: '"""\nNone of ours.\n"""\n'})

    status, found = site.findings()

    line = found[f"package {package}"]
    assert (1, "fault") == (status, line["state"])
    assert f"{package}/__init__.py is not as it was installed" in line["words"]
    assert "stranger installs it as well" in line["words"]
    assert "pip uninstall stranger" in line["remedy"]


def test_one_that_came_first_and_left_ours_whole_is_named_too(site: Site) -> None:
    """
    The other one's own users will be surprised, and uninstalling it takes files of ours along.
    """
    site.record("stranger", ("messages/__init__.py",))

    status, found = site.findings()

    assert (1, "fault") == (status, found["package messages"]["state"])
    assert "installed by stranger as well" in found["package messages"]["words"]


def test_one_in_a_folder_before_ours_leaves_a_word_instead_of_a_traceback(site: Site, tmp_path: Path) -> None:
    stranger = Site(tmp_path / "before")
    stranger.install("stranger", messages="inbox = []\n")

    status, found = site.findings(before=stranger.folder)

    line = found["package messages"]
    assert (1, "fault") == (status, line["state"])
    assert f"at {stranger.folder / 'messages' / '__init__.py'}" in line["words"]
    assert "stranger" in line["remedy"]
    assert "unseen" == found["everything else"]["state"]

    other = site.check("settings", before=stranger.folder)

    assert 1 == other.returncode
    assert "Traceback" not in other.stderr
    assert "`vpn-worker check --only installation` says what to do" in other.stderr


def test_libraries_out_of_their_ranges_are_named(site: Site) -> None:
    shutil.rmtree(site.folder / "vpn_worker-1.0.dist-info")
    requires = (
        "rich>=999",
        "typer<0.0.1",
        "absent-library>=2,<3",
        "absent-on-linux>=1; sys_platform != 'linux'",
        "absent-extra>=1; extra == 'otel'",
        "orjson!=1.0,>=3",
        "structlog~=1.0",
    )
    site.record("vpn-worker", (), requires)

    status, found = site.findings()

    states = {subject: line["state"] for subject, line in found.items() if subject.startswith("library")}
    assert {
        "library rich": "warning",
        "library typer": "warning",
        "library structlog": "warning",
        "library absent-library": "fault",
    } == states
    assert "Not installed; wanted is >=2,<3." == found["library absent-library"]["words"]
    assert 1 == status
