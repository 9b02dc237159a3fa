"""A table is uploaded, valued, corrected and downloaded in a browser."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pandas as pd
from playwright.sync_api import Locator, Page, expect

import houseprice
from tests.loopback import wait_until

SAMPLE = Path(houseprice.__file__).with_name("market") / "ames" / "to_value.csv"
ADDED = 15  # with the valuation date, since the sales have dates


def sample(n_houses: int) -> bytes:
    return "\n".join(SAMPLE.read_text(encoding="utf-8").splitlines()[: n_houses + 1]).encode()


def with_invalid_area() -> bytes:
    """Three houses, the second with a living area of -5."""
    rows = list(csv.reader(io.StringIO(sample(3).decode())))
    rows[2][rows[0].index("GrLivArea")] = "-5"
    return "\n".join(",".join(row) for row in rows).encode()


def upload(page: Page, data: bytes, name: str = "houses.csv") -> None:
    page.goto("/csv")
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(
        {"name": name, "mimeType": "text/csv", "buffer": data}
    )


def download(page: Page) -> list[list[str]]:
    button = page.get_by_role("button", name=re.compile("^Download the valued table"))
    expect(button).to_be_visible(timeout=30_000)
    with page.expect_download() as event:
        button.click()
    text = Path(event.value.path()).read_text(encoding="utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


def test_the_sample_is_downloaded_with_a_value_in_every_row(app):
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


def test_an_invalid_cell_is_corrected_on_the_page_and_its_house_valued(app):
    upload(app, with_invalid_area())
    expect(metric(app, "Without a value")).to_contain_text("1")
    app.get_by_role("tab", name="Problems").click()
    enter_first(app, "1500")
    again = app.get_by_role("button", name="Value again with 1 corrected cell")
    expect(again).to_be_enabled()
    again.click()
    expect(metric(app, "Without a value")).to_contain_text("0")
    expect(app.get_by_text("1 corrected cell")).to_be_visible()
    table = download(app)
    assert table[2][table[0].index("GrLivArea")] == "1500"
    ids = [line.split(",")[0] for line in sample(3).decode().splitlines()]
    assert [row[0] for row in table] == ids


def test_the_excel_download_can_be_uploaded_again(app):
    upload(app, sample(3))
    button = app.get_by_role("button", name="Excel", exact=True)
    expect(button).to_be_visible()
    with app.expect_download() as event:
        button.click()
    assert event.value.suggested_filename == "houses_valued.xlsx"
    app.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(
        {
            "name": "again.xlsx",
            "mimeType": "application/octet-stream",
            "buffer": Path(event.value.path()).read_bytes(),
        }
    )
    expect(app.get_by_role("heading", name="Result for again.xlsx")).to_be_visible(timeout=30_000)
    expect(metric(app, "Valued")).to_contain_text("3")


def test_the_parquet_download_has_the_rows_of_the_csv(app):
    upload(app, sample(3) + b"\n1,2")
    header, *rows = download(app)
    with app.expect_download() as event:
        app.get_by_role("button", name="Parquet", exact=True).click()
    assert event.value.suggested_filename == "houses_valued.parquet"
    frame = pd.read_parquet(event.value.path())
    assert frame.columns.tolist() == header
    assert frame["status"].tolist() == ["ok", "ok", "ok", "error"]
    expected = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    for values, cells in zip(expected, rows, strict=True):
        for value, cell in zip(values, cells, strict=True):
            same = float(cell) == value if isinstance(value, float) else cell == str(value or "")
            assert same, (value, cell)


def test_a_second_visitor_sees_nothing_of_the_first_ones_table(app, browser, base_url):
    upload(app, sample(3))
    expect(metric(app, "Houses")).to_contain_text("3")
    other = browser.new_context(base_url=base_url).new_page()
    other.goto("/csv")
    expect(other.get_by_text("Upload a table to see")).to_be_visible()
    expect(other.get_by_test_id("stMetric")).to_have_count(0)
    other.context.close()


def metric(page: Page, label: str) -> Locator:
    named = page.get_by_test_id("stMetricLabel").get_by_text(label, exact=True)
    return page.get_by_test_id("stMetric").filter(has=named)


def enter_first(page: Page, text: str) -> None:
    """Correct the first invalid number with the mouse, because the editor is a canvas."""
    table = page.locator(".st-key-csv_cells_numbers .dvn-scroller")
    cell = page.locator("#portal textarea")

    def opened() -> bool:
        # The canvas is visible a moment before it reacts.
        table.dblclick(position={"x": 280, "y": 53})
        return cell.is_visible()

    wait_until(opened)
    cell.fill(text)
    cell.press("Enter")
