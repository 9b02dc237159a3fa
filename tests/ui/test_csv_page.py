"""The CSV page as a visitor uses it: template, sample, upload, result, and nothing left behind."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from houseprice.market.contract import Contract
from houseprice.market.sales import Market
from houseprice.market.validation import validate
from houseprice.model.ratio_study import ACCEPTED_RANGES, ratio_study
from houseprice.ui.charts.uploads import comparison, comparison_chart, comparison_finding
from houseprice.ui.csv.issues import groups_of_cells
from houseprice.ui.csv.result_tabs import valued_csv
from houseprice.ui.csv.results import column_guide
from houseprice.ui.csv.summary import equity_told
from houseprice.ui.layout import escape
from tests.ui.told import words

PAGE = "pages/value/csv.py"


@pytest.fixture
def app(root: Path, model_dir: Path) -> AppTest:
    app = AppTest.from_file(root / "streamlit_app.py", default_timeout=60).run()
    return app.switch_page(PAGE).run()


def upload(app: AppTest, text: str | bytes, name: str = "homes.csv") -> AppTest:
    data = text.encode() if isinstance(text, str) else text
    app.file_uploader(key="csv").upload(name, data, "text/csv").run()
    assert not app.exception
    return app


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def tab(app: AppTest, name: str) -> AppTest:
    app.session_state["csv_tab"] = name
    app.run()
    assert not app.exception
    return app


def lines(market: Market, n_houses: int) -> list[str]:
    return market.sample_path.read_text(encoding="utf-8").splitlines()[: n_houses + 1]


def mixed(market: Market) -> str:
    """Twelve good houses, one of -5 square feet, one with a cell too many."""
    rows = list(csv.reader(lines(market, 12)))
    wrong = dict(zip(rows[0], rows[3], strict=True)) | {"GrLivArea": "-5"}
    out = io.StringIO()
    csv.writer(out).writerows([*rows, list(wrong.values()), [*rows[1], "surplus"]])
    return out.getvalue()


def test_the_empty_page_says_what_to_do(app: AppTest, market: Market) -> None:
    assert not app.exception
    assert app.title[0].value == "Value a CSV"
    needed = [field.label for field in market.contract.fields.values() if field.required]
    assert all(label in app.info[0].value for label in needed)
    labels = [button.proto.label for button in app.get("download_button")]
    assert labels == ["Template (CSV)", "This list (CSV)"]


def test_the_sample_is_valued_at_a_click(app: AppTest) -> None:
    button = app.button(key="csv_sample")
    assert button.label == "Try it with 1,459 houses"
    button.click().run()
    assert not app.exception
    assert metrics(app)["Valued"] == "1,459"
    assert metrics(app)["Without a value"] == "0"
    assert metrics(app)["Value of all together"].startswith("$2")
    assert len(app.get("plotly_chart")) == 2
    labels = [button.proto.label for button in app.get("download_button")]
    assert "Download the valued table (CSV)" in labels


def test_good_rows_are_valued_and_wrong_ones_come_first_with_their_reason(
    app: AppTest, market: Market
) -> None:
    upload(app, mixed(market))
    assert metrics(app)["Houses"] == "14"
    assert metrics(app)["Valued"] == "12"
    assert metrics(app)["Without a value"] == "2"
    houses = app.dataframe[1].value
    assert houses["row"].tolist()[:2] == [13, 14]
    assert houses["status"].tolist()[:2] == ["No value", "No value"]
    assert "Living area" in houses["message"].iloc[0]
    assert "surplus" in houses["message"].iloc[1]
    assert houses["predicted_price"].notna().tolist() == [False] * 2 + [True] * 12


def test_the_result_outlives_a_visit_to_another_page(app: AppTest, market: Market) -> None:
    upload(app, mixed(market))
    first = app.session_state["csv_outcome"]
    app.switch_page("pages/value/house.py").run()
    app.switch_page(PAGE).run()
    assert metrics(app)["Houses"] == "14"
    assert app.session_state["csv_outcome"] is first


def test_the_tab_and_the_choice_of_houses_outlive_a_visit_to_another_page(
    app: AppTest, market: Market
) -> None:
    upload(app, mixed(market))
    app.selectbox(key="csv_show").select("error").run()
    tab(app, "Problems")
    app.switch_page("pages/value/house.py").run()
    app.switch_page(PAGE).run()
    assert app.session_state["csv_tab"] == "Problems"
    tab(app, "Result")
    assert app.dataframe[-1].value["row"].tolist() == [13, 14]


def test_choosing_a_problem_shows_its_rows(app: AppTest, market: Market) -> None:
    upload(app, mixed(market))
    tab(app, "Problems")
    app.button(key="csv_rows_issue_below_limit").click().run()
    assert app.session_state["csv_tab"] == "Result"
    assert app.dataframe[-1].value["row"].tolist() == [13]
    app.selectbox(key="csv_show").select("all").run()
    assert len(app.dataframe[-1].value) == 14


def test_a_choice_that_the_next_table_does_not_have_shows_all_its_houses(
    app: AppTest, market: Market
) -> None:
    upload(app, mixed(market))
    app.selectbox(key="csv_show").select("issue:below_limit").run()
    upload(app, "\n".join(lines(market, 3)), "others.csv")
    assert len(app.dataframe[-1].value) == 3


def test_findings_say_what_to_do_and_what_passed(app: AppTest, market: Market) -> None:
    upload(app, mixed(market))
    tab(app, "Problems")
    assert "2 found something to mend" in words(app)
    assert "Numbers smaller than possible** · 1 row" in words(app)
    assert "Look for a slip in the cells." in words(app)
    passed = next(d.value for d in app.dataframe if "What was looked for" in d.value)
    assert "Fractions where a whole number belongs" in passed["What was looked for"].tolist()


def test_a_mended_cell_is_valued_again_and_no_other_cell_changes(
    app: AppTest, market: Market
) -> None:
    upload(app, mixed(market))
    before = app.session_state["csv_outcome"]
    tab(app, "Problems")
    assert "1 row can only be mended in your own table" in words(app)
    assert app.button(key="csv_value_again").disabled
    _, found = app.session_state["csv_kept"]
    found["edits"][13, "GrLivArea"] = "1500"
    found["bases"].clear()
    app.switch_page("pages/value/house.py").run()
    app.switch_page(PAGE).run()
    assert app.button(key="csv_value_again").label == "Value again with 1 cell mended"
    app.button(key="csv_value_again").click().run()
    assert not app.exception
    assert metrics(app)["Valued"] == "13"
    assert "1 cell was mended here" in words(app)
    given = app.session_state["csv_outcome"].scored.inputs
    changed = given.ne(before.scored.inputs)
    assert changed.sum().sum() == 1
    assert given.loc[12, "GrLivArea"] == "1500"


def test_each_fact_with_levels_is_mended_by_itself(contract: Contract) -> None:
    cells = pd.DataFrame(
        {
            "row": [1, 2, 3],
            "column": ["GrLivArea", "Street", "YearBuilt"],
            "field": ["Living area", "Street", "Year built"],
        }
    )
    numbers, street = groups_of_cells(cells, contract)
    assert numbers.cells["column"].tolist() == ["GrLivArea", "YearBuilt"]
    assert not numbers.levels
    assert [*street.levels] == [*contract.fields["Street"].codes]


def test_the_sum_has_a_range_and_the_table_is_held_against_the_sales(app: AppTest) -> None:
    app.button(key="csv_sample").click().run()
    tab(app, "Totals and comparison")
    assert "the prices add up to $" in words(app)
    assert "that were compared" in words(app)
    places = app.dataframe[1].value
    assert places["Houses"].sum() == 1_459
    assert (places["From"] < places["To"]).all()


def test_a_table_with_prices_is_reported_on(app: AppTest, market: Market) -> None:
    sales = market.sales_path.read_text(encoding="utf-8").splitlines()[:61]
    upload(app, "\n".join(sales))
    tab(app, "Against prices")
    assert "60 houses have a sale price beside the value" in words(app)
    assert "60 of the houses are sales that values are learned from" in words(app)
    assert "By confidence" in words(app)
    assert len(app.get("plotly_chart")) == 1


def test_a_table_without_prices_says_which_column_is_asked_for(
    app: AppTest, market: Market
) -> None:
    upload(app, mixed(market))
    tab(app, "Against prices")
    assert "a column SalePrice (sale price)" in words(app)


def test_the_download_is_written_as_the_upload_was(app: AppTest, market: Market) -> None:
    rows = list(csv.reader(lines(market, 3)))
    rows[1][rows[0].index("LotFrontage")] = "80,5"
    text = "\n".join(";".join(row) for row in rows)
    upload(app, text)
    found = app.session_state["csv_outcome"]
    data = valued_csv(found.table, found.scored)
    back = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=";"))
    assert [row[: len(rows[0])] for row in back] == rows
    price = [row[back[0].index("predicted_price")] for row in back[1:]]
    values = found.scored.valuations["predicted_price"]
    assert [float(each.replace(",", ".")) for each in price] == values.tolist()
    assert any("," in each for each in price)
    assert not any("." in each for each in price)
    upload(app, "\n".join(lines(market, 3)))
    found = app.session_state["csv_outcome"]
    point = valued_csv(found.table, found.scored).decode("utf-8-sig")
    assert next(csv.DictReader(io.StringIO(point, newline="")))["interval"] == "0.9"


def test_the_ratio_study_is_told_in_words() -> None:
    prices = np.linspace(1e5, 3e5, 40)
    told = equity_told(ratio_study(prices, prices * 1.2, n_resamples=20))
    level = told.iloc[0]
    assert level["What is measured"] == "Median of value over price"
    assert level[["Here", "Good", "Reached"]].tolist() == ["1.200", "0.9 to 1.1", "no"]
    assert len(told) == len(ACCEPTED_RANGES)
    assert not told["What is measured"].isin(list(ACCEPTED_RANGES)).any()


def test_a_second_table_replaces_the_first_and_taking_it_out_clears_the_page(
    app: AppTest, market: Market
) -> None:
    upload(app, mixed(market))
    upload(app, "\n".join(lines(market, 3)), "others.csv")
    assert metrics(app)["Houses"] == "3"
    assert "others" in app.header[0].value
    app.file_uploader(key="csv").set_value(None).run()
    assert not app.metric


def test_the_same_table_is_not_valued_twice(app: AppTest, market: Market) -> None:
    upload(app, mixed(market))
    first = app.session_state["csv_outcome"]
    upload(app, mixed(market))
    assert app.session_state["csv_outcome"] is first
    upload(app, mixed(market), "renamed.csv")
    assert app.session_state["csv_outcome"].name == "renamed.csv"


def test_the_sample_can_be_tried_while_a_file_is_up(app: AppTest, market: Market) -> None:
    upload(app, mixed(market))
    app.button(key="csv_sample").click().run()
    app.run()
    assert metrics(app)["Houses"] == "1,459"


def test_one_visitor_never_sees_the_table_of_another(
    app: AppTest, market: Market, root: Path
) -> None:
    upload(app, mixed(market))
    other = AppTest.from_file(root / "streamlit_app.py", default_timeout=60).run()
    other.switch_page(PAGE).run()
    assert not other.metric
    assert not other.header
    upload(other, "\n".join(lines(market, 3)))
    app.run()
    assert (metrics(app)["Houses"], metrics(other)["Houses"]) == ("14", "3")
    assert app.session_state["csv_outcome"] is not other.session_state["csv_outcome"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04", "damaged Excel workbook"),
        (b"a,b\n1,\x00\n", "not a text file"),
        (b"a,a\n1,2\n", "more than one column named a"),
    ],
)
def test_what_is_no_table_is_refused_in_words(app: AppTest, data: bytes, sentence: str) -> None:
    upload(app, data)
    assert sentence in app.error[0].value.replace("\\", "")
    assert not app.metric


def test_a_file_over_the_limit_is_refused_by_the_server(app: AppTest) -> None:
    upload(app, bytes(21 * 1_000_000))
    assert "21.0 MB; at most 20" in app.error[0].value.replace("\\", "")


def test_missing_columns_are_named_and_no_row_is_lost(app: AppTest) -> None:
    upload(app, "GrLivArea,note\n1500,x\n1600,y\n")
    assert "No house can be valued without" in app.error[0].value
    assert metrics(app)["Without a value"] == "2"
    assert "Value of all together" not in metrics(app)


def test_what_a_file_says_is_never_read_as_markdown(app: AppTest, market: Market) -> None:
    header, *rows = lines(market, 2)
    image = "![x](http://elsewhere.example/x.png)"
    upload(app, "\n".join([f"{header},{image}", *(f"{row},1" for row in rows)]), f"{image}.csv")
    shown = [element.value for element in [*app.info, *app.warning, *app.error, *app.header]]
    assert any("elsewhere" in text for text in shown)
    assert not any("](" in text or "![" in text for text in shown)


def test_marks_are_escaped_and_words_stay() -> None:
    assert escape("a *b* [c](d)\n$e$") == r"a \*b\* \[c\]\(d\) \$e\$"


def test_the_guide_names_every_column_and_what_is_legal(contract: Contract) -> None:
    guide = column_guide(contract).set_index("Column")
    assert list(guide.index) == list(contract.columns)
    assert "WD = " in guide.loc["SaleType", "What to write"]
    assert guide.loc["GrLivArea", "Needed"] == "yes"


@pytest.fixture
def contract(market: Market) -> Contract:
    return market.contract


def test_the_chart_compares_shares_and_loses_no_house(market: Market, contract: Contract) -> None:
    values = market.prices.sample(100, random_state=0).reset_index(drop=True) * 1.1
    frame = comparison(values, market.prices)
    assert frame["houses"].sum() == 100
    assert frame[["houses_pct", "sales_pct"]].sum().tolist() == pytest.approx([100, 100])
    assert (frame["from"].iloc[1:].to_numpy() == frame["to"].iloc[:-1].to_numpy()).all()
    bars, outline = comparison_chart(frame, contract).data
    assert list(bars.y) == frame["houses_pct"].tolist()
    assert list(outline.y) == frame["sales_pct"].tolist()


@pytest.mark.parametrize(
    ("factor", "words"), [(1.2, "20 % more than"), (0.9, "10 % less than"), (1, "as much as")]
)
def test_the_sentence_says_how_the_houses_compare(
    market: Market, contract: Contract, factor: float, words: str
) -> None:
    finding = comparison_finding(market.prices * factor, market.prices, contract)
    assert f"{words} the middle sale of the market ($163,000)" in finding


def test_the_sample_passes_its_own_checks(market: Market, contract: Contract) -> None:
    from houseprice.market.sales import read_rows

    assert validate(read_rows(market.sample_path), contract).valid.all()
