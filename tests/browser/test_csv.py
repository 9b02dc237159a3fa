"""A file goes up and comes down valued."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pandas as pd
from playwright.sync_api import Browser, Locator, Page, expect

import houseprice
from tests.loopback import wait_until

SAMPLE = Path(houseprice.__file__).with_name("market") / "ames" / "to_value.csv"
ADDED = 14


def upload(page: Page, data: bytes, name: str = "houses.csv") -> None:
    page.goto("/csv")
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(
        {"name": name, "mimeType": "text/csv", "buffer": data}
    )


def download(page: Page) -> list[list[str]]:
    button = page.get_by_role("button", name=re.compile("^Download"))
    expect(button.first).to_be_visible(timeout=30_000)
    with page.expect_download() as coming:
        button.first.click()
    text = Path(coming.value.path()).read_text(encoding="utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


def test_the_public_file_goes_up_and_comes_down_with_every_row_valued(app: Page) -> None:
    upload(app, SAMPLE.read_bytes())
    table = download(app)
    sent = list(csv.reader(io.StringIO(SAMPLE.read_text(encoding="utf-8"))))
    assert len(table) == len(sent) == 1_460
    assert [row[:-ADDED] for row in table] == sent
    status, price, low, high = (
        table[0].index(name) for name in ("status", "predicted_price", "price_low", "price_high")
    )
    assert {row[status] for row in table[1:]} == {"ok", "warning"}
    assert all(float(row[low]) < float(row[price]) < float(row[high]) for row in table[1:])


def test_a_bad_row_comes_back_with_its_reason_and_the_others_with_values(app: Page) -> None:
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()[:4]
    cells = lines[2].split(",")
    cells[lines[0].split(",").index("GrLivArea")] = "-5"
    upload(app, "\r\n".join([lines[0], lines[1], ",".join(cells), lines[3]]).encode())
    table = download(app)
    status, price, codes, message = (
        [row[table[0].index(name)] for row in table[1:]]
        for name in ("status", "predicted_price", "reason_codes", "message")
    )
    assert status[1] == "error"
    assert (price[1], codes[1]) == ("", "below_limit:GrLivArea")
    assert "-5" in message[1]
    assert price[0]
    assert price[2]


def test_a_file_that_is_no_table_is_refused_in_words(app: Page) -> None:
    upload(app, b"PK\x03\x04" + bytes(200))
    alert = app.get_by_test_id("stAlert").first
    expect(alert).to_be_visible()
    expect(alert).not_to_contain_text("Traceback")


def test_a_wrong_cell_is_mended_on_the_page_and_its_house_valued(app: Page) -> None:
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()[:4]
    cells = lines[2].split(",")
    cells[lines[0].split(",").index("GrLivArea")] = "-5"
    upload(app, "\r\n".join([lines[0], lines[1], ",".join(cells), lines[3]]).encode())
    expect(metric(app, "Without a value")).to_contain_text("1")
    app.get_by_role("tab", name="Problems").click()
    write_first(app, "1500")
    again = app.get_by_role("button", name="Value again with 1 cell mended")
    expect(again).to_be_enabled()
    again.click()
    expect(metric(app, "Without a value")).to_contain_text("0")
    expect(app.get_by_text("1 cell was mended here")).to_be_visible()
    table = download(app)
    assert table[2][table[0].index("GrLivArea")] == "1500"
    assert [row[0] for row in table] == [line.split(",")[0] for line in lines]


def test_the_table_comes_down_as_a_workbook_and_goes_up_again(app: Page) -> None:
    upload(app, "\n".join(SAMPLE.read_text(encoding="utf-8").splitlines()[:4]).encode())
    button = app.get_by_role("button", name="Excel", exact=True)
    expect(button).to_be_visible()
    with app.expect_download() as coming:
        button.click()
    assert coming.value.suggested_filename == "houses_valued.xlsx"
    app.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(
        {
            "name": "again.xlsx",
            "mimeType": "application/octet-stream",
            "buffer": Path(coming.value.path()).read_bytes(),
        }
    )
    expect(app.get_by_role("heading", name="Result for again.xlsx")).to_be_visible(timeout=30_000)
    expect(metric(app, "Valued")).to_contain_text("3")


def test_the_parquet_file_holds_the_rows_of_the_csv(app: Page) -> None:
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()[:4]
    upload(app, "\n".join([*lines, "1,2"]).encode())
    header, *rows = download(app)
    with app.expect_download() as coming:
        app.get_by_role("button", name="Parquet", exact=True).click()
    assert coming.value.suggested_filename == "houses_valued.parquet"
    frame = pd.read_parquet(coming.value.path())
    assert frame.columns.tolist() == header
    assert frame["status"].tolist() == ["ok", "ok", "ok", "error"]
    told = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    for values, cells in zip(told, rows, strict=True):
        for value, cell in zip(values, cells, strict=True):
            same = float(cell) == value if isinstance(value, float) else cell == str(value or "")
            assert same, (value, cell)


def test_a_second_visitor_sees_nothing_of_the_first_one_s_table(
    app: Page, browser: Browser, base_url: str
) -> None:
    upload(app, "\n".join(SAMPLE.read_text(encoding="utf-8").splitlines()[:4]).encode())
    expect(metric(app, "Houses")).to_contain_text("3")
    other = browser.new_context(base_url=base_url).new_page()
    other.goto("/csv")
    expect(other.get_by_text("Nothing here yet")).to_be_visible()
    expect(other.get_by_test_id("stMetric")).to_have_count(0)
    other.context.close()


def test_the_result_is_still_there_after_a_visit_to_another_page(app: Page) -> None:
    upload(app, "\n".join(SAMPLE.read_text(encoding="utf-8").splitlines()[:4]).encode())
    expect(metric(app, "Houses")).to_contain_text("3")
    app.get_by_role("tab", name="Totals and comparison").click()
    expect(app.get_by_role("heading", name="All houses together")).to_be_visible()
    app.get_by_role("link", name="Home").click()
    expect(app.get_by_role("tab", name="Totals and comparison")).to_have_count(0)
    app.get_by_role("link", name="Value a CSV").click()
    expect(metric(app, "Houses")).to_contain_text("3")
    expect(app.get_by_role("heading", name="All houses together")).to_be_visible()


def metric(page: Page, label: str) -> Locator:
    named = page.get_by_test_id("stMetricLabel").get_by_text(label, exact=True)
    return page.get_by_test_id("stMetric").filter(has=named)


def write_first(page: Page, text: str) -> None:
    """Mend the first wrong number: the table is a drawing, so by the mouse."""
    table = page.locator(".st-key-csv_cells_numbers .dvn-scroller")
    cell = page.locator("#portal textarea")

    def opened() -> bool:
        # The drawing is there a moment before it listens.
        table.dblclick(position={"x": 280, "y": 53})
        return cell.is_visible()

    wait_until(opened)
    cell.fill(text)
    cell.press("Enter")
