"""Can everybody use the pages: read by axe in both looks and at both widths, and by keyboard."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PAGES = ("/", "/house", "/csv", "/explore", "/drivers", "/model")
WIDTHS = (1280, 400)
AREA = "Living area above ground (sq ft)"

# What Streamlit draws and no page can change: the rule, and within what it is known to be broken.
CHROME = {
    "list": "[data-testid=stSidebarNav]",  # groups of the navigation are <div>s in a <ul>
    "listitem": "[data-testid=stSidebarNav]",
    "svg-img-alt": "highlighted_points_marks",  # a sparkline's empty group for picked points
}
RUN = """async chrome => {
    const found = await axe.run({ resultTypes: ['violations'], elementRef: true });
    return found.violations
        .filter(broken => ['serious', 'critical'].includes(broken.impact))
        .flatMap(broken => broken.nodes.map(node => [broken.id, node]))
        .filter(([rule, node]) => !(chrome[rule]
            && (node.element?.closest(chrome[rule]) || node.html.includes(chrome[rule]))))
        .map(([rule, node]) => `${rule}: ${node.html.slice(0, 160)} ${node.failureSummary}`);
}"""
# Charts that say nothing to who can't see them, and fields without a name.
MUTE = """() => [
    ...[...document.querySelectorAll('[data-testid=stPlotlyChart]')].filter(chart =>
        !chart.querySelector('[role=img][aria-label]') && !chart.getAttribute('aria-label')
        && !chart.closest('[role=img][aria-label]')),
    ...[...document.querySelectorAll('[data-testid=stMain] input, [data-testid=stMain] textarea')]
        .filter(field => field.type !== 'file' && field.offsetParent
            && !field.labels?.length && !field.getAttribute('aria-label')
            && !field.getAttribute('aria-labelledby')),
].map(element => element.outerHTML.slice(0, 200))"""


def settled(page: Page) -> None:
    """Wait until nothing runs and nothing is still to come."""
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=30_000)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=30_000)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=30_000)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_for_everybody_in_both_looks_and_at_both_widths(app: Page, path: str) -> None:
    app.emulate_media(reduced_motion="reduce")
    app.goto(path)
    settled(app)
    app.evaluate(AXE_SCRIPT)
    broken = {}
    for width in WIDTHS:
        app.set_viewport_size({"width": width, "height": 900})
        for look in ("light", "dark"):
            app.emulate_media(color_scheme=look)
            ground = "rgb(253, 252, 249)" if look == "light" else "rgb(16, 22, 21)"
            expect(app.get_by_test_id("stApp")).to_have_css("background-color", ground)
            broken[look, width] = app.evaluate(RUN, CHROME)
        broken["sideways", width] = (
            ["the page is wider than the window"]
            if app.evaluate("document.documentElement.scrollWidth > innerWidth")
            else []
        )
    broken["mute"] = app.evaluate(MUTE)
    assert {where: what for where, what in broken.items() if what} == {}


def test_a_house_is_valued_by_the_keyboard_alone(app: Page) -> None:
    app.goto("/house")
    value = app.get_by_test_id("stMetricValue").first
    expect(value).to_have_text(re.compile(r"^\$[\d,]+$"))
    settled(app)

    facts, why = (app.get_by_role("tab", name=name) for name in ("The facts", "Why this value"))
    facts.focus()
    app.keyboard.press("ArrowRight")
    expect(why).to_be_focused()
    expect(why).to_have_attribute("aria-selected", "true")
    # The run that this began ends before the next key begins another.
    expect(app.get_by_text("This is the typical house itself")).to_be_visible()
    settled(app)
    app.keyboard.press("ArrowLeft")
    expect(facts).to_have_attribute("aria-selected", "true")

    area = app.get_by_role("spinbutton", name=AREA)
    expect(area).to_be_visible()
    settled(app)
    reach(area)
    before = value.inner_text()
    app.keyboard.press("Control+A")
    app.keyboard.type("2600")
    app.keyboard.press("Enter")
    expect(value).not_to_have_text(before)
    before = value.inner_text()
    reach(app.get_by_role("combobox", name="Overall quality"))
    app.keyboard.press("ArrowDown")
    expect(app.get_by_role("listbox")).to_be_visible()
    app.keyboard.press("ArrowDown")
    app.keyboard.press("Enter")
    expect(value).not_to_have_text(before)


def reach(field: Locator, steps: int = 40) -> None:
    """Press Tab until the field has the focus."""
    for _ in range(steps):
        field.page.keyboard.press("Tab")
        if field.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"{steps} steps with Tab do not lead to the field")
