"""
The page on a phone, in the dark, and to those who hear it.
"""

from __future__ import annotations

import uuid
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.console_page.conftest import PHONE
from tests.e2e.shop import binary

if TYPE_CHECKING:
    from playwright.async_api import Page

    from tests.console_page.conftest import OpenPage
    from tests.console_page.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: A view and what tells that it is filled.
VIEWS = {
    "now": "#checks tbody tr",
    "requests": "#requests tbody tr",
    "followed": "#requests-none:not([hidden])",
    "letters": "#letters tbody tr",
    "request?id={doubt}": "#history li",
    "request?id={made}": "#history li",
}
#: WCAG 2.2, 1.4.3: the contrast of every text that is shown with what is behind it, as [ratio, text, colours].
_CONTRASTS = """
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.slice(0, 3).map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let one = node; one; one = one.parentElement) {
      const colour = rgba(getComputedStyle(one).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !node.checkVisibility() || node.closest(":disabled, .skip")) continue;
    const ink = getComputedStyle(node).color, back = behind(node);
    const [a, b] = [light(rgba(ink)), light(back)].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), walker.currentNode.textContent.slice(0, 30), `${ink} on ${back}`]);
  }
  return found;
}
"""
_UNLABELLED = """
() => [...document.querySelectorAll("input, select, textarea, button")]
  .filter((node) => node.checkVisibility() && !node.labels?.length && !node.getAttribute("aria-label") && !node.textContent.trim())
  .map((node) => node.outerHTML)
"""
_HEADINGS = """
() => [...document.querySelectorAll("h1, h2, h3, h4")].filter((node) => node.checkVisibility()).map((node) => Number(node.localName[1]))
"""
_TOO_WIDE = """
() => document.documentElement.scrollWidth <= innerWidth ? []
  : [...document.querySelectorAll("body *")].filter((n) => n.getBoundingClientRect().right > innerWidth).map((n) => n.outerHTML.slice(0, 80))
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def views(world: World) -> dict[str, str]:
    """
    The addresses of all views, with something to tell in each, and what is to be waited for.
    """
    names = {name: f"{name}-{'w' * 50}-{uuid.uuid4().hex[:8]}" for name in ("doubt", "made", "refused")}
    for name, fault in (("doubt", {"fault": "close"}), ("refused", {"fault": "answer", "status": 400})):
        world.cloud.state.faults.add(fault | {"times": 1, "match": {"router_id": names[name]}})
    for identity in names.values():
        await world.publish(identity, identity, name="n" * 64, description="d" * 255, order_id="o" * 64)
    await world.shop.publish((b"{}", binary(f"rejected-{uuid.uuid4()}")))
    await world.until_state(names["doubt"], "in_doubt")
    await world.until_state(names["made"], "created")
    await world.until_state(names["refused"], "failed")
    return {f"#/{view.format(**names)}": filled for view, filled in VIEWS.items()}


async def each(page: Page, views: dict[str, str], script: str) -> dict[str, Any]:
    """
    What the script finds in each view.
    """
    found = {}
    for view, filled in views.items():
        await page.evaluate("(view) => { location.hash = view; }", view)
        await expect(page.locator(filled).first).to_be_visible()
        found[view] = await page.evaluate(script)
    return found


async def test_on_a_phone_no_view_is_wider_than_the_screen(
    world: World, views: dict[str, str], open_page: OpenPage
) -> None:
    page = await open_page(world.console, viewport=PHONE)
    found = await each(page, views, _TOO_WIDE)

    assert [] == [*chain.from_iterable(found.values())]


@pytest.mark.parametrize("width", [705, 1000, 1217])
async def test_nor_on_screens_between(world: World, views: dict[str, str], open_page: OpenPage, width: int) -> None:
    page = await open_page(world.console, viewport={"width": width, "height": 700})

    assert [] == [*chain.from_iterable((await each(page, views, _TOO_WIDE)).values())]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_is_told_from_what_is_behind_it(
    world: World, views: dict[str, str], open_page: OpenPage, scheme: str
) -> None:
    page = await open_page(world.console, color_scheme=scheme)
    await expect(page.locator("#state")).to_have_text("ready")
    found = await each(page, views, _CONTRASTS)
    texts = [text for texts in found.values() for text in texts]
    back = await page.evaluate("getComputedStyle(document.body).backgroundColor")

    assert {"light": "rgb(246, 247, 249)", "dark": "rgb(18, 22, 28)"}[scheme] == back
    assert len(texts) > 100
    assert [] == [text for text in texts if text[0] < 4.5]


async def test_controls_have_labels_and_headings_are_in_order(
    world: World, views: dict[str, str], open_page: OpenPage
) -> None:
    page = await open_page(world.console)
    unlabelled = await each(page, views, _UNLABELLED)
    headings = await each(page, views, _HEADINGS)

    assert [] == [*chain.from_iterable(unlabelled.values())]
    for levels in headings.values():
        assert (1, 1) == (levels[0], levels.count(1))
        assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
