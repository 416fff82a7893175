"""
The pages about integrating: their code is the examples' own, or runs, and what they point to is there.
"""

from __future__ import annotations

import ast
import doctest
import re
from pathlib import Path

import pytest

from tests.examples.conftest import EXAMPLES, ROOT

INTEGRATE = ROOT / "docs" / "how-to" / "integrate.md"
PAGES = (INTEGRATE, EXAMPLES / "README.md", EXAMPLES / "publish_any_language.md")
TAKEN = re.compile(r"<!-- from (examples/\S+): (\w+) -->\n```python\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def source_of(file: str, name: str) -> str:
    """
    The text of a function in an example.
    """
    text = (ROOT / file).read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return f"{ast.get_source_segment(text, node)}\n"
    raise LookupError(f"{file} has no function {name}")


def test_code_that_is_taken_from_an_example_is_what_stands_there() -> None:
    taken = TAKEN.findall(INTEGRATE.read_text(encoding="utf-8"))

    assert 3 == len(taken)
    assert [source_of(file, name) for file, name, _ in taken] == [code for _, _, code in taken]


def test_the_dialogues_are_true() -> None:
    text = INTEGRATE.read_text(encoding="utf-8")
    blocks = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if block.startswith(">>>")]
    said: list[str] = []
    examples = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, INTEGRATE.name, str(INTEGRATE), 0)
    result = doctest.DocTestRunner(verbose=False).run(examples, out=said.append)

    assert (3, "") == (len(blocks), "".join(said))
    assert 0 == result.failed < result.attempted


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_points_to_is_there(page: Path) -> None:
    links = LINK.findall(page.read_text(encoding="utf-8"))

    assert links
    assert [] == [link for link in links if not (page.parent / link).exists()]


def test_every_example_is_listed_and_nothing_else() -> None:
    listed = re.findall(r"^\| \[(\S+)\]\(\1\)", (EXAMPLES / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    there = [file.name for file in EXAMPLES.iterdir() if file.suffix in {".py", ".md"} and file.name != "README.md"]

    assert sorted(there) == sorted(listed)


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.py")), ids=lambda file: file.name)
def test_each_program_says_how_to_run_it_and_has_a_test(file: Path) -> None:
    words = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    tests = "".join(test.read_text(encoding="utf-8") for test in Path(__file__).parent.glob("test_*.py"))

    assert f"python examples/{file.name}" in words
    assert "export VPN_WORKER_AMQP_URL=" in words
    assert f'"{file.name}"' in tests


def test_every_argument_of_encode_is_on_the_page() -> None:
    from messages.publishing import RequestOptions  # noqa: PLC0415 - beside its one use

    text = INTEGRATE.read_text(encoding="utf-8")
    told = set(re.findall(r"`(\w+)`", text)) | {"unchecked"}  # which is for tests of workers

    assert set() == set(RequestOptions.__annotations__) - told
