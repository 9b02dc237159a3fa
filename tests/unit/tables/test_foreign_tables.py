"""Tables of another make have the same houses as the plain file."""

import csv
import io
import re
import struct
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import xlsxwriter

from houseprice.errors import InputError, UnknownColumns
from houseprice.market.sales import load_market, read_rows
from houseprice.market.validation import validate
from houseprice.settings import Settings
from houseprice.tables.mapping import ColumnMapping, suggest_columns
from houseprice.tables.reader import read_table
from tests.unit.tables.conftest import TEXT_CELL, open_document

AMES = load_market(Settings().market)
SIX = read_rows(AMES.sample_path).head(6)


def _csv(rows: pd.DataFrame, separator: str = ",", **columns: str) -> str:
    return rows.rename(columns=columns).to_csv(index=False, sep=separator, lineterminator="\n")


def _labels() -> dict[str, str]:
    return {name: field.label for name, field in AMES.contract.fields.items()}


def _area_labels() -> dict[str, str]:
    area = AMES.contract.fields["Neighborhood"]
    labels = [label.replace(" ", "_") for label in area.labels]
    return dict(zip(area.codes, labels, strict=True))


def _with_units(rows: pd.DataFrame) -> pd.DataFrame:
    spellings = ["${}", "{:,} sqft", "{} SF", "{} ft²", "{} sq. ft.", " {} (square feet) "]
    areas = zip(spellings, rows["LotArea"].astype(int), strict=True)
    return rows.assign(LotArea=[spelling.format(area) for spelling, area in areas])


def _r_names() -> dict[str, str]:
    return {name: f"X{name}" for name in SIX.columns if name[0].isdigit()}


BROUGHT = {
    "separator line": "sep=;\n" + _csv(SIX, ";"),
    "separator line that is wrong": "sep=;\n" + _csv(SIX),
    "title and empty row": "Valuation list Q3\n\n" + _csv(SIX),
    "title with commas": "List of houses, third quarter,,,\n,,,,,\n" + _csv(SIX),
    "comments": "# exported 2026\n# by me\n" + _csv(SIX),
    "commented header": "# " + _csv(SIX),
    "empty lines": "\n\n\n" + _csv(SIX, "\t"),
    "filled with None": _csv(SIX.replace({"NA": "None", "": "None"})),
    "names of R": _csv(SIX, **_r_names()),
    "dots": _csv(SIX.rename(columns=lambda name: re.sub("(?<=[a-z])(?=[A-Z])", ".", name))),
    "words for absence": _csv(
        SIX.assign(Alley=["No", "nil", "0", "none", "(none)", "No alley"]).replace(
            {"GarageType": {"NA": "No_garage"}}
        )
    ),
    "texts of a spreadsheet": _csv(
        SIX.assign(
            MSSubClass=[f'="{code}"' for code in SIX["MSSubClass"]],
            MSZoning=[f"'{code}" for code in SIX["MSZoning"]],
            YearBuilt=[f"{year}-07-01 00:00:00" for year in SIX["YearBuilt"]],
        )
    ),
    "things that are counted": _csv(
        SIX.assign(FullBath=[f"{n} baths" for n in SIX["FullBath"]]),
        GrLivArea="Gr Liv Area in sq ft",
    ),
    "own labels": _csv(SIX, **_labels()),
    "own labels with units": _csv(
        SIX, **{n: f"{f.label} ({f.unit})" for n, f in AMES.contract.fields.items() if f.unit}
    ),
    "unit after the name": _csv(SIX, LotArea="LotArea_sqft", GrLivArea="Gr Liv Area [SF]"),
    "square metres": _csv(
        SIX.assign(LotArea=(SIX["LotArea"].astype(int) * 0.3048**2).round(9).astype(str)),
        LotArea="Lot area (m²)",
    ),
    "units in cells": _csv(_with_units(SIX)),
    "blanks before quotation marks": SIX.to_csv(index=False, quoting=csv.QUOTE_ALL).replace(
        '","', '", "'
    ),
    "labels of levels": _csv(SIX.replace({"Neighborhood": _area_labels()})),
}


@pytest.mark.parametrize("text", BROUGHT.values(), ids=BROUGHT.keys())
def test_a_table_of_another_make_has_the_same_houses(text):
    table = read_table(text.encode(), "homes.csv", Settings(), AMES.contract)
    result = validate(table.rows, AMES.contract)
    pd.testing.assert_frame_equal(result.houses, validate(SIX, AMES.contract).houses)
    assert result.valid.all()


def test_a_round_trip_through_pandas_costs_its_blanks_alone():
    rows = read_rows(AMES.sample_path)
    again = pd.read_csv(io.StringIO(rows.to_csv(index=False))).to_csv(index=False)
    table = read_table(again.encode(), "homes.csv", Settings(), AMES.contract)
    before, after = (validate(each, AMES.contract).houses for each in (rows, table.rows))
    same = (before == after) | (before.isna() & after.isna()) | after.isna()
    differing = before.columns[~same.all()].tolist()
    assert differing == [], before[differing].compare(after[differing])
    absent = ["GarageType", "BsmtQual", "FireplaceQu", "PoolQC", "MiscFeature", "MasVnrType"]
    assert (after[absent].isna().sum() - before[absent].isna().sum()).max() < 5


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\n <table border='1'><tr><th>Id</th></tr></table>", "a web page"),
        ("\ufeff<!DOCTYPE html><html></html>".encode(), "a web page"),
        (b"<?xml version='1.0'?><Workbook/>", "an XML file"),
        (b'[{"Id": 1}]', "a JSON file"),
        (b'{"Id": 1}\n{"Id": 2}\n', "a JSON file"),
        (b"%PDF-1.7", "a PDF document"),
        (b"\x89PNG\r\n", "an image"),
        (b"{\\rtf1 Id}", "a rich text document"),
        (b"MIME-Version: 1.0\n\n<html>", "a web archive"),
    ],
)
def test_a_file_of_another_kind_is_refused_as_what_it_is(data, what):
    with pytest.raises(InputError, match=f"homes.xls is {what}"):
        read_table(data, "homes.xls", Settings(), AMES.contract)


def test_a_table_without_a_known_column_is_refused_with_the_way_to_map_it():
    with pytest.raises(UnknownColumns, match=r"a, b\..*--map"):
        read_table(b"a,b\n1,2\n", "homes.csv", Settings(), AMES.contract)


def test_errors_and_formulas_without_a_result_stay_in_a_workbook():
    data = io.BytesIO()
    with xlsxwriter.Workbook(data) as book:
        book.add_worksheet("Notes").write_row(0, 0, ["read me"])
        sheet = book.add_worksheet("A & B")
        sheet.write_row(1, 1, ["YearBuilt", "GrLivArea", "Fence"])
        sheet.write_row(2, 1, [1961, 896, "NA"])
        sheet.write_formula(3, 1, "=A1/0", value="#DIV/0!")
        sheet.write_formula(3, 2, "=A1+A2", value=900)
        sheet.write_formula(3, 3, "=C1&D1", value="")
    table = read_table(data.getvalue(), "homes.xlsx", Settings(), AMES.contract)
    assert table.cells[["YearBuilt", "GrLivArea", "Fence"]].to_numpy().tolist() == [
        ["1961", "896", "NA"],
        ["#DIV/0!", "900", "=C1&D1"],
    ]


def test_an_old_workbook_is_read_with_its_dates_and_errors():
    data = (Path(__file__).parent / "homes.xls").read_bytes()
    table = read_table(data, "homes.xls", Settings(), AMES.contract)
    assert table.cells[["YearBuilt", "GrLivArea", "Neighborhood"]].to_numpy().tolist() == [
        ["1961", "896", "NAmes"],
        ["1958-07-01", "#REF!", "NAmes"],
        ["1997", "#DIV/0!", "#N/A"],
        ["1998", "1,604", "StoneBr"],
    ]


def binary_text(text):
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def binary_records(*records):
    """Records of an .xlsb workbook: the kind and the size in 7 bits a byte, and the content."""

    def number(value):
        return bytes([value & 127 | 128, value >> 7]) if value > 127 else bytes([value])

    return b"".join(number(kind) + number(len(data)) + data for kind, data in records)


def binary_workbook(sheet):
    link = '<Relationship Id="rId1" Type="{}" Target="{}"/>'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    name = struct.pack("<II", 0, 1) + binary_text("rId1") + binary_text("Häuser")
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        links = link.format(f"{office}/worksheet", "worksheets/sheet1.bin")
        archive.writestr("xl/_rels/workbook.bin.rels", f"<Relationships>{links}</Relationships>")
        book = binary_records((131, b""), (143, b""), (156, name), (144, b""), (132, b""))
        archive.writestr("xl/workbook.bin", book)
        archive.writestr("xl/worksheets/sheet1.bin", sheet)
    return data.getvalue()


def test_errors_stay_in_a_binary_workbook():
    def cell(column, content, kind):
        return kind, struct.pack("<II", column, 0) + content

    def row(number):
        return 0, struct.pack("<II", number, 0) + bytes(9)

    names = ("YearBuilt", "GrLivArea", "LotArea")
    sheet = binary_records(
        (129, b""), (148, struct.pack("<IIII", 1, 3, 1, 3)), (145, b""),
        row(1), *(cell(1 + i, binary_text(name), 6) for i, name in enumerate(names)),
        row(2), *(cell(1 + i, struct.pack("<d", each), 5) for i, each in enumerate((1961, 896, 9))),
        row(3), cell(1, struct.pack("<d", 1958), 5), cell(2, b"\x17", 3),
        cell(3, b"\x07\0\0" + bytes(8), 11),
        (146, b""), (130, b""),
    )  # fmt: skip
    table = read_table(binary_workbook(sheet), "homes.xlsb", Settings(), AMES.contract)
    assert table.cells.to_numpy().tolist() == [["1961", "896", "9"], ["1958", "#REF!", "#DIV/0!"]]


def test_an_open_document_spreadsheet_is_read():
    rows = [SIX.columns.tolist(), *SIX.to_numpy().tolist()]
    data = open_document([list(map(TEXT_CELL.format, row)) for row in rows])
    table = read_table(data, "homes.ods", Settings(), AMES.contract)
    pd.testing.assert_frame_equal(
        validate(table.rows, AMES.contract).houses, validate(SIX, AMES.contract).houses
    )


def test_errors_and_formulas_without_a_result_stay_in_anopen_document():
    error = (
        '<table:table-cell table:formula="of:=1/0" office:value-type="float" office:value="0" '
        'calcext:value-type="error"><text:p>#DIV/0!</text:p></table:table-cell>'
    )
    rows = [
        [TEXT_CELL.format(name) for name in ("YearBuilt", "GrLivArea", "LotArea", "PoolArea")],
        [TEXT_CELL.format("1961"), '<table:table-cell table:number-columns-repeated="2"/>', error],
        [
            TEXT_CELL.format("1958"),
            '<table:table-cell table:formula="of:=SUM([.A1])"/>',
            error,
            error,
        ],
    ]
    table = read_table(open_document(rows), "homes.ods", Settings(), AMES.contract)
    assert table.cells.to_numpy().tolist() == [
        ["1961", "", "", "#DIV/0!"],
        ["1958", "=SUM([.A1])", "#DIV/0!", "#DIV/0!"],
    ]


def test_a_mapping_by_hand_names_columns_and_gives_values(tmp_path):
    path = tmp_path / "map.toml"
    mapping = ColumnMapping(
        {"m": "GrLivArea", "beds": ""}, {"YearBuilt": "unknown", "Neighborhood": "NAmes"}
    )
    path.write_text(mapping.to_toml())
    assert ColumnMapping.load(path, AMES.contract) == mapping
    data = b"m,beds,OverallQual\n1500,3,5\n"
    table = read_table(data, "homes.csv", Settings(), AMES.contract, mapping)
    assert table.headers == ("m", "beds", "OverallQual")
    # A header that is a unit of the field is that of its cells.
    metric = ColumnMapping({"m2": "GrLivArea"})
    other = read_table(b"m2,beds\n150,3\n", "a.csv", Settings(), AMES.contract, metric)
    assert validate(other.rows, AMES.contract).houses["GrLivArea"][0] == pytest.approx(1614.6, 1e-4)
    result = validate(table.rows, AMES.contract)
    assert result.valid.all()
    assert result.houses.loc[0, ["GrLivArea", "OverallQual"]].tolist() == [1500, 4]
    assert result.houses.loc[0, ["YearBuilt", "BedroomAbvGr"]].isna().all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[columns]\nm = "GrLvArea"', "Did you mean GrLivArea"),
        ("[rows]", r"\[columns\] and \[values\]"),
        ("columns", "can't be read"),
    ],
)
def test_a_wrong_mapping_is_refused(tmp_path, text, message):
    path = tmp_path / "map.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        ColumnMapping.load(path, AMES.contract)


def test_columns_are_suggested_by_name_and_by_contents():
    cells = SIX[["Neighborhood", "GrLivArea", "YearBuilt"]].set_axis(
        ["Bezirk", "GrLivingArea", "x"], axis=1
    )
    cells = pd.concat([cells] * 2).assign(Bezirk=["NAmes", "Gilbert", "StoneBr"] * 4)
    listing = pd.DataFrame({"price": ["200000"], "baths": ["2.5"], "sqft": ["1500"], "zip": ["9"]})
    assert suggest_columns(listing, AMES.contract) == {
        "price": "SalePrice",
        "baths": "FullBath",
        "sqft": "GrLivArea",
        "zip": "",
    }
    assert suggest_columns(cells, AMES.contract) == {
        "Bezirk": "Neighborhood",
        "GrLivingArea": "GrLivArea",
        "x": "",
    }
