"""
The page without a mouse.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

if TYPE_CHECKING:
    from playwright.async_api import Page

    from tests.console_page.conftest import OpenPage
    from tests.console_page.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

_OUTLINE = "(() => { const s = getComputedStyle(document.activeElement); return [s.outlineStyle, s.outlineWidth]; })()"


async def press(page: Page, *keys: str) -> None:
    """
    One key after the other.
    """
    for key in keys:
        await page.keyboard.press(key)


async def test_from_the_address_bar_to_a_request_and_back(world: World, open_page: OpenPage) -> None:
    mark = f"key-{uuid.uuid4().hex[:8]}"
    for number in range(2):
        await world.publish(f"{mark}-{number}", uuid.uuid4().hex)
    await world.until_state(f"{mark}-1", "created")
    page = await open_page(world.console)
    await press(page, "Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await press(page, "Tab", "Tab")
    await expect(page.get_by_role("link", name="Requests")).to_be_focused()
    assert ["solid", "3px"] == await page.evaluate(_OUTLINE)
    await press(page, "Enter")
    await expect(page.get_by_role("heading", name="Requests")).to_be_visible()
    await press(page, "/")
    field = page.get_by_label("Search")
    await expect(field).to_be_focused()

    await page.keyboard.type(mark)
    await press(page, "Enter")
    await expect(page.locator("#requests tbody tr")).to_have_count(2)
    await expect(field).to_be_focused()
    await press(page, "ArrowDown")
    await expect(page.get_by_role("link", name=f"{mark}-1")).to_be_focused()
    await press(page, "ArrowDown")
    second = page.get_by_role("link", name=f"{mark}-0")
    await expect(second).to_be_focused()
    assert ["solid", "3px"] == await page.evaluate(_OUTLINE)
    await press(page, "Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"{mark}-0")
    await press(page, "Escape")
    await expect(field).to_have_value(mark)
    await expect(second).to_be_focused()


async def test_the_slash_leads_to_the_search_from_every_view(world: World, open_page: OpenPage) -> None:
    page = await open_page(f"{world.console}#/letters")
    await expect(page.get_by_role("heading", name="Dead letters")).to_be_visible()
    await press(page, "/")

    await expect(page.get_by_label("Search")).to_be_focused()
    await expect(page.get_by_label("Search")).to_have_value("")


async def test_escape_leads_to_the_list_where_there_is_nothing_before(world: World, open_page: OpenPage) -> None:
    identity = f"key-{uuid.uuid4().hex[:8]}"
    await world.publish(identity, uuid.uuid4().hex)
    await world.until_state(identity, "created")
    page = await open_page(f"{world.console}#/request?id={identity}")
    await expect(page.get_by_role("heading", level=1)).to_have_text(identity)
    await press(page, "Escape")

    await expect(page.get_by_role("heading", name="Requests")).to_be_visible()


async def test_a_question_is_answered_with_the_keyboard(world: World, open_page: OpenPage) -> None:
    identity, router = f"key-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    world.cloud.state.faults.add({"fault": "close", "times": 1, "match": {"router_id": router}})
    await world.publish(identity, router)
    await world.until_state(identity, "in_doubt")
    page = await open_page(f"{world.console}#/request?id={identity}")
    await page.get_by_label("It was created").focus()
    await press(page, "ArrowDown")
    await expect(page.get_by_label("Nothing was created")).to_be_checked()
    resolve = page.locator("#resolve button")
    dialog = page.get_by_role("dialog")
    await press(page, "Tab")
    await expect(resolve).to_be_focused()
    await press(page, "Enter")
    await expect(dialog.get_by_role("button", name="No")).to_be_focused()
    await press(page, "Escape")
    await expect(dialog).to_be_hidden()
    await expect(resolve).to_be_focused()
    await expect(page.get_by_role("heading", level=1)).to_have_text(identity)

    await press(page, "Enter", "Shift+Tab")
    await expect(dialog.get_by_role("button", name="Resolve")).to_be_focused()
    await press(page, "Enter")
    await expect(page.locator("#request-facts dd").first).to_have_text("failed")
