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
