"""
Which characters text may hold: no control characters, and only whole ones.
"""

import re

NO_CONTROLS = r"^[^\x00-\x1f\x7f-\x9f]*$"
"""Text without C0, DEL and C1, as a pattern for pydantic, whose `$` is the very end."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def control_problem(text: str) -> str | None:
    """
    What to say about the first control character, or None when there is none.
    """
    found = _CONTROL.search(text)
    if found is None:
        return None

    return f"must hold no control characters, found U+{ord(found.group()):04X} as character {found.start() + 1}"


def is_whole(text: str) -> bool:
    """
    Whether the text can be written as UTF-8: it holds no half of a surrogate pair.
    """
    return text.isascii() or _SURROGATE.search(text) is None
