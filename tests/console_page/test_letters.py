"""
Dead letters on the page: by reason, replayed, resolved.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.console_page.conftest import NO_SUCCESS
from tests.e2e.shop import binary

if TYPE_CHECKING:
    from tests.console_page.conftest import OpenPage, Watch
    from tests.console_page.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


def fault(world: World, kind: dict[str, object], router: str) -> int:
    """
    A fault for one router; its number.
    """
    return world.cloud.state.faults.add(kind | {"match": {"router_id": router}}).number


async def test_what_died_of_a_cause_that_is_mended_is_replayed(world: World, open_page: OpenPage) -> None:
    identity, router = f"dead-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    number = fault(world, {"fault": "answer", "status": 425, "times": None}, router)
    await world.publish(identity, router)
    await world.until_state(identity, "failed")
    world.cloud.state.faults.remove(number)
    page = await open_page(f"{world.console}#/letters")
    await page.get_by_role("link", name="failed").click()
    row = page.locator("#letters tbody tr").filter(has_text=identity)
    await expect(row).to_contain_text("deadline")

    replay = page.get_by_role("button", name="selected")
    await expect(replay).to_be_disabled()
    await row.get_by_role("checkbox").check()
    await replay.click()
    await page.get_by_role("button", name="No").click()
    await expect(row).to_have_count(1)
    await replay.click()
    await expect(page.get_by_role("dialog")).to_contain_text("Replay 1 request?")
    await page.get_by_role("dialog").get_by_role("button", name="Replay").click()
    await expect(page.locator("#done")).to_have_text("1 request replayed.")
    await expect(row).to_have_count(0)
    await world.until_state(identity, "created")
    await page.goto(f"{world.console}#/request?id={identity}")
    await expect(page.locator("#history")).to_contain_text("replayed")
    await expect(page.locator("#request-facts")).to_contain_text("created")


async def test_all_of_a_reason_are_replayed_at_once(own_world: World, open_page: OpenPage) -> None:
    for number in range(3):
        fault(own_world, {"fault": "answer", "status": 425, "times": None}, f"router-{number}")
    await own_world.start_worker()
    await own_world.shop.publish((b"{}", binary("rejected-1")))
    for number in range(3):
        await own_world.publish(f"dead-{number}", f"router-{number}")
    for number in range(3):
        await own_world.until_state(f"dead-{number}", "failed")
    own_world.cloud.state.faults.clear()
    page = await open_page(f"{own_world.console}#/letters?reason=failed")
    await expect(page.locator("#letters tbody tr")).to_have_count(3)
    await page.get_by_role("button", name="Replay all failed").click()
    await page.get_by_role("dialog").get_by_role("button", name="Replay").click()

    await expect(page.locator("#done")).to_have_text("3 requests replayed.")
    await expect(page.locator("#letters tbody tr")).to_have_count(0)
    await expect(page.get_by_role("button", name="Replay all")).to_be_hidden()
    await page.get_by_role("link", name="all 1").click()
    await expect(page.locator("#letters tbody tr")).to_contain_text("rejected-1")
    await expect(page.locator("#count-dead")).to_have_text("1")


@pytest.mark.parametrize("is_created", [True, False])
async def test_a_request_in_doubt_is_resolved(world: World, open_page: OpenPage, *, is_created: bool) -> None:
    identity, router = f"doubt-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    fault(world, {"fault": "close", "times": 1}, router)
    await world.publish(identity, router)
    await world.until_state(identity, "in_doubt")
    page = await open_page(f"{world.console}#/letters?reason=in_doubt")
    await page.get_by_role("link", name=identity).click()
    resolve = page.get_by_role("button", name="Resolve")
    await resolve.click()
    await expect(page.locator("#resolve-trouble")).to_contain_text("Which service?")
    if is_created:
        service = world.cloud.state.create({"router_id": router})
        await page.get_by_label("Id of the service").fill(service.id)
    else:
        await page.get_by_label("Nothing was created").check()
    await resolve.click()
    await page.get_by_role("dialog").get_by_role("button", name="Resolve").click()

    await expect(page.locator("#done")).to_contain_text(identity)
    await expect(page.locator("#request-facts dd").first).to_have_text("created" if is_created else "failed")
    await expect(page.get_by_role("heading", name="Resolve")).to_be_hidden()
    await world.until_state(identity, "created" if is_created else "failed")


async def test_a_service_that_is_not_there_is_not_believed(world: World, open_page: OpenPage, watch: Watch) -> None:
    watch.allowed.add(NO_SUCCESS)
    identity, router = f"doubt-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    fault(world, {"fault": "close", "times": 1}, router)
    await world.publish(identity, router)
    await world.until_state(identity, "in_doubt")
    page = await open_page(f"{world.console}#/request?id={identity}")
    await page.get_by_label("Id of the service").fill("no-such-service")
    await page.get_by_role("button", name="Resolve").click()
    await page.get_by_role("dialog").get_by_role("button", name="Resolve").click()

    await expect(page.locator("#resolve-trouble")).to_contain_text("no-such-service")
    await world.until_state(identity, "in_doubt")
