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


def enter_area(page: AppTest, area: object) -> AppTest:
    return page.text_input(key="GrLivArea").input(str(area)).run()


def open_tab(page: AppTest, name: str) -> AppTest:
    page.session_state["house_tab"] = name
    return page.run()


def open_sale(page: AppTest, sale_id: str) -> AppTest:
    page.session_state["find"] = True
    page.run()
    page.text_input(key="find_sale").input(sale_id).run()
    return page.button(key=f"find_use_{sale_id}").click().run()


def field_keys(page: AppTest, market) -> set[str]:
    keys = {widget.key for widget in [*page.text_input, *page.selectbox]}
    return keys & set(market.contract.columns)


def test_every_field_is_unknown_at_first_and_required_ones_come_first(page, market):
    fields = market.contract.fields
    first = field_keys(page, market)
    assert {column for column, field in fields.items() if field.required} <= first
    assert not any(widget.value for widget in [*page.text_input, *page.selectbox])
    assert "0 of 79 facts given" in text(page)
    assert value(page)
    for part in (" to $", "confidence", "July 2010", escape("Model ames-")):
        assert part in text(page)


def test_only_the_fields_of_open_groups_are_drawn(page, market):
    first = field_keys(page, market)
    drawn = set(first)
    for group in market.contract.groups:
        page.session_state[f"group_{group.key}"] = True
        page.run()
        drawn |= field_keys(page, market)
    assert len(first) < 20
    assert drawn == set(market.contract.columns)


def test_a_larger_house_has_a_higher_value_and_without_it_the_first_is_back(page):
    before = value(page)
    assert value(enter_area(page, 2600)) > before
    assert page.metric[0].delta.startswith("+$")
    assert value(enter_area(page, "unknown")) == before
    assert "0 of 79 facts given" in text(page)


def test_derived_fields_follow_a_changed_total(page):
    page.session_state["group_size"] = True
    enter_area(page, 2600)
    page.text_input(key="2ndFlrSF").input("1,000").run()
    assert page.text_input(key="1stFlrSF").placeholder == "1,600 sq ft (derived)"
    assert "was read as 1,000 sq ft" in text(page).replace("\\", "")


def test_an_invalid_field_shows_its_error_and_no_value_and_a_way_to_it(page):
    page.session_state["group_garage"] = True
    page.run()
    page.text_input(key="GarageYrBlt").input("soon").run()
    page.session_state["group_garage"] = False
    open_tab(page, "Explanation")
    assert len(page.metric) == 0
    assert "«soon» is not a number" in page.error[0].value.replace("\\", "")
    assert "no value yet" in page.info[0].value
    page.button(key="go_problem_GarageYrBlt").click().run()
    assert page.session_state["house_tab"] == "Details"
    assert page.text_input(key="GarageYrBlt").value == "soon"
    assert ":red[" in text(page)
    page.text_input(key="GarageYrBlt").input("").run()
    assert value(page)


def test_a_contradiction_is_beside_its_fields_and_fixed_by_one_click(model_dir):
    del model_dir
    page = open_page(PAGE, GarageCars="0", GarageArea="400")
    page.session_state["group_garage"] = True
    page.run()
    beside = [block.value for block in page.markdown if ":orange[There is no garage" in block.value]
    assert len(beside) == 2
    assert "There is no garage" in page.warning[0].value
    page.button(key="absent_problem_No garage").click().run()
    assert not page.warning
    assert page.text_input(key="GarageArea").value == "0"
    assert page.selectbox(key="GarageType").value == "NA"
    assert "absent_first_No garage" not in {button.key for button in page.button}


def test_the_next_field_to_add_is_offered(page):
    enter_area(page, 1600)
    offered = [button for button in page.button if str(button.key).startswith("go_next_")]
    assert 1 <= len(offered) <= 5
    column = str(offered[0].key).removeprefix("go_next_")
    assert "%" in offered[0].label
    offered[0].click().run()
    assert page.session_state["house_focus"][1] is None
    assert column in {widget.key for widget in [*page.text_input, *page.selectbox]}


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
    assert text(page).count("for differences]") == 5
    use = next(button for button in page.button if str(button.key).startswith("like_use_"))
    use.click().run()
    assert f"This is sale {str(use.key).rpartition('_')[2]}" in text(page)
    assert str(use.key) not in {str(button.key) for button in page.button}
    open_tab(page, "Compare")
    page.button(key="scenario_0").click().run()
    assert value(page) == before
    assert "This is sale" not in text(page)


def test_scenarios_are_compared_by_what_differs_and_can_be_restored(page):
    page.selectbox(key="OverallQual").set_value("6").run()
    before = value(page)
    for area in (1800, 2000, 2200):
        enter_area(page, area)
    page.selectbox(key="OverallQual").set_value("9").run()
    open_tab(page, "Compare")
    assert escape("Overall quality: Above average → Excellent") in text(page)
    assert escape("Living area above ground: unknown → 1,800 sq ft") in text(page)
    table = page.table[0].value
    assert list(table.columns) == ["Baseline", "Scenario 3", "Scenario 4", "Scenario 5"]
    assert list(table.index[:3]) == ["Value", "Range", "Difference from Baseline"]
    assert {"Living area above ground", "Overall quality"} <= set(table.index[3:])
    assert " to " in table.loc["Difference from Baseline", "Scenario 5"]
    page.multiselect(key="compared").set_value([1, 3]).run()
    assert list(page.table[0].value.columns) == ["Scenario 1", "Scenario 3"]
    assert "Scenario 3 has the highest value" in text(page)
    page.button(key="scenario_1").click().run()
    assert value(page) == before


def test_the_form_is_kept_when_the_page_changes(page):
    enter_area(page, 2345)
    page.selectbox(key="Neighborhood").set_value("NridgHt").run()
    before = value(page)
    page.switch_page("pages/start/home.py").run()
    page.switch_page(PAGE).run()
    assert page.text_input(key="GrLivArea").value == "2345"
    assert page.selectbox(key="Neighborhood").value == "NridgHt"
    assert value(page) == before


def test_the_address_restores_house_scenarios_and_tab(page):
    for area in (1800, 2000):
        enter_area(page, area)
    open_tab(page, "Compare")
    names = list(page.table[0].value.columns)
    again = open_page(PAGE, **page.query_params)
    assert list(again.table[0].value.columns) == names == ["Baseline", "Scenario 1", "Scenario 2"]
    assert value(again) == value(page)


def test_a_link_opens_its_house_with_codes_or_labels_and_reports_the_rest(model_dir):
    del model_dir
    page = open_page(
        PAGE,
        GrLivArea="2100",
        OverallQual="8",
        YearBuilt="unknown",
        Neighborhood="Atlantis",
        LotAera="9000",
        LotArea="abc",
    )
    assert page.text_input(key="GrLivArea").value == "2100"
    assert page.selectbox(key="OverallQual").value == "8"
    assert page.text_input(key="YearBuilt").value == ""
    warnings = " ".join(warning.value for warning in page.warning)
    assert "Atlantis" in warnings
    assert "LotAera" in warnings
    assert "abc" in page.error[0].value
    page.text_input(key="LotArea").input("9000").run()
    assert "3 of 79 facts given" in text(page)


def test_a_link_of_a_stranger_opens_the_page_and_each_part_is_reported(model_dir):
    del model_dir
    page = open_page(
        PAGE,
        GrLivArea="1e999",
        LotArea="9" * 400,
        YearBuilt="nan",
        OverallQual="99",
        YrSold="inf",
        Typo="http://a.b",
        house_tab="=1+1",
        scenario=["x", "1=2", "9" * 5000],
        started_from="x" * 500,
        market="Atlantis",
    )
    assert not page.exception
    shown = " ".join(each.value for each in [*page.warning, *page.error]).replace("\\", "")
    for part in (
        "1e999",
        "400 digits",
        "«nan»",
        "«99»",
        "Typo",
        "There is no market «Atlantis»",
    ):
        assert part in shown
    assert page.error[0].value.count("Expected") == 3
    assert "Something went wrong" not in shown


def test_a_sale_fills_the_form_and_its_price_is_shown(page, market):
    open_sale(page, "692")
    position = int((market.ids == "692").to_numpy().argmax())
    area = market.houses["GrLivArea"].iloc[position]
    assert float(page.text_input(key="GrLivArea").value) == area
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
