"""
The live numbers, why a worker is paused, and what is seen of a worker that is away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from tests.console_page.conftest import NO_SUCCESS
from tests.e2e.shop import orders

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

    from tests.console_page.conftest import OpenPage, Watch
    from tests.console_page.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


def total(page: Page, name: str) -> Locator:
    """
    The number of a kind since the start.
    """
    return page.locator("#totals > div").filter(has=page.get_by_text(name, exact=True)).locator("dd")


async def test_the_numbers_move_by_themselves(world: World, open_page: OpenPage) -> None:
    page = await open_page(world.console)
    await expect(page.locator("#state")).to_have_text("ready")
    before = int(await total(page, "created").inner_text())
    await world.shop.publish(*orders(5))

    await expect(total(page, "created")).to_have_text(str(before + 5))
    await expect(page.locator("#tile-outcomes rect.created[height]:not([height='0.00'])").first).to_be_attached()
    await expect(page.locator("#tile-critical .value")).to_contain_text("s")
    await expect(page.locator("#tile-waiting .value")).to_have_text("0")
    await expect(page.locator("#checks tbody tr")).to_have_count(6)


async def test_a_refused_login_is_told_with_its_remedy_in_every_view(own_world: World, open_page: OpenPage) -> None:
    own_world.cloud.state.faults.add({"fault": "answer", "status": 401, "on": "any", "times": None})
    await own_world.start_worker(trip_after=2)
    page = await open_page(f"{own_world.console}#/requests")
    await own_world.shop.publish(*orders(3))
    troubles = page.get_by_role("region", name="What is not well")

    await expect(page.locator("#state")).to_have_text("paused")
    await expect(troubles).to_contain_text("credentials_refused")
    await expect(troubles).to_contain_text("requests are taken again by themselves")
    await page.get_by_role("link", name="Now").click()
    await expect(page.locator("#checks .failing").first).to_be_visible()
    await expect(troubles).to_be_visible()

    own_world.cloud.state.faults.clear()
    await expect(page.locator("#state")).to_have_text("ready")
    await expect(troubles).to_be_hidden()


async def test_a_cloud_that_is_down_is_told(own_world: World, open_page: OpenPage) -> None:
    own_world.cloud.state.faults.add({"fault": "error_503", "on": "any", "times": None})
    await own_world.start_worker(trip_after=2)
    page = await open_page(own_world.console)
    await own_world.shop.publish(*orders(3))

    await expect(page.locator("#state")).to_have_text("paused")
    await expect(page.get_by_role("region", name="What is not well")).to_contain_text("The service is unavailable")
    await expect(page.locator("#tile-api .more .failed")).not_to_have_text("0 went wrong")


async def test_a_worker_that_dies_is_missed_until_another_is_there(
    own_world: World, open_page: OpenPage, watch: Watch
) -> None:
    watch.allowed.add(NO_SUCCESS)
    first = await own_world.start_worker()
    page = await open_page(own_world.console)
    await expect(page.locator("#state")).to_have_text("ready")
    await first.child.stop()
    lost = page.get_by_role("alert").filter(has_text="The worker does not answer")

    await expect(lost).to_be_visible()
    await expect(page.locator("#state")).to_have_text("no answer")
    second = await own_world.start_worker(http_port=urlsplit(own_world.url).port)
    await expect(lost).to_be_hidden(timeout=30_000)
    await expect(page.locator("#state")).to_have_text("ready")
    await expect(page.locator("#worker")).to_contain_text(f"process {second.child.pid}")
    await own_world.shop.publish(*orders(1))
    await expect(total(page, "created")).to_have_text("1")
