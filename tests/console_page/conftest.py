"""
A browser, and pages in it that are watched for every fault they tell.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.console_page.world import World, open_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from worker.sandbox.chromium import Chromium

#: A page is patient with a worker on a busy machine.
LIMIT_MS = 30_000
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}
#: The browser's own words for an answer that is no success; tests in which there are such allow it.
NO_SUCCESS = "Failed to load resource"
_WATCH_POLICY = """
addEventListener("securitypolicyviolation", (event) => console.error("CSP", event.violatedDirective, event.blockedURI));
"""


@dataclass
class Watch:
    """
    What a page complained of.

    Attributes:
        allowed: beginnings of complaints that are expected.
    """

    complaints: list[str] = field(default_factory=list)
    allowed: set[str] = field(default_factory=set)

    def heed(self, page: Page) -> None:
        """
        Listens to a page.
        """
        page.on("console", lambda said: self._add(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: self._add(f"page error: {error}"))
        page.on("dialog", lambda dialog: self._add(f"dialog: {dialog.message}"))

    def unexpected(self) -> list[str]:
        """
        The complaints that are not allowed.
        """
        return [said for said in self.complaints if not said.startswith(tuple(self.allowed))]

    def _add(self, said: str) -> None:
        self.complaints.append(said)


class OpenPage(Protocol):
    """
    A page in a browser profile of its own; keywords as `Browser.new_context` takes them.
    """

    async def __call__(self, url: str, **context: Any) -> Page: ...


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: Chromium) -> AsyncIterator[Browser]:
    """
    One browser for all tests.
    """
    expect.set_options(timeout=LIMIT_MS)
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(
            executable_path=chromium.program, args=list(chromium.flags), timeout=60_000
        )
        yield opened
        await opened.close()


@pytest.fixture
def watch() -> Watch:
    """
    The complaints of this test's pages.
    """
    return Watch()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, watch: Watch) -> AsyncIterator[OpenPage]:
    """
    Opens pages; the test fails if one of them has complained.
    """
    async with AsyncExitStack() as stack:

        async def open_one(url: str, **context: Any) -> Page:
            profile = await browser.new_context(**({"viewport": DESKTOP, "locale": "en-GB"} | context))
            stack.push_async_callback(profile.close)
            profile.set_default_timeout(LIMIT_MS)
            await profile.add_init_script(_WATCH_POLICY)
            page = await profile.new_page()
            watch.heed(page)
            await page.goto(url)
            return page

        yield open_one
    assert [] == watch.unexpected()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(amqp_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """
    One worker, without a login, for all tests that do it no harm; each has ids and routers of its own.
    """
    async with open_world(amqp_url, tmp_path_factory.mktemp("world"), journey=((0.5, "BUILD"), (1, "ACTIVE"))) as made:
        await made.start_worker()
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def own_world(amqp_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """
    A world of the test's own, without a worker.
    """
    async with open_world(amqp_url, tmp_path, settle_after_s=None) as made:
        yield made
