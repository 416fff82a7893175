"""
See test_pages_run.

These are the first pages that anybody reads; they take as long as all others.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.docs_run.following import follow
from tests.docs_run.needs import NEEDS, Needs
from tests.docs_run.pages import text_of
from tests.docs_run.runs import FIRST, runs

if TYPE_CHECKING:
    from tests.docs_run.stage import Stage

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
    pytest.mark.usefixtures("tools"),
]


@pytest.mark.parametrize(("page", "server"), runs(lambda page: page.startswith(FIRST)))
async def test_what_a_first_page_says_comes_true(page: str, server: str, stage: Stage) -> None:
    faults = await follow(page, text_of(page), stage, NEEDS.get(page, Needs()))

    assert not faults, "\n\n" + "\n\n".join(faults)
