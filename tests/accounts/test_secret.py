"""
Secrets show themselves to nobody but who asks, and follow their files.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.accounts.conftest import SECRET
from worker.accounts.secret import Secret, SecretUnreadable


def test_a_text_and_a_file_are_read_without_surrounding_white_space(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(f"  {SECRET}\n")

    assert SECRET == Secret(f"{SECRET}\n").read()
    assert SECRET == Secret(path=path).read()


def test_a_replaced_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    secret = Secret(path=path)
    before = secret.read()
    # As Kubernetes and vault agents do: another file takes the name.
    (tmp_path / "next").write_text("new")
    (tmp_path / "next").replace(path)

    assert ("old", "new") == (before, secret.read())


def test_a_file_that_has_not_changed_is_not_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("abc")
    found = path.stat()
    secret = Secret(path=path)
    before = secret.read()
    path.write_text("xyz")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))

    assert ("abc", "abc") == (before, secret.read())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file or directory."),
        (b"\xff\xfe" + SECRET.encode(), "cannot be read: it is not UTF-8."),
        (b" \n", "is empty."),
        (f"{SECRET} x".encode(), "must hold printable ASCII without spaces, since it is sent in a header."),
        (f"{SECRET}\nx".encode(), "must hold printable ASCII without spaces, since it is sent in a header."),
        (f"{SECRET}ö".encode(), "must hold printable ASCII without spaces, since it is sent in a header."),
    ],
)
def test_a_file_that_cannot_be_used_is_told_without_what_is_in_it(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SecretUnreadable) as caught:
        Secret(path=path, is_header=True).read()

    assert f"The file {path} {words}" == str(caught.value)
    assert caught.value.__cause__ is None
    assert SECRET not in repr(caught.value)


def test_a_file_that_went_bad_is_told_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("first")
    secret = Secret(path=path)
    secret.read()
    path.write_text("")

    with pytest.raises(SecretUnreadable, match="is empty"):
        secret.read()
    with pytest.raises(SecretUnreadable, match="is empty"):
        secret.read()
    path.write_text("second")
    assert "second" == secret.read()


def test_an_empty_text_is_no_secret() -> None:
    with pytest.raises(SecretUnreadable, match=r"^It is empty\.$"):
        Secret(" ").read()


def test_a_secret_is_not_in_its_repr(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(SECRET)
    secret = Secret(path=path)
    secret.read()

    assert "Secret(...)" == repr(Secret(SECRET)) == str(Secret(SECRET))
    assert f"Secret(path={str(path)!r})" == repr(secret)


def test_secrets_are_equal_by_text_or_by_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("a")
    read, unread = Secret(path=path), Secret(path=path)
    read.read()

    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert read == unread
    assert hash(read) == hash(unread)
    assert read != Secret("a")
