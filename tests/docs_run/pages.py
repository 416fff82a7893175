"""
What stands on a page: its blocks of code, the commands in them, and code within a line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Where pages are, beside README.md.
FOLDERS = ("docs", "examples", "benchmarks", "deploy")

_FENCE = re.compile(r"^(?P<indent> *)(?P<marks>`{3,})(?P<language>[\w.+-]*)\s*$")
_HERE_DOCUMENT = re.compile(r"<<-?\s*['\"]?(\w+)['\"]?")
_NAMED = re.compile(r"^(?:#|//) ([\w./-]+\.\w+)$")


@dataclass(frozen=True)
class Block:
    """
    A fenced block.

    Attributes:
        page: the file, from the top of the project.
        line: of its opening fence, counted from 1.
        language: what stands behind the fence; may be empty.
        lines: what is between the fences.
    """

    page: str
    line: int
    language: str
    lines: tuple[str, ...]

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    @property
    def file_name(self) -> str | None:
        """
        The file that a reader makes of it: its first line is a comment with nothing but a name.
        """
        named = _NAMED.match(self.lines[0]) if self.lines and self.language != "console" else None
        return named[1] if named else None


@dataclass(frozen=True)
class Step:
    """
    A command and what the page shows of its output; nothing shown promises nothing.
    """

    page: str
    line: int
    command: str
    shown: tuple[str, ...]

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Mention:
    """
    Code within a line of text.
    """

    page: str
    line: int
    text: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


def pages(root: Path = ROOT) -> list[str]:
    """
    Every page there is, README.md first.
    """
    found = [path for folder in FOLDERS for path in sorted((root / folder).rglob("*.md"))]
    return ["README.md", *(str(path.relative_to(root)) for path in found)]


def text_of(page: str, root: Path = ROOT) -> str:
    return (root / page).read_text(encoding="utf-8")


def blocks_of(page: str, text: str) -> list[Block]:
    """
    The fenced blocks, in order.

    Raises:
        ValueError: one does not end.
    """
    found, opened, begun, lines = [], None, 0, list[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        fence = _FENCE.match(line)
        if opened is None:
            if fence:
                opened, begun, lines = fence, number, []
        elif fence and not fence["language"] and len(fence["marks"]) >= len(opened["marks"]):
            found.append(Block(page, begun, opened["language"], tuple(lines)))
            opened = None
        else:
            lines.append(line.removeprefix(opened["indent"]))
    if opened is not None:
        raise ValueError(f"{page}:{begun}: this block has no end")
    return found


def steps_of(block: Block) -> list[Step]:
    """
    The commands of a console or sh block, each with what it shows.

    A block that begins with `# ` is typed by root. In all others such a line is output.

    Raises:
        ValueError: a console block does not begin with a prompt, or a command does not end.
    """
    if block.language == "sh":
        return [Step(block.page, block.line + 1, block.text.rstrip(), ())]
    prompts = ("$ ", "# ") if block.lines and block.lines[0].startswith("# ") else ("$ ",)
    if not block.lines or not block.lines[0].startswith(prompts):
        raise ValueError(f"{block.where}: a console block begins with a prompt, `$ `")
    steps, at = [], 0
    while at < len(block.lines):
        end = _end_of_command(block, at)
        behind = next((n for n in range(end, len(block.lines)) if block.lines[n].startswith(prompts)), len(block.lines))
        first, *more = block.lines[at:end]
        command = "\n".join([first[2:], *(line.removeprefix("> ") for line in more)])
        steps.append(Step(block.page, block.line + 1 + at, command, _trimmed(block.lines[end:behind])))
        at = behind
    return steps


def steps_on(page: str) -> list[Step]:
    """
    The commands of a page, in order.
    """
    blocks = blocks_of(page, text_of(page))
    return [step for block in blocks if block.language in {"console", "sh"} for step in steps_of(block)]


def mentions_of(page: str, text: str) -> list[Mention]:
    """
    Code within lines, that of the blocks left out; also where it goes on in the next line.
    """
    kept = text
    for block in reversed(blocks_of(page, text)):
        lines = kept.splitlines()
        begun, ended = block.line - 1, block.line + len(block.lines) + 1
        kept = "\n".join([*lines[:begun], *[""] * (ended - begun), *lines[ended:]])
    spans = re.finditer(r"(?<!`)(`{1,2})(?!`)((?:(?!\n\s*\n)[\s\S])+?)(?<!`)\1(?!`)", kept)
    return [Mention(page, kept.count("\n", 0, span.start()) + 1, " ".join(span[2].split())) for span in spans]


def _end_of_command(block: Block, at: int) -> int:
    """
    The number of the line behind a command: it goes on behind a backslash, in a here-document and in open quotes.
    """
    end = at + 1
    while end <= len(block.lines):
        written = "\n".join(block.lines[at:end])
        here = _HERE_DOCUMENT.search(block.lines[at])
        goes_on = here[1] not in block.lines[at + 1 : end] if here else written.endswith("\\") or is_open(written)
        if not goes_on:
            return end
        end += 1
    raise ValueError(f"{block.page}:{block.line + 1 + at}: this command has no end")


def is_open(written: str) -> bool:
    """
    Whether a quote is still open at the end of what is written.
    """
    return _quotes(written)[0] != ""


def without_comments(command: str) -> str:
    """
    The command without what stands behind a `#`.
    """
    return "".join(
        character for character, is_comment in zip(command, _quotes(command)[1], strict=True) if not is_comment
    )


def _quotes(written: str) -> tuple[str, list[bool]]:
    quote, is_comment, was, marks = "", False, "\n", []
    for character in written:
        if is_comment:
            is_comment = character != "\n"
        elif quote:
            quote = "" if character == quote and not (quote == '"' and was == "\\") else quote
        elif character in "'\"" and was != "\\":
            quote = character
        elif character == "#" and was.isspace():
            is_comment = True
        marks.append(is_comment)
        was = "" if was == "\\" else character
    return quote, marks


def _trimmed(lines: tuple[str, ...]) -> tuple[str, ...]:
    kept = list(lines)
    while kept and not kept[-1].strip():
        kept.pop()
    return tuple(kept)
