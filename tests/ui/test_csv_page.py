"""The page "Value a CSV" through the entry script: upload, result, corrections, downloads."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from urllib.parse import parse_qsl

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from houseprice.market.sales import Market
from houseprice.ui.csv.results import valued_csv
from houseprice.ui.csv.upload import ValuedUpload
from tests.ui.page import metrics, open_page, select_tab, texts

PAGE = "pages/value/csv.py"


@pytest.fixture
def app(model_dir: Path) -> AppTest:
    del model_dir  # trained, and in the environment
    return open_page(PAGE)


def upload(app: AppTest, text: str | bytes, name: str = "homes.csv") -> AppTest:
    data = text.encode() if isinstance(text, str) else text
    app.file_uploader(key="csv").upload(name, data, "text/csv").run()
    assert not app.exception
    return app


def open_tab(app: AppTest, label: str) -> AppTest:
    return select_tab(app, "csv_tab", label)


def visit_another_page(app: AppTest) -> None:
    app.switch_page("pages/value/house.py").run()
    app.switch_page(PAGE).run()


def result(app: AppTest) -> ValuedUpload:
    valued = app.session_state["csv_result"]
    assert isinstance(valued, ValuedUpload)
    return valued


def sample_lines(market: Market, n_houses: int) -> str:
    lines = market.sample_path.read_text(encoding="utf-8").splitlines()
    return "\n".join(lines[: n_houses + 1])


@pytest.fixture(scope="module")
def mixed(market: Market) -> str:
    """Twelve valid houses, one with an area of -5, one with a cell too many."""
    rows = list(csv.reader(sample_lines(market, 12).splitlines()))
    invalid = dict(zip(rows[0], rows[3], strict=True)) | {"GrLivArea": "-5"}
    out = io.StringIO()
    csv.writer(out).writerows([*rows, list(invalid.values()), [*rows[1], "surplus"]])
    return out.getvalue()


def test_the_empty_page_names_the_required_fields(app: AppTest, market: Market) -> None:
    required = [field.label for field in market.contract.fields.values() if field.required]
    assert all(label in app.info[0].value for label in required)
    assert len(app.get("download_button")) == 1


def test_the_sample_is_valued_with_a_click_even_while_a_file_is_uploaded(
    app: AppTest, mixed: str
) -> None:
    upload(app, mixed)
    button = app.button(key="csv_sample")
    assert button.label == "Try it with 1,459 houses"
    button.click().run()
    app.run()
    assert not app.exception
    assert metrics(app)["Valued"] == "1,459"
    assert metrics(app)["Without a value"] == "0"
    assert metrics(app)["Total value"].startswith("$2")
    assert len(app.get("plotly_chart")) == 2
    open_tab(app, "Totals and drift")
    areas = app.dataframe[0].value
    assert areas["Houses"].sum() == 1_459
    assert (areas["From"] < areas["To"]).all()


def test_rows_have_a_value_or_a_reason_in_the_order_of_the_file(app: AppTest, mixed: str) -> None:
    upload(app, mixed)
    counts = metrics(app)
    assert (counts["Houses"], counts["Valued"], counts["Without a value"]) == ("14", "12", "2")
    houses = app.dataframe[0].value
    assert houses["row"].tolist() == [*range(1, 15)]
    assert houses["status"].tolist()[-2:] == ["No value", "No value"]
    assert "Living area" in houses["message"].iloc[12]
    assert "surplus" in houses["message"].iloc[13]
    assert houses["predicted_price"].notna().tolist() == [True] * 12 + [False] * 2


def test_result_tab_and_filter_are_kept_while_another_page_is_visited(
    app: AppTest, mixed: str
) -> None:
    upload(app, mixed)
    first = result(app)
    app.selectbox(key="csv_show").select("error").run()
    open_tab(app, "Problems")
    visit_another_page(app)
    assert result(app) is first
    assert app.session_state["csv_tab"] == "Problems"
    open_tab(app, "Results")
    assert app.dataframe[-1].value["row"].tolist() == [13, 14]


def test_a_problem_leads_to_its_rows(app: AppTest, market: Market, mixed: str) -> None:
    upload(app, mixed)
    open_tab(app, "Problems")
    app.button(key="csv_rows_issue_below_limit").click().run()
    assert app.session_state["csv_tab"] == "Results"
    assert app.dataframe[-1].value["row"].tolist() == [13]
    # The next table has no such problem, so it is shown whole.
    upload(app, sample_lines(market, 3), "others.csv")
    assert len(app.dataframe[-1].value) == 3


def test_checks_with_and_without_findings_are_listed(app: AppTest, mixed: str) -> None:
    upload(app, mixed)
    open_tab(app, "Problems")
    assert "Checks of this table: 2 errors" in texts(app)
    assert "** · 1 row" in texts(app)
    passed = next(table.value for table in app.dataframe if "Check" in table.value)
    assert len(passed) > 10


def test_a_corrected_cell_is_valued_again_and_no_other_cell_changes(
    app: AppTest, mixed: str
) -> None:
    upload(app, mixed)
    before = result(app)
    open_tab(app, "Problems")
    assert "1 row cannot be corrected here" in texts(app)
    assert app.button(key="csv_value_again").disabled
    before.cache["edits"][13, "GrLivArea"] = "1500"
    before.cache["editor_frames"].clear()
    visit_another_page(app)
    assert app.button(key="csv_value_again").label == "Value again with 1 corrected cell"
    app.button(key="csv_value_again").click().run()
    assert not app.exception
    assert metrics(app)["Valued"] == "13"
    assert "1 corrected cell" in texts(app)
    inputs = result(app).scored.inputs
    assert inputs.ne(before.scored.inputs).sum().sum() == 1
    assert inputs.loc[12, "GrLivArea"] == "1500"


def test_a_table_with_sale_prices_is_evaluated(app: AppTest, market: Market, mixed: str) -> None:
    upload(app, mixed)
    open_tab(app, "Accuracy")
    assert "SalePrice (sale price)" in texts(app)
    sales = market.sales_path.read_text(encoding="utf-8").splitlines()[:61]
    upload(app, "\n".join(sales))
    open_tab(app, "Accuracy")
    assert "By confidence" in texts(app)
    assert len(app.get("plotly_chart")) == 1
    assert any("90 % interval" in table.value for table in app.dataframe)


def test_the_download_has_the_dialect_of_the_upload(app: AppTest, market: Market) -> None:
    rows = list(csv.reader(sample_lines(market, 3).splitlines()))
    rows[1][rows[0].index("LotFrontage")] = "80,5"
    upload(app, "\n".join(";".join(row) for row in rows))
    text = valued_csv(result(app).scored, result(app).table).decode("utf-8-sig")
    header, *output = csv.reader(io.StringIO(text, newline=""), delimiter=";")
    assert [row[: len(rows[0])] for row in (header, *output)] == rows
    prices = [row[header.index("predicted_price")] for row in output]
    values = result(app).scored.valuations["predicted_price"]
    assert [float(price.replace(",", ".")) for price in prices] == values.tolist()
    assert any("," in price for price in prices)
    assert not any("." in price for price in prices)
    upload(app, sample_lines(market, 3))
    text = valued_csv(result(app).scored, result(app).table).decode("utf-8-sig")
    assert next(csv.DictReader(io.StringIO(text, newline="")))["interval"] == "0.9"


def test_a_second_table_replaces_the_first_and_removing_it_clears_the_page(
    app: AppTest, market: Market, mixed: str
) -> None:
    upload(app, mixed)
    first = result(app)
    upload(app, mixed)
    assert result(app) is first
    upload(app, mixed, "renamed.csv")
    assert result(app).name == "renamed.csv"
    upload(app, sample_lines(market, 3), "others.csv")
    assert metrics(app)["Houses"] == "3"
    assert "others" in app.header[0].value
    app.file_uploader(key="csv").set_value(None).run()
    assert not app.metric


def test_a_visitor_never_sees_the_table_of_another(
    app: AppTest, market: Market, mixed: str
) -> None:
    upload(app, mixed)
    other = open_page(PAGE)
    assert not other.metric
    assert not other.header
    upload(other, sample_lines(market, 3))
    app.run()
    assert (metrics(app)["Houses"], metrics(other)["Houses"]) == ("14", "3")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04", "damaged Excel workbook"),
        (b"a,b\n1,\x00\n", "not a text file"),
        (bytes(21_500_000), "21.5 MB; the limit is 20"),
    ],
)
def test_a_file_that_is_no_table_or_too_large_is_refused(
    app: AppTest, data: bytes, sentence: str
) -> None:
    upload(app, data)
    assert sentence in texts(app)
    assert not app.metric


@pytest.mark.parametrize(("row", "n_links"), [(2, 3), (13, 1)])
def test_a_selected_row_opens_its_house_with_the_given_facts(
    app: AppTest, market: Market, mixed: str, row: int, n_links: int
) -> None:
    upload(app, mixed)
    valued = result(app)
    app.session_state["csv_open_row"] = row
    state = {"selection": {"rows": [row - 1], "columns": [], "cells": []}}
    app.session_state[f"csv_houses_all_{valued.token}"] = state
    app.run()
    assert f"Row {row}" in texts(app)
    links = app.get("page_link")
    assert len(links) == n_links
    given = {name for name, cell in valued.table.rows.iloc[row - 1].items() if cell.strip()}
    facts = dict(parse_qsl(links[0].proto.query_string))
    assert {"GrLivArea", "Neighborhood"} <= facts.keys() <= given


def test_what_concerns_the_file_is_said_once_above_the_tabs(app: AppTest, market: Market) -> None:
    frame = pd.read_csv(market.sample_path, dtype=str, nrows=2)
    required = [name for name, field in market.contract.fields.items() if field.required]
    upload(app, frame[required].assign(agent="x").to_csv(index=False))
    for tab in ("Results", "Problems"):
        open_tab(app, tab)
        assert len(app.info) == 1
        assert texts(app).count("columns are missing") == 1
        assert len(texts(app)) < 3_000


def test_missing_required_columns_are_named_and_no_row_is_lost(app: AppTest) -> None:
    upload(app, "GrLivArea,note\n1500,x\n1600,y\n")
    assert len(app.error) == 1
    assert metrics(app)["Without a value"] == "2"
    assert "Total value" not in metrics(app)


def test_text_of_a_file_is_never_rendered_as_markdown(app: AppTest, market: Market) -> None:
    header, *rows = sample_lines(market, 2).splitlines()
    image = "![x](http://elsewhere.example/x.png)"
    upload(app, "\n".join([f"{header},{image}", *(f"{row},1" for row in rows)]), f"{image}.csv")
    open_tab(app, "Problems")
    shown = [element.value for element in [*app.info, *app.warning, *app.error, *app.header]]
    assert any("elsewhere" in text for text in shown)
    assert not any("](" in text or "![" in text for text in shown)


@pytest.mark.parametrize("header", ["price,beds,m,zip", "a,b,m,c"])
def test_columns_can_be_mapped_by_hand(app: AppTest, header: str) -> None:
    upload(app, f"{header}\n200000,3,1500,50010\n150000,2,900,50014\n")
    app.button(key="csv_map").click().run()
    assert not app.exception
    valued = result(app)
    assert valued.table.headers[2] == "m"
    assert (valued.scored.summary.valued, valued.scored.summary.errors) == (2, 0)
