"""Every page, looked at for what no unit test sees: console errors, and requests that leave."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

PAGES = {
    "/": "What is a home",
    "/house": "Value a house",
    "/csv": "Value a CSV",
    "/explore": "Explore the sales",
    "/drivers": "What drives price",
    "/model": "Model performance",
    "/saved": "Saved valuations",
    "/track_record": "Track record",
    "/privacy": "Privacy",
}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_opens_by_its_address_without_an_error(app, path):
    app.goto(path)
    expect(app.get_by_role("heading", level=1)).to_contain_text(PAGES[path], timeout=30_000)
    expect(app.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=30_000)
    expect(app.get_by_test_id("stException")).to_have_count(0)
    expect(app.get_by_role("dialog")).to_have_count(0)
    expect(app.get_by_test_id("stSidebar")).to_contain_text("Model ames-")


@pytest.mark.parametrize("path", ["/explore?section=Distribution", "/drivers"])
def test_a_chart_is_drawn(app, path):
    app.goto(path)
    expect(app.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=30_000)


def test_a_bar_of_the_distribution_lists_its_sales_beside_it(app):
    app.goto("/explore?section=Distribution")
    bar = app.locator(".bars .point path").nth(8)
    expect(bar).to_be_visible(timeout=30_000)
    bar.scroll_into_view_if_needed()
    box = bar.bounding_box()
    app.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] - 5)
    expect(app.get_by_text("94 sales selected.")).to_be_visible()
    table = app.get_by_test_id("stDataFrame").bounding_box()
    assert table["x"] > bar.bounding_box()["x"]


def test_back_and_forward_undo_and_redo_one_action_each(app):
    def open_page(name: str) -> None:
        app.get_by_role("link", name=name).click()
        expect(app.get_by_role("heading", level=1)).to_have_text(name)
        expect(app.get_by_test_id("stStatusWidget")).to_have_count(0)

    app.goto("/house?GrLivArea=1350")
    area = app.get_by_role("textbox", name="Living area above ground")
    excluded = app.get_by_role("textbox", name="Excluded sales")
    trend, overview = (app.get_by_role("tab", name=name) for name in ("Trend", "Overview"))
    expect(area).to_have_value("1350", timeout=30_000)
    open_page("Explore the sales")
    excluded.fill("5 6")
    excluded.press("Enter")
    without = app.get_by_text("without 2 excluded sales")
    expect(without).to_be_visible()
    trend.click()
    expect(app.get_by_text("Seasonality")).to_be_visible()
    open_page("Value a house")
    expect(area).to_have_value("1350")

    app.go_back()
    expect(trend).to_have_attribute("aria-selected", "true")
    expect(without).to_be_visible()
    app.go_back()
    expect(overview).to_have_attribute("aria-selected", "true")
    app.go_back()
    expect(without).to_have_count(0)
    expect(excluded).to_have_value("")
    app.go_back()
    expect(area).to_have_value("1350")
    app.go_forward()
    app.go_forward()
    expect(without).to_be_visible()
