"""
Finds clouds.yaml, secure.yaml and clouds-public.yaml where OpenStack's tools look for them.

Source: openstacksdk, "Configuring OpenStack SDK Applications" and config/loader.py. The first file found wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from worker.accounts.yaml_files import FileError, read_mapping

_SUFFIXES = (".yaml", ".yml", ".json")


class CloudsError(Exception):
    """
    A cloud's entry cannot be had; the text begins with where it should stand.
    """


@dataclass(frozen=True, slots=True)
class CloudsFile:
    """
    One of these files, or none of its kind.

    Attributes:
        path: where it is; None when there is none.
        clouds: the entries by name.
    """

    path: Path | None
    clouds: Mapping[str, object]

    @property
    def name(self) -> str:
        """
        What to call it to an operator.
        """
        return self.path.name if self.path else "clouds.yaml"


@dataclass(frozen=True, slots=True)
class CloudsFiles:
    """
    The three kinds of files.

    Attributes:
        clouds: clouds.yaml.
        secure: secure.yaml, whose entries are laid over those of the first.
        public: clouds-public.yaml, the profiles.
        looked: where clouds.yaml was looked for.
    """

    clouds: CloudsFile
    secure: CloudsFile
    public: CloudsFile
    looked: tuple[Path, ...]


def find_clouds_files(environ: Mapping[str, str]) -> CloudsFiles:
    """
    The files there are.

    Args:
        environ: OS_CLIENT_CONFIG_FILE, OS_CLIENT_SECURE_FILE, XDG_CONFIG_HOME and HOME say where to look.

    Raises:
        CloudsError: one of them cannot be read.
    """
    looked = _places("clouds", environ, "OS_CLIENT_CONFIG_FILE")
    return CloudsFiles(
        clouds=_first(looked, "clouds"),
        secure=_first(_places("secure", environ, "OS_CLIENT_SECURE_FILE"), "clouds"),
        public=_first(_places("clouds-public", environ, None), "public-clouds"),
        looked=tuple(looked),
    )


def _places(stem: str, environ: Mapping[str, str], variable: str | None) -> list[Path]:
    home = Path(environ.get("HOME") or "~").expanduser()
    folders = [
        Path.cwd(),
        Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "openstack",
        home / ".config" / "openstack",
        Path("/etc/xdg/openstack"),
        Path("/etc/openstack"),
    ]
    places = [folder / f"{stem}{suffix}" for folder in dict.fromkeys(folders) for suffix in _SUFFIXES]
    named = environ.get(variable, "") if variable else ""
    return [Path(named).expanduser(), *places] if named else places


def _first(places: list[Path], key: str) -> CloudsFile:
    for path in places:
        if not _is_there(path):
            continue
        try:
            clouds = read_mapping(path).get(key)
        except FileError as exc:
            raise CloudsError(f"{path}: {exc}") from None
        if clouds is not None and not isinstance(clouds, dict):
            raise CloudsError(f"{path}: `{key}:` must hold names with settings below")
        return CloudsFile(path, {str(name): entry for name, entry in (clouds or {}).items()})
    return CloudsFile(None, {})


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # A folder that we may not look into has no file for us; openstacksdk goes on as well.
        return False
