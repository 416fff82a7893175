"""
Logging in and out with a browser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.console_page.conftest import NO_SUCCESS
from tests.console_page.world import open_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.console_page.conftest import OpenPage, Watch
    from tests.console_page.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOKEN = "a-token-that-nobody-guesses"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def login_world(amqp_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """
    A worker whose console asks for a token.
    """
    async with open_world(amqp_url, tmp_path_factory.mktemp("login")) as made:
        await made.start_worker(console_token=TOKEN)
        yield made


async def test_in_with_the_token_alone_and_back_to_where_somebody_wanted(
    login_world: World, open_page: OpenPage, watch: Watch
) -> None:
    watch.allowed.add(NO_SUCCESS)
    page = await open_page(f"{login_world.console}#/requests?state=failed")
    token = page.get_by_label("Login token")
    await expect(token).to_be_focused()

    await token.fill("not-the-token")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("That is not the token.")
    await token.fill(TOKEN)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("heading", name="Requests")).to_be_visible()
    await expect(page.get_by_label("State")).to_have_value("failed")

    await page.get_by_role("button", name="Log out").click()
    await expect(token).to_be_focused()
    await page.goto(f"{login_world.console}#/letters")
    await expect(token).to_be_visible()
    assert TOKEN not in await page.content()
    assert [] == login_world.workers[0].mistakes()


async def test_a_session_that_ends_leads_to_the_login_and_back(
    login_world: World, open_page: OpenPage, watch: Watch
) -> None:
    watch.allowed.add(NO_SUCCESS)
    page = await open_page(f"{login_world.console}#/letters")
    await page.get_by_label("Login token").fill(TOKEN)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Dead letters")).to_be_visible()

    await page.context.clear_cookies()
    await expect(page.get_by_role("alert")).to_contain_text("The session has ended")
    await page.get_by_label("Login token").fill(TOKEN)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Dead letters")).to_be_visible()
