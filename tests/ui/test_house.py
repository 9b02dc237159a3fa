"""The form of one house, through the entry script."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from houseprice.market.sales import Market
from houseprice.ui.layout import escape

PAGE = "pages/value/house.py"


@pytest.fixture
def page(root: Path, model_dir: Path) -> AppTest:
    del model_dir  # trained, and in the environment
    app = AppTest.from_file(str(root / "streamlit_app.py"), default_timeout=60).run()
    return app.switch_page(PAGE).run()


def value(page: AppTest) -> str:
    assert not page.exception
    return str(page.metric[0].value)


def shown(page: AppTest) -> str:
    return "\n".join(str(block.value) for block in [*page.markdown, *page.caption])


def test_it_opens_with_the_typical_house_valued_with_range_date_and_model(page: AppTest) -> None:
    assert value(page).startswith("$")
    text = shown(page)
    assert " to $" in text
    assert "confidence" in text
    assert "July 2010" in text
    assert escape("Model ames-") in text


def test_every_field_of_the_contract_is_in_the_form(page: AppTest) -> None:
    from houseprice.market.sales import load_market

    keys = {widget.key for widget in [*page.number_input, *page.selectbox]}
    assert keys == set(load_market().contract.columns)


def test_a_larger_house_is_worth_more(page: AppTest) -> None:
    before = value(page)
    page.number_input(key="GrLivArea").set_value(2600).run()
    after = value(page)
    assert int(after.strip("$").replace(",", "")) > int(before.strip("$").replace(",", ""))


def test_parts_follow_a_total_that_was_changed(page: AppTest) -> None:
    floors = [page.number_input(key=key).value for key in ("1stFlrSF", "2ndFlrSF")]
    assert floors.count(None) == 1
    page.number_input(key="GrLivArea").set_value(2600).run()
    assert ":orange[" not in shown(page)
    assert f"{2600 - next(filter(None, floors)):,.0f} sq ft" in shown(page)


def test_an_impossible_fact_gives_a_reason_beside_its_field_and_no_value(page: AppTest) -> None:
    page.number_input(key="GrLivArea").set_value(-5).run()
    assert not page.exception
    assert len(page.metric) == 0
    assert "-5 is below" in page.error[0].value
    assert ":red[" in shown(page)
    page.number_input(key="GrLivArea").set_value(1600).run()
    assert value(page).startswith("$")


def open_tab(page: AppTest, name: str) -> AppTest:
    page.session_state["house_tab"] = name
    return page.run()


def test_the_value_is_explained_in_money_against_the_typical_house(page: AppTest) -> None:
    page.number_input(key="GrLivArea").set_value(2600).run()
    open_tab(page, "Why this value")
    assert not page.error
    assert "The typical house is worth" in shown(page)
    assert "Living area above ground: 2,600 sq ft instead of" in shown(page)


def test_five_comparable_sales_stand_side_by_side(page: AppTest) -> None:
    open_tab(page, "Comparable sales")
    sold = [metric for metric in page.metric if metric.label.startswith("Sold ")]
    assert len(sold) == 5
    assert all(metric.value.startswith("$") for metric in sold)
    assert "% alike" in shown(page)


def test_each_try_is_kept_with_its_difference_and_a_way_back(page: AppTest) -> None:
    before = value(page)
    page.number_input(key="GrLivArea").set_value(2600).run()
    page.selectbox(key="OverallQual").set_value("9").run()
    open_tab(page, "Your tries")
    assert escape("Overall quality: Above average → Excellent") in shown(page)
    assert "is worth most" in shown(page)
    page.button(key="try_0").click().run()
    assert value(page) == before


def test_up_to_four_tries_stand_side_by_side_with_only_what_differs(page: AppTest) -> None:
    for area in (1800, 2000, 2200, 2400):
        page.number_input(key="GrLivArea").set_value(area).run()
    open_tab(page, "Your tries")
    table = page.table[0].value
    assert list(table.columns) == ["The start", "Try 2", "Try 3", "Try 4"]
    assert list(table.index[:3]) == ["Value", "Range", "Difference from the start"]
    # The ground floor follows from the living area, and is told too.
    assert set(table.index[3:]) == {"Living area above ground", "Ground floor area"}
    assert " to " in table.loc["Difference from the start", "Try 4"]
    page.multiselect(key="compared").set_value([1, 3]).run()
    assert list(page.table[0].value.columns) == ["Try 1", "Try 3"]
    assert "Try 3 is worth most" in shown(page)


def test_a_wrong_fact_leaves_nothing_to_explain(page: AppTest) -> None:
    page.number_input(key="GrLivArea").set_value(-5).run()
    open_tab(page, "Why this value")
    assert "no value yet" in page.info[0].value


def test_the_form_survives_a_change_of_page(page: AppTest) -> None:
    page.number_input(key="GrLivArea").set_value(2345).run()
    page.selectbox(key="KitchenQual").set_value("Ex").run()
    before = value(page)
    page.switch_page("pages/start/home.py").run()
    page.switch_page(PAGE).run()
    assert page.number_input(key="GrLivArea").value == 2345
    assert page.selectbox(key="KitchenQual").value == "Ex"
    assert value(page) == before


def test_a_link_reopens_its_house_in_codes_or_in_words(root: Path, model_dir: Path) -> None:
    del model_dir
    app = AppTest.from_file(str(root / "streamlit_app.py"), default_timeout=60)
    app.query_params["GrLivArea"] = "2100"
    app.query_params["KitchenQual"] = "Excellent"
    app.query_params["OverallQual"] = "8"
    page = app.run().switch_page(PAGE).run()
    assert page.number_input(key="GrLivArea").value == 2100
    assert page.selectbox(key="KitchenQual").value == "Ex"
    assert page.selectbox(key="OverallQual").value == "8"


def test_what_a_link_says_wrongly_is_told(root: Path, model_dir: Path) -> None:
    del model_dir
    app = AppTest.from_file(str(root / "streamlit_app.py"), default_timeout=60)
    app.query_params["Neighborhood"] = "Atlantis"
    app.query_params["LotArea"] = "abc"
    page = app.run().switch_page(PAGE).run()
    told = " ".join(warning.value for warning in page.warning)
    assert "Atlantis" in told
    assert "abc" in told
    assert value(page).startswith("$")


def test_a_reset_goes_back_to_the_typical_house(page: AppTest) -> None:
    before = value(page)
    page.number_input(key="GrLivArea").set_value(2345).run()
    assert value(page) != before
    page.button(key="reset").click().run()
    assert value(page) == before


def test_a_real_sale_fills_the_form_and_its_price_stands_beside_the_value(
    page: AppTest, market: Market
) -> None:
    page.session_state["find"] = True
    page.run()
    page.text_input(key="find_sale").set_value("692").run()
    page.button(key="find_use_692").click().run()
    position = int((market.ids == "692").to_numpy().argmax())
    assert page.number_input(key="GrLivArea").value == market.houses["GrLivArea"].iloc[position]
    assert "This is sale 692. It sold for **\\$755,000** in January 2007." in shown(page)
    assert escape("A model that had not seen it said $") in shown(page)
    page.number_input(key="GrLivArea").set_value(3000).run()
    assert "Started from sale 692" in shown(page)
    assert "1 fact changed since" in shown(page)
    page.button(key="reset").click().run()
    assert "sale 692" not in shown(page)


def test_a_sale_is_found_by_its_facts_the_nearest_first(page: AppTest) -> None:
    page.session_state["find"] = True
    page.run()
    page.selectbox(key="find_location").set_value(0).run()
    page.number_input(key="find_price").set_value(200_000).run()
    uses = [button for button in page.button if str(button.key).startswith("find_use_")]
    assert len(uses) == 5
    page.text_input(key="find_sale").set_value("no such").run()
    assert "No sale fits" in page.info[0].value


def test_a_surprise_is_one_of_the_sales(page: AppTest) -> None:
    page.button(key="surprise").click().run()
    assert value(page).startswith("$")
    assert "This is sale " in shown(page)


def test_a_comparable_sale_fills_the_form_and_the_house_stays_among_the_tries(
    page: AppTest,
) -> None:
    before = value(page)
    open_tab(page, "Comparable sales")
    use = next(button for button in page.button if str(button.key).startswith("like_use_"))
    use.click().run()
    assert f"This is sale {str(use.key).rpartition('_')[2]}" in shown(page)
    open_tab(page, "Your tries")
    page.button(key="try_0").click().run()
    assert value(page) == before
    assert "This is sale" not in shown(page)


def test_the_report_is_offered_only_beside_a_value(page: AppTest) -> None:
    page.session_state["report"] = True
    page.run()
    assert [button.label for button in page.get("download_button")] == ["Download the report"]
    page.number_input(key="GrLivArea").set_value(-5).run()
    assert not page.get("download_button")
