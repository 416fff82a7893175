"""
Logging in and out with a browser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.console_page.conftest import NO_SUCCESS

if TYPE_CHECKING:
    from tests.console_page.conftest import OpenPage, Watch
    from tests.console_page.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOKEN = "a-token-that-nobody-guesses"


async def test_in_with_the_token_alone_and_back_to_where_somebody_wanted(
    own_world: World, open_page: OpenPage, watch: Watch
) -> None:
    watch.allowed.add(NO_SUCCESS)
    await own_world.start_worker(console_token=TOKEN)
    page = await open_page(f"{own_world.console}#/requests?state=failed")
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
    await page.goto(f"{own_world.console}#/letters")
    await expect(token).to_be_visible()
    assert TOKEN not in await page.content()
    assert [] == own_world.workers[0].mistakes()


async def test_a_session_that_ends_leads_to_the_login_and_back(
    own_world: World, open_page: OpenPage, watch: Watch
) -> None:
    watch.allowed.add(NO_SUCCESS)
    await own_world.start_worker(console_token=TOKEN)
    page = await open_page(f"{own_world.console}#/letters")
    await page.get_by_label("Login token").fill(TOKEN)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Dead letters")).to_be_visible()

    await page.context.clear_cookies()
    await expect(page.get_by_role("alert")).to_contain_text("The session has ended")
    await page.get_by_label("Login token").fill(TOKEN)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Dead letters")).to_be_visible()
