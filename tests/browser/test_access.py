"""Accessibility: every page checked by axe in both themes and at both widths, and the keyboard."""

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

# Known violations in elements of Streamlit that no page can change: rule, and selector.
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
# Charts without a text alternative, and inputs without a label.
UNLABELLED = """() => [
    ...[...document.querySelectorAll('[data-testid=stPlotlyChart]')].filter(chart =>
        !chart.querySelector('[role=img][aria-label]') && !chart.getAttribute('aria-label')
        && !chart.closest('[role=img][aria-label]')),
    ...[...document.querySelectorAll('[data-testid=stMain] input, [data-testid=stMain] textarea')]
        .filter(field => field.type !== 'file' && field.offsetParent
            && !field.labels?.length && !field.getAttribute('aria-label')
            && !field.getAttribute('aria-labelledby')),
].map(element => element.outerHTML.slice(0, 200))"""


def wait_until_idle(page: Page) -> None:
    """Wait until the page is idle."""
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=30_000)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=30_000)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=30_000)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_accessibility_violation_in_both_themes_and_widths(app, path):
    app.emulate_media(reduced_motion="reduce")
    app.goto(path)
    wait_until_idle(app)
    app.evaluate(AXE_SCRIPT)
    violations = {}
    for width in WIDTHS:
        app.set_viewport_size({"width": width, "height": 900})
        for theme in ("light", "dark"):
            app.emulate_media(color_scheme=theme)
            background = "rgb(253, 252, 249)" if theme == "light" else "rgb(16, 22, 21)"
            expect(app.get_by_test_id("stApp")).to_have_css("background-color", background)
            violations[theme, width] = app.evaluate(RUN, CHROME)
        violations["sideways", width] = (
            ["the page is wider than the window"]
            if app.evaluate("document.documentElement.scrollWidth > innerWidth")
            else []
        )
    violations["unlabelled"] = app.evaluate(UNLABELLED)
    assert {where: what for where, what in violations.items() if what} == {}


def test_the_form_works_with_the_keyboard_alone(app):
    app.goto("/house")
    value = app.get_by_test_id("stMetricValue").first
    expect(value).to_have_text(re.compile(r"^\$[\d,]+$"))
    wait_until_idle(app)

    details, explanation = (
        app.get_by_role("tab", name=name) for name in ("Details", "Explanation")
    )
    details.focus()
    app.keyboard.press("ArrowRight")
    expect(explanation).to_be_focused()
    expect(explanation).to_have_attribute("aria-selected", "true")
    # Wait for the rerun before the next key starts another.
    expect(app.get_by_text("The typical house is worth")).to_be_visible()
    wait_until_idle(app)
    app.keyboard.press("ArrowLeft")
    expect(details).to_have_attribute("aria-selected", "true")

    area = app.get_by_role("textbox", name=AREA)
    expect(area).to_be_visible()
    wait_until_idle(app)
    tab_to(area)
    before = value.inner_text()
    app.keyboard.press("Control+A")
    app.keyboard.type("2600")
    app.keyboard.press("Enter")
    expect(value).not_to_have_text(before)
    before = value.inner_text()
    tab_to(app.get_by_role("combobox", name="Overall quality"))
    app.keyboard.press("ArrowDown")
    expect(app.get_by_role("listbox")).to_be_visible()
    app.keyboard.press("ArrowDown")
    app.keyboard.press("Enter")
    expect(value).not_to_have_text(before)


def tab_to(field: Locator, steps: int = 40) -> None:
    """Press Tab until a widget has the focus."""
    for _ in range(steps):
        field.page.keyboard.press("Tab")
        if field.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"the widget is not reached with {steps} tabs")
