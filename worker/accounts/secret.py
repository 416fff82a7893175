"""
A secret that never shows itself, and that is read anew when its file changes.
"""

from __future__ import annotations

from pathlib import Path


class SecretUnreadable(Exception):  # noqa: N818 - named for what the operator sees
    """
    A secret cannot be used as it is; the text names its file if it has one and says why, never what is in it.
    """


class Secret:
    """
    A text, or the content of a file; either without surrounding white space.

    Args:
        text: the secret itself, or None.
        path: the file that holds it, or None. Kubernetes and vault agents replace such files while we run.
        is_header: it is sent in an HTTP header, so it must be printable ASCII without spaces.
    """

    __slots__ = ("_is_header", "_mark", "_path", "_text")

    def __init__(self, text: str | None = None, path: Path | None = None, *, is_header: bool = False) -> None:
        # A secret from a Kubernetes variable often ends in a line break.
        self._text = None if text is None else text.strip()
        self._path = path
        self._is_header = is_header
        self._mark: tuple[int, int, int] | None = None

    def read(self) -> str:
        """
        The secret as it is now; a file is opened only when it has changed.

        Raises:
            SecretUnreadable: there is no such file any more, or it is not text, empty, or not fit for a header.
        """
        if self._path is None:
            return self._fit(self._text or "", "It")
        try:
            found = self._path.stat()
            mark = (found.st_mtime_ns, found.st_ino, found.st_size)
            if mark != self._mark or self._text is None:
                self._text = self._fit(self._path.read_text(encoding="utf-8").strip(), f"The file {self._path}")
                self._mark = mark
        except (OSError, UnicodeDecodeError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
            raise SecretUnreadable(f"The file {self._path} cannot be read: {reason}.") from None
        return self._text

    def _fit(self, text: str, what: str) -> str:
        if not text:
            raise SecretUnreadable(f"{what} is empty.")
        if self._is_header and not (text.isascii() and text.isprintable() and " " not in text):
            # The HTTP library would fail at each call.
            raise SecretUnreadable(f"{what} must hold printable ASCII without spaces, since it is sent in a header.")
        return text

    def __repr__(self) -> str:
        return "Secret(...)" if self._path is None else f"Secret(path={str(self._path)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self._path, self._given) == (other._path, other._given)

    def __hash__(self) -> int:
        return hash((self._path, self._given))

    @property
    def _given(self) -> str | None:
        return self._text if self._path is None else None
