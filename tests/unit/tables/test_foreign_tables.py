"""Tables of another make have the same houses as the plain file."""

import csv
import io
import re

import pandas as pd
import pytest

from houseprice.market.sales import load_market, read_rows
from houseprice.market.validation import validate
from houseprice.settings import Settings
from houseprice.tables.reader import read_table

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
    spellings = ["${}", "{:,} sqft", "{} SF", "{} ft²", "{} sq. ft.", " {} square feet "]
    areas = zip(spellings, rows["LotArea"].astype(int), strict=True)
    return rows.assign(LotArea=[spelling.format(area) for spelling, area in areas])


def _r_names() -> dict[str, str]:
    return {name: f"X{name}" for name in SIX.columns if name[0].isdigit()}


BROUGHT = {
    "separator line": "sep=;\n" + _csv(SIX, ";"),
    "title and empty row": "Valuation list Q3\n\n" + _csv(SIX),
    "title with commas": "List of houses, third quarter,,,\n,,,,,\n" + _csv(SIX),
    "comments": "# exported 2026\n# by me\n" + _csv(SIX),
    "commented header": "# " + _csv(SIX),
    "empty lines": "\n\n\n" + _csv(SIX, "\t"),
    "filled with None": _csv(SIX.replace({"NA": "None", "": "None"})),
    "names of R": _csv(SIX, **_r_names()),
    "dots": _csv(SIX.rename(columns=lambda name: re.sub("(?<=[a-z])(?=[A-Z])", ".", name))),
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
