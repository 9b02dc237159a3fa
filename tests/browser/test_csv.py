"""A file goes up and comes down valued."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from playwright.sync_api import Page, expect

SAMPLE = Path(__file__).parents[2] / "houseprice" / "market" / "ames" / "to_value.csv"
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
