"""
What is installed here under our names: whether it is ours, and whether the libraries are those we need.

It imports nothing of ours, since that may be another's.
"""

from __future__ import annotations

import base64
import hashlib
import operator
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.metadata import Distribution, PackageNotFoundError, distributions
from pathlib import Path

NAME = "vpn-worker"
#: PyPI has distributions that install packages of these names, over ours and without a word.
PACKAGES = ("messages", "worker")

_RANGE = re.compile(r"(>=|<=|==|!=|~=|<|>)\s*([0-9][0-9.]*)")
_COMPARISONS = {
    ">=": operator.ge,
    "<=": operator.le,
    "<": operator.lt,
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
}
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9._-]+)\s*(?:\[[^\]]*\])?\s*\(?([^;)]*)\)?\s*(?:;(.*))?")


@dataclass(frozen=True, slots=True)
class Shadow:
    """
    A package of ours that another distribution has a hand in.

    Attributes:
        package: its name.
        words: what is wrong, in words.
        others: the distributions that install it too, where they can be known.
    """

    package: str
    words: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Library:
    """
    A library that does not fit: `installed` is None when it is missing; `wanted` is a range.
    """

    name: str
    installed: str | None
    wanted: str


def shadows(path: Sequence[str] | None = None) -> tuple[Shadow, ...]:
    """
    Our packages that are not, or not only, ours; none when all is well.

    Args:
        path: where Python looks for packages; its own by default.
    """
    path = sys.path if path is None else path
    found = list(distributions(path=list(path)))
    home = Path(__file__).resolve().parent.parent
    return tuple(shadow for package in PACKAGES if (shadow := _shadow(package, found, home, path)) is not None)


def misfits(name: str = NAME) -> tuple[Library, ...]:
    """
    The libraries that are missing, or outside the range that the distribution wants; extras count when they are there.
    """
    try:
        wanted = Distribution.from_name(name).requires or []
    except PackageNotFoundError:
        return ()
    return tuple(library for text in wanted if (library := _misfit(text)) is not None)


def _shadow(package: str, found: Iterable[Distribution], home: Path, path: Sequence[str]) -> Shadow | None:
    others = tuple(sorted({_name(one) for one in found if _name(one) != NAME and package in _packages_of(one)}))
    spec = PathFinder.find_spec(package, list(path))
    place = None if spec is None or spec.origin is None else Path(spec.origin).resolve()
    if place is not None and place.parent != home / package:
        return Shadow(package, f"Python finds package {package} at {place}, and ours is in {home}", others)
    changed = [file for one in found if _name(one) == NAME for file in _changed(one, package)]
    if changed:
        return Shadow(package, f"{changed[0]} is not as it was installed{_and_more(changed)}", others)
    if others:
        return Shadow(package, f"it is installed by {', '.join(others)} as well", others)
    return None


def _and_more(changed: Sequence[str]) -> str:
    return f", nor are {len(changed) - 1} more" if len(changed) > 1 else ""


def _name(distribution: Distribution) -> str:
    return re.sub(r"[-_.]+", "-", str(distribution.metadata["Name"] or "")).lower()


def _packages_of(distribution: Distribution) -> set[str]:
    """
    The packages of ours that a distribution installs: by its list of files, else by what it says of itself.
    """
    files = distribution.files
    if files is not None:
        return {file.parts[0].removesuffix(".py") for file in files if file.parts and file.suffix == ".py"}
    return set((distribution.read_text("top_level.txt") or "").split())


def _changed(distribution: Distribution, package: str) -> Iterator[str]:
    """
    The files of a package that are not what was installed. An editable installation lists none.
    """
    for file in distribution.files or ():
        if file.parts[:1] != (package,) or file.suffix != ".py" or file.hash is None or file.hash.mode != "sha256":
            continue
        try:
            content = Path(str(file.locate())).read_bytes()
        except OSError:
            yield str(file)
            continue
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        if digest != file.hash.value:
            yield str(file)


def _misfit(requirement: str) -> Library | None:
    read = _REQUIREMENT.fullmatch(requirement)
    if read is None:
        return None
    name, wanted, marker = read[1], read[2].strip(), read[3] or ""
    is_optional = "extra" in marker
    if "sys_platform" in marker and "!=" in marker and sys.platform in marker:
        return None
    try:
        installed = Distribution.from_name(name).version
    except PackageNotFoundError:
        return None if is_optional else Library(name, None, wanted)
    return None if _is_in(installed, wanted) else Library(name, installed, wanted)


def _is_in(version: str, wanted: str) -> bool:
    """
    Whether a version is in a range such as `<4,>=3.14`. Pre-releases count as their release, which is exact enough here.
    """
    here = _numbers(version)
    return all(_compares(here, sign, _numbers(bound)) for sign, bound in _RANGE.findall(wanted))


def _compares(here: tuple[int, ...], sign: str, bound: tuple[int, ...]) -> bool:
    width = max(len(here), len(bound))
    left, right = (numbers + (0,) * (width - len(numbers)) for numbers in (here, bound))
    if sign == "~=":  # from there to the next of the number before the last
        return left >= right and here[: len(bound) - 1] == bound[:-1]
    return bool(_COMPARISONS[sign](left, right))


def _numbers(version: str) -> tuple[int, ...]:
    release = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    return tuple(int(part) for part in release[0].split(".")) if release else ()
