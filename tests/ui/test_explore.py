"""The page of the sales, through the entry script."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

SECTIONS = (
    "Prices",
    "Price against a fact",
    "Places",
    "Over time",
    "What goes together",
    "Not known",
    "The sales",
)


@pytest.fixture
def page(root: Path, model_dir: Path) -> AppTest:
    del model_dir  # trained, and in the environment
    app = AppTest.from_file(str(root / "streamlit_app.py"), default_timeout=60).run()
    return app.switch_page("pages/market/explore.py").run()


def opened(page: AppTest, section: str) -> AppTest:
    page.session_state["section"] = section
    page.run()
    assert not page.exception
    return page


def text(page: AppTest) -> str:
    return "\n".join(str(block.value) for block in [*page.markdown, *page.caption])


def charts(page: AppTest) -> list[dict[str, object]]:
    return [json.loads(chart.proto.spec) for chart in page.get("plotly_chart")]


def test_it_opens_with_all_sales_and_says_so(page: AppTest) -> None:
    assert not page.exception
    assert "all **1,460** sales" in text(page)
    assert "the middle one for \\$163,000" in text(page)


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_shows_its_own_and_nothing_of_the_hidden_ones(
    page: AppTest, section: str
) -> None:
    opened(page, section)
    shown = {"What goes together": 2, "Over time": 2, "The sales": 0}
    assert len(charts(page)) == shown.get(section, 1)
    assert len(page.dataframe) == (section == "The sales")
    assert page.get("download_button")


@pytest.mark.parametrize("section", SECTIONS[:-1])
def test_each_chart_has_words_for_those_who_cannot_see_it(page: AppTest, section: str) -> None:
    opened(page, section)
    for chart in page.get("plotly_chart"):
        assert len(chart.proto.alt) > 40


def test_filters_act_on_what_is_shown(page: AppTest) -> None:
    page.multiselect(key="only_location").set_value(["Northridge"]).run()
    assert "**41 of 1,460** sales" in text(page)
    page.slider(key="only_price").set_value((300_000, 760_000)).run()
    assert not page.exception
    assert "**21 of 1,460** sales" in text(page)


def test_one_button_shows_all_sales_again(page: AppTest) -> None:
    assert page.button(key="only_reset").disabled
    page.multiselect(key="only_location").set_value(["Northridge"])
    page.slider(key="only_sold").set_value((2008, 2009)).run()
    page.button(key="only_reset").click().run()
    assert "all **1,460** sales" in text(page)
    assert page.slider(key="only_sold").value == (2006, 2010)


def test_a_link_opens_the_same_view(root: Path, model_dir: Path) -> None:
    del model_dir
    app = AppTest.from_file(str(root / "streamlit_app.py"), default_timeout=60)
    app.query_params["only_location"] = ["Northridge", "Gilbert"]
    app.query_params["section"] = "Places"
    app.run()
    app.switch_page("pages/market/explore.py").run()
    assert not app.exception
    assert "**120 of 1,460** sales" in text(app)
    (chart,) = charts(app)
    assert chart["data"][0]["y"] == ["Gilbert (79)", "Northridge (41)"]


def test_filters_that_leave_no_sale_get_a_sentence_and_no_chart(page: AppTest) -> None:
    page.multiselect(key="only_location").set_value(["Northridge"])
    page.slider(key="only_price").set_value((30_000, 60_000)).run()
    assert not page.exception
    assert "**0 of 1,460** sales" in text(page)
    assert "No sale meets" in page.info[0].value
    assert not charts(page)


@pytest.mark.parametrize(
    ("fact", "sentence"),
    [
        ("Lot area", "The middle price rises from"),
        ("Year of sale", "around 2006 to"),
        ("Kitchen quality", "“Excellent” has the highest middle price"),
        ("Fireplaces", "has the highest middle price"),
        ("Utilities", "with 1,459 of 1,460 sales. There are too few others"),
    ],
)
def test_price_is_shown_against_any_fact_with_a_sentence(
    page: AppTest, fact: str, sentence: str
) -> None:
    opened(page, "Price against a fact")
    page.selectbox(key="against").set_value(fact).run()
    assert not page.exception
    assert sentence.lower() in text(page).lower()


def test_every_fact_can_be_chosen_in_words(page: AppTest) -> None:
    opened(page, "Price against a fact")
    options = page.selectbox(key="against").options
    assert len(options) == 79
    for fact in options:
        page.selectbox(key="against").set_value(fact).run()
        assert not page.exception, fact


def test_months_quarters_and_years_of_sale(page: AppTest) -> None:
    opened(page, "Over time")
    for period, count in (("Month", 55), ("Year", 5), ("Quarter", 19)):
        page.segmented_control(key="period").set_value(period).run()
        chart = charts(page)[0]
        assert len(chart["data"][0]["customdata"]) == count


def test_the_sales_are_listed_in_words_where_and_for_how_much_first(page: AppTest) -> None:
    opened(page, "The sales")
    table = page.dataframe[0].value
    assert list(table.columns[:4]) == [
        "Sale",
        "Sale price (USD)",
        "Neighbourhood",
        "Living area above ground (sq ft)",
    ]
    assert len(table) == 1460
    assert table["Kitchen quality"].iloc[0] == "Good"


def test_one_sale_alone_breaks_no_section(page: AppTest) -> None:
    page.multiselect(key="only_location").set_value(["Bluestem"])
    page.slider(key="only_price").set_value((30_000, 130_000)).run()
    assert "**1 of 1,460** sales" in text(page)
    for section in SECTIONS:
        opened(page, section)
