"""Accessibility: every page checked by axe in both themes and at both widths, and the keyboard."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PAGES = (
    "/", "/house", "/csv", "/explore", "/drivers", "/model", "/saved", "/track_record", "/privacy",
)  # fmt: skip
OPENED = {"/csv": "Try it with", "/drivers": "Compare methods"}
"""What is clicked on a page first, so that all of it is drawn."""
WIDTHS = (1280, 390)
BACKGROUNDS = {"light": "rgb(253, 252, 249)", "dark": "rgb(16, 22, 21)"}
AREA = "Living area above ground (sq ft)"

# Known violations in elements of Streamlit that no page can change: rule, and selector.
CHROME = {
    "list": "[data-testid=stSidebarNav]",  # groups of the navigation are <div>s in a <ul>
    "listitem": "[data-testid=stSidebarNav]",
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
            && !field.getAttribute('aria-labelledby') && !field.closest('[aria-hidden=true]')),
].map(element => element.outerHTML.slice(0, 200))"""

# Text of charts with a contrast below 4.5:1 to the page (WCAG 2.2, 1.4.3): axe does not check it.
PALE_CHART_TEXT = """() => {
    const rgb = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
    const luminance = colour => rgb(colour)
        .map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + [0.2126, 0.7152, 0.0722][i] * c, 0);
    const page = luminance(getComputedStyle(document.querySelector('.stApp')).backgroundColor);
    const onMarks = '.bartext-inside, .heatmap-label *';
    return [...document.querySelectorAll(`.js-plotly-plot text:not(${onMarks})`)]
        .filter(text => text.textContent && text.getClientRects().length)
        .filter(text => {
            const [dark, bright] =
                [luminance(getComputedStyle(text).fill), page].sort((a, b) => a - b);
            return (bright + 0.05) / (dark + 0.05) < 4.5;
        })
        .map(text => text.outerHTML.slice(0, 200));
}"""


def wait_until_idle(page: Page) -> None:
    """Wait until the page is idle."""
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=30_000)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=30_000)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=30_000)
    expect(page.locator("[data-stale=true]")).to_have_count(0, timeout=30_000)


def found_at_rest(page: Page, script: str, argument: object = None) -> list[str]:
    """Return what a script finds on the page that does not go away within seconds.

    Texts take over the colours of another theme one after the other.
    """
    found: list[str] = page.evaluate(script, argument)
    for _ in range(10):
        if not found:
            break
        page.wait_for_timeout(500)
        found = page.evaluate(script, argument)
    return found


def find_violations(page: Page) -> dict[tuple[object, ...], list[str]]:
    """Return the violations on each tab of a page, in both themes and at both widths."""
    page.evaluate(AXE_SCRIPT)
    tabs = page.get_by_role("tablist").first.get_by_role("tab")
    names = tabs.all_inner_texts() if page.get_by_role("tablist").count() else [""]
    violations = {}
    for name in names:
        if name:
            tabs.get_by_text(name, exact=True).click()
            wait_until_idle(page)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            for theme, background in BACKGROUNDS.items():
                page.emulate_media(color_scheme=theme)
                expect(page.get_by_test_id("stApp")).to_have_css("background-color", background)
                # What axe finds does not depend on the width, so each theme has one.
                if (width == WIDTHS[0]) == (theme == "light"):
                    violations[name, theme, width] = found_at_rest(page, RUN, CHROME)
                violations[name, theme, width, "chart"] = found_at_rest(page, PALE_CHART_TEXT)
            violations[name, "sideways", width] = (
                ["the page is wider than the window"]
                if page.evaluate("document.documentElement.scrollWidth > innerWidth")
                else []
            )
        violations[name, "unlabelled"] = page.evaluate(UNLABELLED)
        page.set_viewport_size({"width": WIDTHS[0], "height": 900})
    return {where: what for where, what in violations.items() if what}


@pytest.mark.parametrize("path", PAGES)
def test_no_tab_has_an_accessibility_violation_in_both_themes_and_widths(app, path):
    app.emulate_media(reduced_motion="reduce")
    app.goto(path)
    wait_until_idle(app)
    if path in OPENED:
        app.get_by_text(OPENED[path]).click()
        wait_until_idle(app)
    assert find_violations(app) == {}


def test_a_tab_that_a_link_opens_is_in_view_on_a_phone(app):
    app.set_viewport_size({"width": WIDTHS[1], "height": 900})
    app.goto("/model?model_tab=Experiments")
    wait_until_idle(app)
    expect(app.get_by_role("tab", name="Experiments")).to_be_in_viewport(ratio=1)
    # The toolbar of a table has room above it.
    table = app.get_by_test_id("stDataFrame").first
    table.click()
    toolbar = table.get_by_test_id("stElementToolbar")
    expect(toolbar).to_be_visible()
    above = app.get_by_text("26 of 26 experiments.")
    top, bottom = toolbar.bounding_box(), above.bounding_box()
    assert top["y"] >= bottom["y"] + bottom["height"]


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
