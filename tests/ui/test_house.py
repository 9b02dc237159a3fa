"""The form of one house, through the entry script."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from houseprice.ui.plain_text import plain

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
    assert plain("Model ames-") in text


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
    open_tab(page, "What if")
    assert plain("Overall quality: Above average → Excellent") in shown(page)
    assert "from the start" in shown(page)
    page.button(key="try_0").click().run()
    assert value(page) == before


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
    page.button[0].click().run()
    assert value(page) == before
