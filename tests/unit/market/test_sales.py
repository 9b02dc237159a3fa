"""A market folder: experiments, the typical house and form defaults."""

import re

import numpy as np
import pandas as pd
import pytest

from houseprice.errors import MarketError
from houseprice.market.sales import (
    EXPERIMENT_METRICS,
    load_experiments,
    load_market,
    median_values,
    typical_house,
)
from tests.hamlet import write_hamlet

HEADERS = {
    "rmsle": "rmsle",
    "median error": "median_ape",
    "within 10 %": "within_10",
    "coverage": "coverage_90",
    "width": "width_90",
    "winkler": "winkler",
    "verdict": "verdict",
}
PARTS = (
    "Price: members",
    "Price: signs and loss",
    "Interval: difficulty and quantiles",
)


def tables_of(page: str) -> pd.DataFrame:
    """The tables of the members and of the intervals of Ames, as the file holds them."""
    sections = re.split(r"^## ", page, flags=re.MULTILINE)
    text = "".join(part for part in sections if part.startswith("Ames: "))
    tables = re.findall(r"^\| tried.*\n(?:\|.*\n)+", text, flags=re.MULTILINE)
    rows = []
    for part, table in zip(PARTS, tables, strict=True):
        header, _, *lines = (cells(line) for line in table.splitlines())
        names = [HEADERS.get(re.sub(r" \(.*", "", name).lower(), "") for name in header]
        for line in lines:
            row = {"part": part, "tried": line[0].replace("**", ""), "verdict": ""}
            row |= {name: read(name, cell) for name, cell in zip(names, line, strict=True) if name}
            if line[0].startswith("**") and "verdict" not in names:
                row["verdict"] = "kept"
            rows.append(row)
    return pd.DataFrame(rows)[["part", "tried", *EXPERIMENT_METRICS, "verdict"]]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("| \n").split("|")] + [""] * line.endswith("| |")


def read(name: str, cell: str) -> str | float | None:
    """The first figure of a cell: that of the protocol itself."""
    if name == "verdict":
        return cell.replace("**", "")
    found = re.search(r"\d+(?:\.\d+)?", cell)
    if not found:
        return None
    return round(float(found[0]) / (100 if "%" in cell else 1), 6)


def test_the_file_equals_the_tables_of_the_documentation(root, market):
    story = tables_of((root / "docs" / "experiments.md").read_text(encoding="utf-8"))
    found = load_experiments(market).drop(columns="kept")
    pd.testing.assert_frame_equal(found, story, check_dtype=False)


def test_each_part_has_an_experiment_that_was_kept(market):
    found = load_experiments(market)
    assert set(found.groupby("part")["kept"].any()) == {True}
    assert found.loc[found["verdict"].str.startswith("dropped"), "kept"].sum() == 0


def test_the_file_of_experiments_is_optional(tmp_path):
    assert load_experiments(load_market(write_hamlet(tmp_path / "hamlet"))).empty


def test_an_invalid_file_of_experiments_is_an_error(tmp_path):
    hamlet = load_market(write_hamlet(tmp_path / "hamlet"))
    header = ",".join(["part", "tried", *EXPERIMENT_METRICS, "verdict"])
    (hamlet.folder / "experiments.csv").write_text(f"{header}\nprice,x,low,,,,,,kept\n")
    with pytest.raises(MarketError, match="not numbers"):
        load_experiments(hamlet)
    (hamlet.folder / "experiments.csv").write_text("part,tried\nprice,x\n")
    with pytest.raises(MarketError, match="this column is missing"):
        load_experiments(hamlet)


def test_median_values_are_values_of_sales(market):
    values = median_values(market)
    assert list(values.index) == list(market.contract.columns)
    for column, value in values.items():
        assert value in market.houses[column].to_numpy()
    area = market.contract.market.roles.area
    assert abs(values[area] - market.houses[area].median()) < 1


def test_the_typical_house_is_a_sale_with_at_sale_fields_at_their_start(market):
    house = typical_house(market)
    fields = market.contract.fields
    before = [column for column, field in fields.items() if not field.at_sale]
    same = np.isclose(market.houses[before], house[before].to_numpy(float), equal_nan=True)
    assert same.all(axis=1).any()
    for column, field in fields.items():
        if field.at_sale:
            assert house[column] == field.start_value
