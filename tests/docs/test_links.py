"""
Every link of every page leads somewhere, and every page of docs/ can be found.
"""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import DOCS, KINDS, ROOT, Page, anchor_of, pages

INDEX = Page(DOCS / "README.md")
OF_DOCS = [page for page in pages() if page.path.is_relative_to(DOCS)]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page: Page) -> None:
    broken = []
    for link in page.links:
        path, anchor = page.target(link)
        is_there = path.exists() and path.is_relative_to(ROOT)
        if not is_there or (anchor and path.suffix == ".md" and anchor not in Page(path).anchors):
            broken.append(link)

    assert [] == broken


def test_the_pages_were_found() -> None:
    assert {"README.md", "CHANGELOG.md", "docs/README.md", "benchmarks/README.md"} <= {page.name for page in pages()}
    assert sum(len(page.links) for page in pages()) > 100


def test_every_page_of_docs_is_one_of_a_kind() -> None:
    assert set() == {page.name for page in OF_DOCS if page != INDEX and page.path.parent.name not in KINDS}


def test_the_index_has_every_page_once_under_its_kind() -> None:
    listed = []
    for section in re.split(r"^## ", INDEX.text, flags=re.MULTILINE)[1:]:
        kinds = [kind for kind in KINDS if f"({kind}/" in section]
        assert len(kinds) == 1, section.partition("\n")[0]
        listed += re.findall(r"^- \[[^\]]+\]\(([a-z-]+/[\w-]+\.md)\): \S", section, re.MULTILINE)

    assert sorted(listed) == sorted(page.path.relative_to(DOCS).as_posix() for page in OF_DOCS if page != INDEX)


@pytest.mark.parametrize("page", OF_DOCS, ids=lambda page: page.name)
def test_a_page_has_one_title_and_says_first_what_it_is(page: Page) -> None:
    assert re.match(r"# \S.*\n\n[A-Z`*\[]", page.text), "a title, an empty line, then for whom and what"
    assert 1 == len(re.findall(r"^# ", page.prose, re.MULTILINE))


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("What happens when ...", "what-happens-when-"),
        ("`OS_*` variables and clouds.yaml", "os_-variables-and-cloudsyaml"),
        ("The [page](a.md), *here*", "the-page-here"),
    ],
)
def test_anchors_are_githubs(heading: str, anchor: str) -> None:
    assert anchor == anchor_of(heading)


def test_the_glossary_has_each_word_once_in_order() -> None:
    words = re.findall(
        r"^\| ([a-z][\w ,-]*) \| \S", (DOCS / "reference" / "glossary.md").read_text("utf-8"), re.MULTILINE
    )[1:]

    assert len(words) > 40
    assert sorted(set(words)) == words
