"""Valuing one house, as a person does it."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

AREA = "Living area above ground (sq ft)"


def dollars(page: Page) -> int:
    """The value on the page, once nothing runs any more."""
    metric = page.get_by_test_id("stMetricValue").first
    expect(metric).to_have_text(re.compile(r"^\$[\d,]+$"))
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    return int(metric.inner_text().strip("$").replace(",", ""))


def enter_area(page: Page, area: str) -> int:
    """Enter a living area, and give back the value that it changes to."""
    metric = page.get_by_test_id("stMetricValue").first
    before = metric.inner_text()
    field = page.get_by_role("spinbutton", name=AREA)
    field.fill(area)
    field.press("Enter")
    expect(metric).not_to_have_text(before)
    return dollars(page)


def test_a_filled_form_gives_a_price_with_its_range(app: Page) -> None:
    app.goto("/")
    app.get_by_role("link", name="Value a house").first.click()
    before = dollars(app)
    after = enter_area(app, "2600")
    assert after > before
    card = app.locator(".st-key-valuation")
    span = re.search(r"\$([\d,]+) to \$([\d,]+)", card.inner_text())
    assert span
    low, high = (int(end.replace(",", "")) for end in span.groups())
    assert low < after < high
    expect(card).to_contain_text("confidence")
    expect(card).to_contain_text("Model ames-")


def test_the_address_carries_the_house_to_another_browser(app: Page) -> None:
    app.goto("/house")
    dollars(app)
    before = enter_area(app, "2600")
    expect(app).to_have_url(re.compile("GrLivArea=2600"))
    quality = app.get_by_role("combobox", name="Overall quality")
    quality.click()
    app.get_by_role("option", name="Excellent", exact=True).click()
    expect(app).to_have_url(re.compile("OverallQual=Excellent"))
    expect(app.get_by_test_id("stMetricValue").first).not_to_have_text(f"${before:,}")
    value = dollars(app)

    assert app.context.browser
    other = app.context.browser.new_context().new_page()
    other.goto(app.url)
    expect(other.get_by_role("spinbutton", name=AREA)).to_have_value("2600")
    assert dollars(other) == value
    other.context.close()


def test_a_wrong_number_is_told_beside_its_field_and_the_form_goes_on(app: Page) -> None:
    app.goto("/house")
    value = dollars(app)
    area = app.get_by_role("spinbutton", name=AREA)
    kept = area.input_value()
    area.fill("-5")
    area.press("Enter")
    expect(app.get_by_text("No value yet")).to_be_visible()
    expect(app.get_by_text("Expected: a number from 200 to 10,000 sq ft.")).to_be_visible()
    area.fill(kept)
    area.press("Enter")
    expect(app.get_by_text("No value yet")).to_have_count(0)
    assert dollars(app) == value


def test_the_form_is_kept_while_another_page_is_read(app: Page) -> None:
    app.goto("/house")
    dollars(app)
    value = enter_area(app, "2345")
    expect(app).to_have_url(re.compile("GrLivArea=2345"))
    app.get_by_role("link", name="What drives price").first.click()
    expect(app.get_by_role("heading", name="What drives price")).to_be_visible()
    app.get_by_role("link", name="Value a house").first.click()
    expect(app.get_by_role("spinbutton", name=AREA)).to_have_value("2345")
    assert dollars(app) == value


def test_a_value_is_explained_compared_and_tried_out(app: Page) -> None:
    app.goto("/house")
    dollars(app)
    enter_area(app, "2600")
    app.get_by_role("tab", name="Why this value").click()
    expect(app.get_by_text("The typical house is worth")).to_be_visible()
    expect(app.locator(".js-plotly-plot .waterfalllayer")).to_be_attached()
    app.get_by_role("tab", name="Comparable sales").click()
    expect(app.get_by_test_id("stMetric").filter(has_text="Sold ")).to_have_count(5)
    app.get_by_role("tab", name="What if").click()
    expect(app.locator(".js-plotly-plot .scatterlayer").last).to_be_attached()
    expect(app.get_by_text("from the start")).to_be_visible()
    app.get_by_role("button", name="Go back to it").last.click()
    app.get_by_role("tab", name="The facts").click()
    expect(app.get_by_role("spinbutton", name=AREA)).not_to_have_value("2600")
