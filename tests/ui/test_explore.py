"""The page of the sales, through the entry script."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.ui.conftest import ForeignServer

SECTIONS = (
    "What stands out",
    "Prices",
    "Price against a fact",
    "Places",
    "Over time",
    "What goes together",
    "Sales that look wrong",
    "Not known",
    "The sales",
)
DRAWN = {"What stands out": 0, "Prices": 1, "Places": 2, "Over time": 2, "Not known": 1}
LISTED = {"Sales that look wrong": 2, "The sales": 1}


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


def test_it_opens_with_all_sales_and_what_stands_out(page: AppTest) -> None:
    assert not page.exception
    assert "all **1,460** sales" in text(page)
    assert any("not known for every sale" in each.label for each in page.expander)


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_shows_its_own_and_nothing_of_the_hidden_ones(
    page: AppTest, section: str
) -> None:
    opened(page, section)
    if section in DRAWN:
        assert len(charts(page)) == DRAWN[section]
    assert len(page.dataframe) == LISTED.get(section, 0)
    assert section == "What stands out" or page.get("download_button")
    for chart in page.get("plotly_chart"):
        assert len(chart.proto.alt) > 40
        assert len(chart.proto.spec) < 1_500_000


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
    assert "sales: Northridge or Gilbert." in text(app)
    dots, on_map = charts(app)
    assert dots["data"][0]["y"] == ["Gilbert (79)", "Northridge (41)"]
    assert on_map["data"][0]["text"] == ["Gilbert", "Northridge"]


def test_filters_that_leave_no_sale_get_a_sentence_and_no_chart(page: AppTest) -> None:
    page.multiselect(key="only_location").set_value(["Northridge"])
    page.slider(key="only_price").set_value((30_000, 60_000)).run()
    assert not page.exception
    assert "**0 of 1,460** sales" in text(page)
    assert "No sale meets" in page.info[0].value
    assert not charts(page)


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


def test_prices_may_be_those_of_a_square_foot_in_every_section_at_once(page: AppTest) -> None:
    opened(page, "Prices")
    assert "the middle one for \\$163,000" in text(page)
    page.segmented_control(key="measure").set_value("For one sq ft").run()
    assert "the middle one for \\$120" in text(page)
    opened(page, "Over time")
    assert "The middle price per sq ft was \\$125 in Q1 2006" in text(page)
    assert charts(page)[0]["layout"]["yaxis"]["title"]["text"] == "Sale price per sq ft (USD)"


def test_a_sale_that_looks_wrong_has_its_reason(page: AppTest) -> None:
    opened(page, "Sales that look wrong")
    prices, facts = (table.value for table in page.dataframe)
    assert "lie outside the 90 % range" in text(page)
    assert prices["Why it looks wrong"].iloc[0].startswith(("4", "5", "7"))
    assert len(charts(page)[0]["data"][0]["y"]) == 15
    assert facts["Sale"].nunique() == 16
    assert "16 of 1,460 sales have facts that can't all be right." in text(page)
    assert page.button(key="far_off_table_open").disabled


def test_a_valued_file_is_laid_over_the_sales(page: AppTest) -> None:
    opened(page, "Prices")
    assert not page.toggle
    page.switch_page("pages/value/csv.py").run()
    page.button(key="csv_sample").click().run()
    page.switch_page("pages/market/explore.py").run()
    opened(page, "Prices")
    page.toggle(key="lay_over").set_value(True).run()
    assert not page.exception
    assert "The middle value of your houses is" in text(page)
    distribution, by_area = charts(page)
    assert "drawn as if as many" in distribution["data"][-1]["name"]
    assert len(by_area["data"][-1]["text"]) == 1_459
    page.segmented_control(key="measure").set_value("For one sq ft").run()
    assert not page.exception
    assert charts(page)[1]["layout"]["yaxis"]["title"]["text"] == "Sale price per sq ft (USD)"


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


def test_a_market_without_positions_and_a_server_without_a_study_cost_what_they_would_show(
    open_app: Callable[..., AppTest], foreign_server: ForeignServer
) -> None:
    page = open_app("pages/market/explore.py", foreign_server.url, protocol="regression")
    for section in SECTIONS:
        opened(page, section)
        if section == "Places":
            assert len(charts(page)) == 1
        if section == "Sales that look wrong":
            assert "This server gives no study of its model." in [each.value for each in page.info]
            assert "No facts of these sales contradict each other." in text(page)
