"""The house page in a browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from houseprice.records.database import Database, parse_url
from houseprice.records.valuations import listing
from houseprice.ui.house.owner_report import Report, Scale, render_report

AREA = "Living area above ground (sq ft)"


def dollars(page: Page) -> int:
    """Return the value on the page once it is idle."""
    metric = page.get_by_test_id("stMetricValue").first
    expect(metric).to_have_text(re.compile(r"^\$[\d,]+$"))
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    return int(metric.inner_text().strip("$").replace(",", ""))


def enter_area(page: Page, area: str) -> int:
    """Enter a living area and return the new value."""
    metric = page.get_by_test_id("stMetricValue").first
    before = metric.inner_text()
    field = page.get_by_role("textbox", name=AREA)
    field.fill(area)
    field.press("Enter")
    expect(metric).not_to_have_text(before)
    return dollars(page)


def scroll_to(field: Locator) -> None:
    """Bring a field into view; a list that opens during the scrolling is closed by it."""
    field.scroll_into_view_if_needed()
    field.page.evaluate(
        "() => new Promise(next => requestAnimationFrame(() => requestAnimationFrame(next)))"
    )


def test_the_address_opens_the_house_in_another_browser(app):
    app.goto("/house")
    dollars(app)
    before = enter_area(app, "2600")
    expect(app).to_have_url(re.compile("GrLivArea=2600"))
    quality = app.get_by_role("combobox", name="Overall quality")
    scroll_to(quality)
    quality.click()
    app.get_by_role("option", name="Excellent", exact=True).click()
    expect(app).to_have_url(re.compile("OverallQual=Excellent"))
    expect(app.get_by_test_id("stMetricValue").first).not_to_have_text(f"${before:,}")
    value = dollars(app)

    assert app.context.browser
    other = app.context.browser.new_context().new_page()
    other.goto(app.url)
    expect(other.get_by_role("textbox", name=AREA)).to_have_value("2600")
    assert dollars(other) == value
    other.context.close()


def test_back_and_forward_restore_house_and_tab(app):
    app.goto("/house")
    empty = dollars(app)
    value = enter_area(app, "2600")
    app.get_by_role("tab", name="Comparables").click()
    expect(app).to_have_url(re.compile("house_tab=Comparables"))
    area, details = app.get_by_role("textbox", name=AREA), app.get_by_role("tab", name="Details")
    app.go_back()
    expect(details).to_have_attribute("aria-selected", "true")
    expect(area).to_have_value("2600")
    app.go_back()
    expect(area).to_have_value("")
    assert dollars(app) == empty
    app.go_forward()
    expect(area).to_have_value("2600")
    assert dollars(app) == value


def test_a_problem_leads_to_its_field_and_the_value_stays_in_view(app):
    app.goto("/house?GarageYrBlt=soon&house_tab=Compare")
    app.get_by_role("button", name="Go to Year the garage was built").click()
    field = app.get_by_role("textbox", name="Year the garage was built")
    expect(field).to_be_focused()
    expect(field).to_be_in_viewport()
    field.fill("1962")
    field.press("Enter")
    dollars(app)
    app.get_by_text("The sale", exact=True).scroll_into_view_if_needed()
    expect(app.get_by_test_id("stMetricValue").first).to_be_in_viewport()


def test_each_tab_shows_its_content(app):
    app.goto("/house")
    dollars(app)
    enter_area(app, "2600")
    app.get_by_role("tab", name="Explanation").click()
    expect(app.get_by_text("The typical house is worth")).to_be_visible()
    expect(app.locator(".js-plotly-plot .waterfalllayer")).to_be_attached()
    app.get_by_role("tab", name="Comparables").click()
    expect(app.get_by_test_id("stMetric").filter(has_text="Sold ")).to_have_count(5)
    app.get_by_role("tab", name="What-if").click()
    expect(app.locator(".js-plotly-plot .scatterlayer").last).to_be_attached()
    app.get_by_role("tab", name="Compare").click()
    expect(app.get_by_text("Scenario 1 has the highest value")).to_be_visible()
    expect(app.get_by_role("cell", name="2,600 sq ft")).to_be_visible()
    app.get_by_role("button", name="Restore").last.click()
    app.get_by_role("tab", name="Details").click()
    expect(app.get_by_role("textbox", name=AREA)).not_to_have_value("2600")


def test_a_shared_link_opens_the_same_house_in_another_browser(app):
    app.goto("/house")
    before = dollars(app)
    app.get_by_role("button", name="Random sale").click()
    expect(app.get_by_text("This is sale")).to_be_visible()
    value = dollars(app)
    app.get_by_role("button", name="Share").click()
    code = app.get_by_test_id("stCode")
    expect(code).to_contain_text("/house?")
    address = code.locator("code").inner_text().replace("\n", "")

    assert app.context.browser
    other = app.context.browser.new_context().new_page()
    other.goto(address)
    assert dollars(other) == value != before
    other.context.close()


def test_a_selected_comparable_is_shown_and_fills_the_form(app):
    app.goto("/house")
    dollars(app)
    app.get_by_role("tab", name="Comparables").click()
    chart = app.locator(".js-plotly-plot")
    expect(chart.locator(".scatterlayer .point").first).to_be_attached()
    x, y = chart.evaluate(
        """chart => {
            const {xaxis, yaxis} = chart._fullLayout;
            const {x, y} = chart._fullData.find(trace => trace.name === "Comparables");
            return [xaxis._offset + xaxis.d2p(x[0]), yaxis._offset + yaxis.d2p(y[0])];
        }"""
    )
    chart.click(position={"x": x, "y": y})
    opened = app.locator(".st-key-picked_sale")
    expect(opened).to_contain_text("This house")
    sale = re.search(r"Sale (\d+)", opened.inner_text())
    assert sale
    opened.get_by_role("button", name="Start from it").click()
    expect(app.get_by_text(f"This is sale {sale[1]}.")).to_be_visible()


def n_pages(app: Page, paper: str) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", app.pdf(format=paper)))


def test_the_report_is_one_page_on_paper_of_either_size(app, tmp_path):
    app.goto("/house")
    dollars(app)
    app.get_by_role("button", name="Random sale").click()
    expect(app.get_by_text("This is sale")).to_be_visible()
    value = dollars(app)
    caption = app.get_by_text(re.compile(r"^Values as of \w+ \d{4}")).last.inner_text()
    as_of = caption.removeprefix("Values as of ").split(",")[0]
    app.get_by_role("button", name="Report").click()
    name = app.get_by_role("textbox", name="Name or address of the house")
    name.fill("12 Oak Lane <b>north</b>")
    expect(app.get_by_text("The title is")).to_be_visible()
    with app.expect_download() as given:
        app.get_by_role("button", name="Download the report").click()
    text = Path(given.value.path()).read_text(encoding="utf-8")
    for part in (
        f"${value:,}",
        "90 % range:",
        "confidence",
        "Model ames-",
        f"Values as of {as_of}",
        "&lt;b&gt;",
    ):
        assert part in text
    app.set_content(text)
    assert [n_pages(app, paper) for paper in ("A4", "Letter")] == [1, 1]


def test_even_the_longest_report_is_one_page(app):
    long, many = "a very long description of this house " * 20, 30
    report = Report(
        title=long,
        subtitle=long,
        value="$181,000",
        uncertainty=(long, long),
        scale=Scale(2.0, 1.0, 3.0, ("$1", "$3"), (1.5,) * 5),
        reasons=(long,) * many,
        fields=((long, long),) * many,
        sales=(("$181,000", "$182,300", "93 %", "September 2009", long),) * many,
        warnings=(long,) * many,
        limits=("It is no appraisal.",) * 3,
        footer=long,
    )
    app.set_content(render_report(report).decode())
    assert [n_pages(app, paper) for paper in ("A4", "Letter")] == [1, 1]


def test_save_pressed_at_once_saves_the_house_of_the_link(page, base_url, tmp_path_factory):
    page.goto("/house?GrLivArea=3333&Neighborhood=North+Ames", wait_until="commit")
    page.get_by_role("button", name="Save").first.click()
    page.get_by_role("button", name="Save this value").click()
    expect(page.get_by_text("Saved as number")).to_be_visible()
    file = tmp_path_factory.getbasetemp() / "app0" / "records.sqlite"
    saved = listing(Database.at(parse_url(f"sqlite:///{file}")), "ames", limit=1)
    assert json.loads(saved["facts"].iloc[0]) == {"GrLivArea": "3333", "Neighborhood": "NAmes"}
