"""
What no command shows: samples that would be taken, names that exist, links that lead somewhere.
"""

from __future__ import annotations

import ast
import re
from itertools import chain
from pathlib import PurePosixPath

import pytest

from tests.docs_run.following import unused
from tests.docs_run.needs import EXEMPT, NEEDS, Needs
from tests.docs_run.pages import ROOT, Block, blocks_of, mentions_of, pages, steps_on, text_of
from tests.docs_run.samples import faults_of_sample, faults_of_sessions
from tests.docs_run.variables import MISSPELT, OTHERS, unknown_in
from tests.docs_run.words import faults_of, flags, tree

PAGES = pages()
WRONG_USE = 2
#: Words that begin a mention of ours although `vpn-worker` is not there.
GROUPS = tuple(f"{name} " for name, command in tree().commands.items() if hasattr(command, "commands"))
#: Of other programs, Docker's above all.
FOREIGN_FLAGS = {"--build-arg", "--profile", "--publish", "--restart", "--stop-timeout"}
LANGUAGES = {"console", "sh", "json", "yaml", "ini", "python", "promql", "text", "csv", "mermaid", "toml", ""}


def blocks_on(page: str) -> list[Block]:
    return blocks_of(page, text_of(page))


@pytest.mark.parametrize("page", PAGES)
def test_every_word_of_a_command_is_known(page: str) -> None:
    """
    Also of those that are not run; not of those that are wrong on purpose.
    """
    needs = NEEDS.get(page, Needs())
    made = [*needs.files, *(block.file_name for block in blocks_on(page) if block.file_name)]
    faults = [
        f"{step.where}: {fault}"
        for step in steps_on(page)
        if needs.status_of(step.command) != WRONG_USE
        for fault in faults_of(step.command, made=made)
    ]

    assert not faults, "\n".join(["", *faults])


@pytest.mark.parametrize("page", PAGES)
def test_every_command_within_the_text_is_known(page: str) -> None:
    faults = []
    for mention in mentions_of(page, text_of(page)):
        text = mention.text
        if text.startswith(GROUPS):
            text = f"vpn-worker {text}"
        if re.match(r"(\S*/)?vpn-worker \S|make [a-z-]+( |$)|python3? -m ", text):
            faults += [f"{mention.where}: `{mention.text}`: {fault}" for fault in faults_of(text, is_prose=True)]

    assert not faults, "\n".join(["", *faults])


@pytest.mark.parametrize("page", PAGES)
def test_every_flag_within_the_text_is_known(page: str) -> None:
    faults = [
        f"{mention.where}: `{mention.text}`: no command has {flag[0]}"
        for mention in mentions_of(page, text_of(page))
        if (flag := re.match(r"--[a-z][a-z0-9-]*", mention.text)) and flag[0] not in {*flags(), *FOREIGN_FLAGS}
    ]

    assert not faults, "\n".join(["", *faults])


@pytest.mark.parametrize("page", PAGES)
def test_every_variable_is_a_setting(page: str) -> None:
    faults = unknown_in(page, text_of(page))

    assert not faults, "\n".join(["", *faults])


@pytest.mark.parametrize("page", PAGES)
def test_every_sample_would_be_taken(page: str) -> None:
    blocks = blocks_on(page)

    assert set() == {block.language for block in blocks} - LANGUAGES
    faults = [fault for block in blocks if block.language != "console" for fault in faults_of_sample(block)]
    faults += faults_of_sessions(blocks)
    assert not faults, "\n".join(["", *faults])


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    text = re.sub(r"^```.*?^```", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    faults = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if "://" in path or path.startswith("mailto:"):
            continue
        file = (ROOT / page).parent / path if path else ROOT / page
        if not file.exists():
            faults.append(f"{page}: {target}: there is no such file")
        elif anchor and anchor not in anchors(str(PurePosixPath(file))):
            faults.append(f"{page}: {target}: there is no such heading")

    assert not faults, "\n".join(["", *faults])


def anchors(page: str) -> set[str]:
    """
    What can stand behind the `#` of a link to a page: its headings in small letters, without punctuation.
    """
    headings = re.findall(r"^#+ (.*)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_an_example_says_how_it_is_started_in_words_that_are_known() -> None:
    """
    That it works when it is started so is seen in tests/examples.
    """
    faults = []
    for path in sorted((ROOT / "examples").glob("*.py")):
        name, text = str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        faults += unknown_in(name, text)
        faults += [f"{name}: {command}: {fault}" for command in started_by(text) for fault in faults_of(command)]

    assert not faults, "\n".join(["", *faults])


def started_by(text: str) -> list[str]:
    """
    The commands in the docstring of a module: what is set in there, one a line.
    """
    told = ast.get_docstring(ast.parse(text)) or ""
    return [line.strip() for line in told.splitlines() if line.startswith("    ")]


def test_there_are_pages() -> None:
    assert len(PAGES) > 10


def test_no_entry_of_the_tables_is_stale() -> None:
    assert [] == unused(chain.from_iterable(map(steps_on, PAGES)))
    assert [] == [one.covered_by for one in EXEMPT if one.covered_by and not (ROOT / one.covered_by).exists()]
    assert [] == [page for page in NEEDS if page not in PAGES]
    assert [] == [
        (page, words)
        for page, needs in NEEDS.items()
        for words in (*needs.stand_ins, *needs.statuses)
        if words not in text_of(page)
    ]


def test_no_word_beside_ours_is_stale() -> None:
    assert [] == [name for name, reader in OTHERS.items() if name not in (ROOT / reader).read_text(encoding="utf-8")]
    assert [] == [flag for flag in FOREIGN_FLAGS if not any(flag in text_of(page) for page in PAGES)]
    assert [] == [name for name, page in MISSPELT.items() if name not in text_of(page)]
