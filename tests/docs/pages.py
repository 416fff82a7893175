"""
The pages of the project: their links, headings and blocks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
#: Folders of the four kinds: to begin, to get something done, to look something up, to understand.
KINDS = ("start", "how-to", "reference", "why")

_BLOCK = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^()\s]+(?:\([^()\s]*\))?)\)")
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """
    One file of Markdown.
    """

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        """
        The text without blocks of code.
        """
        return _BLOCK.sub("", self.text)

    @property
    def links(self) -> list[str]:
        """
        Where it links to within the project: `page.md`, `page.md#heading`, `#heading`.
        """
        found = _LINK.findall(_CODE.sub("``", self.prose))
        return [link for link in found if not re.match(r"[a-z]+:", link)]

    @property
    def anchors(self) -> set[str]:
        """
        What can follow `#` in a link to it, as GitHub makes it of the headings.
        """
        anchors: set[str] = set()
        for heading in _HEADING.findall(self.prose):
            anchor = anchor_of(heading)
            count = next(count for count in range(1000) if (f"{anchor}-{count}" if count else anchor) not in anchors)
            anchors.add(f"{anchor}-{count}" if count else anchor)
        return anchors

    def target(self, link: str) -> tuple[Path, str]:
        """
        The file that a link leads to, and the heading in it.
        """
        path, _, anchor = link.partition("#")
        return ((self.path.parent / path).resolve() if path else self.path), anchor


def anchor_of(heading: str) -> str:
    """
    The anchor of a heading.
    """
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")


def pages() -> list[Page]:
    """
    Every page that people read: the README and what stands beside it, and whatever is in these folders.
    """
    folders = (ROOT / folder for folder in ("docs", "examples", "benchmarks", "deploy"))
    found = [*ROOT.glob("*.md"), *(page for folder in folders for page in folder.rglob("*.md"))]
    return [Page(path) for path in sorted(found)]
