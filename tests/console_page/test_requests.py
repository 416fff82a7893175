"""
The list of requests, one request's history, and what hostile words become on the page.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.console_page.conftest import NO_SUCCESS
from tests.e2e.shop import binary, order

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

    from tests.console_page.conftest import OpenPage, Watch
    from tests.console_page.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

BAD = {"fault": "answer", "status": 400}
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "abc\u202egnp.exe",
    "n" * 64,
    "\U0001f680\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "'\"`&amp;{{7*7}}",
)


def rows(page: Page) -> Locator:
    """
    The rows of the list.
    """
    return page.locator("#requests tbody tr")


async def search(page: Page, text: str) -> None:
    """
    As a person searches.
    """
    await page.get_by_label("Search").fill(text)
    await page.get_by_role("button", name="Search").click()


def new(name: str) -> str:
    """
    An id that no other test has.
    """
    return f"{name}-{uuid.uuid4().hex[:8]}"


async def test_a_request_is_found_by_whatever_is_known_of_it(world: World, open_page: OpenPage) -> None:
    identity, router, number = new("find"), new("router"), new("order")
    await world.publish(identity, router, order_id=number, tenant_id=new("tenant"))
    told = await world.until_state(identity, "created")
    page = await open_page(f"{world.console}#/requests")

    for text in (identity, identity[:9], number, router, told["service"], told["tenant"]):
        await search(page, "nothing-like-this")
        await expect(page.get_by_text("No request fits.")).to_be_visible()
        await search(page, text)
        await expect(rows(page)).to_have_count(1)
        await expect(rows(page)).to_contain_text(identity)
    assert f"q={told['tenant']}" in page.url


async def test_the_list_is_narrowed_to_a_state_and_the_address_keeps_it(world: World, open_page: OpenPage) -> None:
    router, refused, created = new("refusing"), new("refused"), new("made")
    world.cloud.state.faults.add(BAD | {"match": {"router_id": router}})
    await world.publish(refused, router)
    await world.publish(created, new("router"))
    await world.until_state(refused, "failed")
    await world.until_state(created, "created")
    page = await open_page(f"{world.console}#/requests")
    await page.get_by_label("State").select_option("failed")

    await expect(page.get_by_role("link", name=refused)).to_be_visible()
    await expect(page.get_by_role("link", name=created)).to_have_count(0)
    await page.reload()
    await expect(page.get_by_label("State")).to_have_value("failed")
    await expect(page.get_by_role("link", name=refused)).to_be_visible()
    assert {"failed"} == set(await rows(page).locator(".tag").all_inner_texts())


async def test_pages_go_to_older_requests_and_back_to_the_newest(world: World, open_page: OpenPage) -> None:
    mark = new("page")
    for number in range(60):
        await world.publish(f"{mark}-{number:02}", new("router"))
    await world.until_state(f"{mark}-59", "created")
    page = await open_page(f"{world.console}#/requests?q={mark}")

    await expect(rows(page)).to_have_count(50)
    await expect(rows(page).first).to_contain_text(f"{mark}-59")
    await page.get_by_role("link", name="Older").click()
    await expect(rows(page)).to_have_count(10)
    await expect(rows(page).last).to_contain_text(f"{mark}-00")
    await expect(page.get_by_role("link", name="Older")).to_be_hidden()
    await page.get_by_role("link", name="Newest").click()
    await expect(rows(page)).to_have_count(50)
    await expect(page.get_by_role("link", name="Newest")).to_be_hidden()


async def test_a_request_that_took_a_detour_tells_its_steps(world: World, open_page: OpenPage) -> None:
    identity, router = new("detour"), new("router")
    world.cloud.state.faults.add({"fault": "commit_then_close", "times": 1, "match": {"router_id": router}})
    await world.publish(identity, router)
    told = await world.until_state(identity, "created")
    page = await open_page(f"{world.console}#/requests?q={identity}")
    await page.get_by_role("link", name=identity).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(identity)
    steps = page.locator("#history strong")

    await expect(steps).to_have_text(["arrived", "sent", "answered", "decided", "followed", "status"])
    await expect(page.locator("#history li").nth(2)).to_contain_text("no answer came")
    await expect(page.locator("#history li").nth(3)).to_contain_text(told["service"])
    await expect(page.locator("#history li").last).to_contain_text("ACTIVE")
    await expect(page.locator("#request-asked")).to_contain_text(router)
    await expect(page.get_by_role("heading", name="Resolve")).to_be_hidden()
    assert identity in page.url


async def test_followed_services_have_a_list_of_their_own(own_world: World, open_page: OpenPage) -> None:
    await own_world.start_worker(follow="active")
    page = await open_page(f"{own_world.console}#/followed")
    await expect(page.get_by_text("No service is being followed now.")).to_be_visible()
    await own_world.publish("is-followed", "router-1")

    await expect(rows(page)).to_have_count(1)
    await expect(rows(page)).to_contain_text("PENDING_CREATE")
    await expect(page.get_by_label("State")).to_be_hidden()


async def test_hostile_words_are_words(world: World, open_page: OpenPage) -> None:
    source = f"/{new('hostile')}"
    for words in HOSTILE:
        fault = {
            "fault": "error",
            "status": 400,
            "message": words,
            "code": words,
            "match": {"router_id": source + words},
        }
        world.cloud.state.faults.add(fault)
        message = order(source + words, order_id=words, name=words), binary(source + words, source=source)
        await world.shop.publish(message)
    told = [await world.until_state(source + words, "failed") for words in HOSTILE]
    page = await open_page(f"{world.console}#/requests?q={source}")
    await expect(rows(page)).to_have_count(len(HOSTILE))

    for words, request in zip(HOSTILE, told, strict=True):
        await page.goto(f"{world.console}#/requests?q={source}")
        row = rows(page).filter(has=page.get_by_role("link", name=source + words, exact=True))
        await expect(row.locator("[data-label=order]")).to_have_text(words)
        await expect(row.locator("[data-label=error]")).to_have_text(request["message"])
        await row.get_by_role("link").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(source + words)
        await expect(page.locator("#request-error")).to_have_text(request["message"])
        await expect(page.locator("main img, main script, main iframe")).to_have_count(0)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_refresh_keeps_focus_selection_and_the_open_request(world: World, open_page: OpenPage) -> None:
    mark = new("keep")
    await world.publish(f"{mark}-1", new("router"))
    await world.until_state(f"{mark}-1", "created")
    page = await open_page(f"{world.console}#/requests?q={mark}")
    link = page.get_by_role("link", name=f"{mark}-1")
    await link.focus()
    await world.publish(f"{mark}-2", new("router"))

    await expect(rows(page)).to_have_count(2)
    await expect(link).to_be_focused()
    await page.keyboard.press("Enter")
    await page.reload()
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"{mark}-1")
    await expect(page.locator("#history li").first).to_be_visible()


async def test_an_unknown_request_is_told_with_where_to_look(world: World, open_page: OpenPage, watch: Watch) -> None:
    watch.allowed.add(NO_SUCCESS)
    page = await open_page(f"{world.console}#/request?id=nobody-sent-it")

    await expect(page.get_by_role("alert")).to_contain_text("The ledger has no request nobody-sent-it.")
    await expect(page.locator("#request-told")).to_be_hidden()
