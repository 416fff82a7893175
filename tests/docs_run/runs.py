"""
Which pages are followed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs_run.following import exemption
from tests.docs_run.needs import NEEDS, Needs
from tests.docs_run.pages import pages, steps_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from _pytest.mark.structures import ParameterSet

#: What anybody reads first.
FIRST = ("README.md", "docs/start/")


def runs(is_wanted: Callable[[str], bool]) -> list[ParameterSet]:
    """
    Parameters `page` and `server` for each page of which something is run; the second names the fixtures of servers that
    it needs beside RabbitMQ.
    """
    return [
        pytest.param(page, " ".join(NEEDS.get(page, Needs()).servers), id=page)
        for page in pages()
        if is_wanted(page) and any(exemption(step) is None for step in steps_on(page))
    ]
