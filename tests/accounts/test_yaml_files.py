"""
Files are read in full or refused in one line that shows nothing of them.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.accounts.conftest import SECRET
from worker.accounts.yaml_files import FileError, read_mapping

NOT_YAML = "this is not YAML; put values with special characters in quotes"


def refusal(path: Path) -> str:
    with pytest.raises(FileError) as caught:
        read_mapping(path)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert SECRET not in f"{caught.value!r}"
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("# only words\n", "is empty"),
        ("- a\n- b\n", "must hold keys with values, such as `clouds:` or `accounts:`"),
        (SECRET, "must hold keys with values, such as `clouds:` or `accounts:`"),
        (f"a: 1\nb: {{{SECRET}\n", f"line 3: {NOT_YAML}"),
        (f"a: 1\npassword: *{SECRET}\n", f"line 2: {NOT_YAML}"),
        (f"a: 1\npassword: !{SECRET} x\n", f"line 2: {NOT_YAML}"),
        (f"a: 1\npassword: @{SECRET}\n", f"line 2: {NOT_YAML}"),
        (f"a: 1\npassword: '{SECRET}\n", f"line 3: {NOT_YAML}"),
        ("a: !!python/object/apply:os.system ['true']\n", f"line 1: {NOT_YAML}"),
        (f"a: 1\n\t{SECRET}: 2\n", f"line 2: {NOT_YAML}"),
        (f"a: 1\nb: {SECRET}\na: 2\n", "line 3: this key is there twice"),
        ("a:\n  - x: 1\n    x: 2\n", "line 3: this key is there twice"),
        ("when: 2024-13-45\n", "has a value that is no such date or number; put it in quotes"),
        (f"a: {SECRET}\x00\n", "this is not YAML: it has a character that YAML does not allow"),
        ("a: " + "[" * 5000, "is nested too deeply"),
    ],
)
def test_what_is_no_such_file_is_told_by_its_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(text)

    assert words == refusal(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        (f'{{"a": 1,\n "b": {SECRET}}}', "line 2: this is not JSON"),
        ("[1]", "must hold keys with values, such as `clouds:` or `accounts:`"),
        ("[" * 100_000, "is nested too deeply"),
    ],
)
def test_json_is_read_as_json(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "file.json"
    path.write_text(text)

    assert words == refusal(path)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe4")

    assert "cannot be read: No such file or directory" == refusal(tmp_path / "none.yaml")
    assert "cannot be read: it is not UTF-8" == refusal(tmp_path / "latin.yaml")
    assert "cannot be read: Is a directory" == refusal(tmp_path)


def test_aliases_are_followed_and_an_endless_one_ends(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: &x {b: 1}\nc: *x\n")
    (tmp_path / "b.yaml").write_text("a: &x\n  b: *x\n")

    assert {"a": {"b": 1}, "c": {"b": 1}} == read_mapping(tmp_path / "a.yaml")
    assert "a" in read_mapping(tmp_path / "b.yaml")


PIECES = st.lists(
    st.sampled_from(
        [SECRET, "a", ":", " ", "\n", "  ", "-", "*", "&", "!", "'", '"', "{", "}", "[", "]", "|", "\t", "#"]
    ),
    max_size=30,
).map("".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=PIECES)
def test_whatever_is_in_a_file_it_is_read_or_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    for name in ("any.yaml", "any.json"):
        path = tmp_path / name
        path.write_text(text)

        said = ""
        try:
            found: object = read_mapping(path)
        except FileError as exc:
            found, said = {}, f"{exc!r}"

        assert isinstance(found, dict)
        assert SECRET not in said
