"""
The images that the Dockerfile and docker-compose.yml name: those that are here, and Debian's packages in place of the others.

For tests on an engine without a registry, and for nothing else. A stand-in is built once, from `debootstrap` and the
Dockerfile in `stand_ins/<name>`, and kept under a name of its own. It bears the public name only while a test runs, so that
nobody's `docker compose up` meets one. An image that somebody has pulled is always used as it is.

    python -m tests.compose.images            makes what is missing, and tells what stands where
    python -m tests.compose.images --remove   removes every stand-in
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: The folder in `stand_ins` for each public image.
STAND_INS = {
    "python:3.13-slim-trixie": "python",
    "rabbitmq:4.2-management": "rabbitmq",
    "postgres:17": "postgres",
    "prom/prometheus:v3.5.0": "prometheus",
    "grafana/grafana:12.1.0": "grafana",
}

_FOLDER = Path(__file__).parent / "stand_ins"
_SUITE = "trixie"
_LABEL = "vpn-worker.stand-in"
_BASE = f"vpn-worker-stand-in/{_SUITE}:1"


class NoImageError(Exception):
    """
    An image is not here and no stand-in for it can be made; with the reason.
    """


def engine_trouble() -> str | None:
    """
    Why no Docker engine can be used, or None when one answers.
    """
    if shutil.which("docker") is None:
        return "There is no program docker."
    asked = _run("docker", "version", "--format", "{{.Server.Version}}", timeout_s=20)
    return None if asked.returncode == 0 else f"No Docker engine answers: {_last_line(asked.stderr)}"


@contextlib.contextmanager
def public_images(talk: Callable[[str], None]) -> Iterator[dict[str, str]]:
    """
    Every image is here under its public name; the stand-ins lose that name on leaving.

    Yields:
        What stands behind each name, in words for people.

    Raises:
        NoImageError: one is missing and no stand-in can be made.
    """
    found: dict[str, str] = {}
    named: list[str] = []
    try:
        for image, name in STAND_INS.items():
            if _is_here(image) and _label(image) is None:
                found[image] = "the image itself"
                continue
            own = stand_in(name, talk)
            named.append(image)
            _must("docker", "tag", own, image)
            found[image] = f"a stand-in from Debian {_SUITE}"
        yield found
    finally:
        for image in named:
            if _label(image) is not None:  # somebody may have pulled the real one meanwhile
                _run("docker", "rmi", "--no-prune", image)


def stand_in(name: str, talk: Callable[[str], None]) -> str:
    """
    The stand-in made from a folder of `stand_ins`, built if it is not here yet; its own name.
    """
    repository = f"vpn-worker-stand-in/{name}"
    own = f"{repository}:{_digest(_FOLDER / name)}"
    if _is_here(own):
        return own
    _make_base(talk)
    talk(f"Building the stand-in for {name} from Debian's packages; this takes a minute.")
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder) / name
        shutil.copytree(_FOLDER / name, context)
        authorities = ssl.get_default_verify_paths().cafile
        (context / "ca-certificates.crt").write_bytes(Path(authorities).read_bytes() if authorities else b"")
        options = ["--network", "host", "--build-arg", f"BASE={_BASE}", "--label", f"{_LABEL}={name}"]
        _must("docker", "build", "--quiet", *options, "--tag", own, str(context), timeout_s=900)
    former = _run("docker", "images", "--format", "{{.Repository}}:{{.Tag}}", repository).stdout.split()
    for image in former:
        if image != own:
            _run("docker", "rmi", image)
    return own


def remove(talk: Callable[[str], None]) -> None:
    """
    Removes every stand-in, under whatever name.
    """
    listed = _must("docker", "images", "--filter", f"label={_LABEL}", "--format", "{{.Repository}}:{{.Tag}}")
    for image in [*listed.split(), _BASE]:
        if _run("docker", "rmi", image).returncode == 0:
            talk(f"Removed {image}.")


def _make_base(talk: Callable[[str], None]) -> None:
    if _is_here(_BASE):
        return
    if shutil.which("debootstrap") is None:
        raise NoImageError(
            "Images are missing, and there is no debootstrap to make stand-ins with: install it (sudo apt-get install "
            "debootstrap), or pull the images (docker compose --profile observability pull)."
        )
    talk(f"Making a minimal Debian {_SUITE} with debootstrap; this takes a minute.")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        _must("debootstrap", "--variant=minbase", _SUITE, str(root), timeout_s=900)
        shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
        archive = Path(folder) / "root.tar"
        _must("tar", "--create", "--file", str(archive), "--directory", str(root), ".", timeout_s=300)
        _must("docker", "import", "--change", f"LABEL {_LABEL}=base", str(archive), _BASE, timeout_s=300)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256(_BASE.encode())
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _is_here(image: str) -> bool:
    return _run("docker", "image", "inspect", image).returncode == 0


def _label(image: str) -> str | None:
    asked = _run("docker", "image", "inspect", "--format", "{{json .Config.Labels}}", image)
    labels = json.loads(asked.stdout) if asked.returncode == 0 else None
    return labels.get(_LABEL) if isinstance(labels, dict) else None


def _run(*command: str, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=timeout_s)


def _must(*command: str, timeout_s: float = 60.0) -> str:
    done = _run(*command, timeout_s=timeout_s)
    if done.returncode != 0:
        raise NoImageError(f"{' '.join(command[:3])} failed:\n{(done.stderr or done.stdout)[-2000:]}")
    return done.stdout


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it says nothing"])[-1]


def main() -> None:
    """
    The command line of this file.
    """
    if (trouble := engine_trouble()) is not None:
        sys.exit(trouble)
    if sys.argv[1:] == ["--remove"]:
        remove(print)
        return
    with public_images(print) as found:
        for image, words in found.items():
            print(f"{image}: {words}")  # noqa: T201


if __name__ == "__main__":
    main()
