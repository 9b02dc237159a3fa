"""The house page, through the entry script."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from houseprice.ui.layout import escape
from tests.ui.page import open_page

PAGE = "pages/value/house.py"


def value(page: AppTest) -> int:
    assert not page.exception
    return int(page.metric[0].value.strip("$").replace(",", ""))


def text(page: AppTest) -> str:
    return "\n".join(str(block.value) for block in [*page.markdown, *page.caption])


def enter_area(page: AppTest, area: int) -> AppTest:
    return page.number_input(key="GrLivArea").set_value(area).run()


def open_tab(page: AppTest, name: str) -> AppTest:
    page.session_state["house_tab"] = name
    return page.run()


def test_the_form_has_every_field_and_opens_with_the_value_of_the_typical_house(page, market):
    keys = {widget.key for widget in [*page.number_input, *page.selectbox]}
    assert keys == set(market.contract.columns)
    assert value(page)
    for part in (" to $", "confidence", "July 2010", escape("Model ames-")):
        assert part in text(page)


def test_a_larger_house_has_a_higher_value_and_a_reset_restores_the_first(page):
    before = value(page)
    assert value(enter_area(page, 2600)) > before
    page.button(key="reset").click().run()
    assert value(page) == before


def test_derived_fields_follow_a_changed_total(page):
    floors = [page.number_input(key=key).value for key in ("1stFlrSF", "2ndFlrSF")]
    assert floors.count(None) == 1
    enter_area(page, 2600)
    assert ":orange[" not in text(page)
    assert f"{2600 - next(filter(None, floors)):,.0f} sq ft" in text(page)


def test_an_invalid_field_shows_its_error_and_no_value(page):
    enter_area(page, -5)
    assert not page.exception
    assert len(page.metric) == 0
    assert "-5 is below" in page.error[0].value
    assert ":red[" in text(page)
    assert "no value yet" in open_tab(page, "Explanation").info[0].value
    assert value(enter_area(page, 1600))


def test_the_value_is_explained_against_the_typical_house(page):
    enter_area(page, 2600)
    open_tab(page, "Explanation")
    assert not page.error
    assert "The typical house is worth" in text(page)
    assert "Living area above ground: 2,600 sq ft instead of" in text(page)


def test_comparables_are_shown_side_by_side_and_one_fills_the_form(page):
    before = value(page)
    open_tab(page, "Comparables")
    sold = [metric for metric in page.metric if metric.label.startswith("Sold ")]
    assert len(sold) == 5
    assert all(metric.value.startswith("$") for metric in sold)
    assert "% similar" in text(page)
    assert text(page).count(r"adjusted \(") == 5
    assert "Adjusted to this house" in text(page)
    use = next(button for button in page.button if str(button.key).startswith("like_use_"))
    use.click().run()
    assert f"This is sale {str(use.key).rpartition('_')[2]}" in text(page)
    assert str(use.key) not in {str(button.key) for button in page.button}
    open_tab(page, "Compare")
    page.button(key="scenario_0").click().run()
    assert value(page) == before
    assert "This is sale" not in text(page)


def test_scenarios_are_compared_by_what_differs_and_can_be_restored(page):
    before = value(page)
    for area in (1800, 2000, 2200):
        enter_area(page, area)
    page.selectbox(key="OverallQual").set_value("9").run()
    open_tab(page, "Compare")
    assert escape("Overall quality: Above average → Excellent") in text(page)
    table = page.table[0].value
    assert list(table.columns) == ["Baseline", "Scenario 2", "Scenario 3", "Scenario 4"]
    assert list(table.index[:3]) == ["Value", "Range", "Difference from Baseline"]
    # The ground floor is derived from the living area, and differs too.
    assert {"Living area above ground", "Ground floor area"} <= set(table.index[3:])
    assert " to " in table.loc["Difference from Baseline", "Scenario 4"]
    page.multiselect(key="compared").set_value([1, 3]).run()
    assert list(page.table[0].value.columns) == ["Scenario 1", "Scenario 3"]
    assert "Scenario 3 has the highest value" in text(page)
    page.button(key="scenario_0").click().run()
    assert value(page) == before


def test_the_form_is_kept_when_the_page_changes(page):
    enter_area(page, 2345)
    page.selectbox(key="KitchenQual").set_value("Ex").run()
    before = value(page)
    page.switch_page("pages/start/home.py").run()
    page.switch_page(PAGE).run()
    assert page.number_input(key="GrLivArea").value == 2345
    assert page.selectbox(key="KitchenQual").value == "Ex"
    assert value(page) == before


def test_a_link_opens_its_house_with_codes_or_labels_and_reports_the_rest(model_dir):
    del model_dir
    page = open_page(
        PAGE,
        GrLivArea="2100",
        KitchenQual="Excellent",
        OverallQual="8",
        Neighborhood="Atlantis",
        LotArea="abc",
    )
    assert page.number_input(key="GrLivArea").value == 2100
    assert page.selectbox(key="KitchenQual").value == "Ex"
    assert page.selectbox(key="OverallQual").value == "8"
    warnings = " ".join(warning.value for warning in page.warning)
    assert "Atlantis" in warnings
    assert "abc" in warnings
    assert value(page)


def test_a_sale_fills_the_form_and_its_price_is_shown(page, market):
    page.session_state["find"] = True
    page.run()
    page.text_input(key="find_sale").set_value("692").run()
    page.button(key="find_use_692").click().run()
    position = int((market.ids == "692").to_numpy().argmax())
    assert page.number_input(key="GrLivArea").value == market.houses["GrLivArea"].iloc[position]
    assert "This is sale 692. It sold for **\\$755,000** in January 2007." in text(page)
    assert escape("A model that had not seen it gave $") in text(page)
    enter_area(page, 3000)
    assert "Started from sale 692" in text(page)
    assert "1 field changed" in text(page)
    page.button(key="reset").click().run()
    assert "sale 692" not in text(page)
    page.button(key="surprise").click().run()
    assert value(page)
    assert "This is sale " in text(page)


def test_sales_are_searched_by_description(page):
    page.session_state["find"] = True
    page.run()
    page.selectbox(key="find_location").set_value(0).run()
    page.number_input(key="find_price").set_value(200_000).run()
    assert len([b for b in page.button if str(b.key).startswith("find_use_")]) == 5
    page.text_input(key="find_sale").set_value("no such").run()
    assert "No sale matches" in page.info[0].value


def test_the_report_is_offered_only_with_a_value(page):
    page.session_state["report"] = True
    page.run()
    assert [button.label for button in page.get("download_button")] == ["Download the report"]
    assert not enter_area(page, -5).get("download_button")
