"""What was tried, as data, and beside its story."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from houseprice.errors import MarketError
from houseprice.market.sales import EXPERIMENT_METRICS, Market, load_experiments, load_market
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
    "Price: the members",
    "Price: promised signs",
    "Price: closer to the middle",
    "Range: what learns the difficulty",
    "Range: one quantile or two",
    "Range: what foretells errors",
)


def told_in(page: str) -> pd.DataFrame:
    """The tables of the regressor and of the range in the story, as the file holds them."""
    sections = re.split(r"^## ", page, flags=re.MULTILINE)
    text = "".join(part for part in sections if part.startswith(("The regressor", "The range\n")))
    tables = re.findall(r"^\| (?:tried|difficulty).*\n(?:\|.*\n)+", text, flags=re.MULTILINE)
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


def test_the_file_says_what_the_story_says(root: Path, market: Market) -> None:
    story = told_in((root / "docs" / "experiments.md").read_text(encoding="utf-8"))
    found = load_experiments(market).drop(columns="kept")
    pd.testing.assert_frame_equal(found, story, check_dtype=False)


def test_what_was_kept_is_told_from_the_rest(market: Market) -> None:
    found = load_experiments(market)
    assert set(found.groupby("part")["kept"].any()) == {True}
    assert found.loc[found["verdict"].str.startswith("dropped"), "kept"].sum() == 0


def test_a_market_needs_no_such_file(tmp_path: Path) -> None:
    assert load_experiments(load_market(write_hamlet(tmp_path / "hamlet"))).empty


def test_a_file_that_holds_no_number_where_one_belongs_is_refused(tmp_path: Path) -> None:
    hamlet = load_market(write_hamlet(tmp_path / "hamlet"))
    header = ",".join(["part", "tried", *EXPERIMENT_METRICS, "verdict"])
    (hamlet.folder / "experiments.csv").write_text(f"{header}\nprice,x,good,,,,,,kept\n")
    with pytest.raises(MarketError, match="something else than numbers"):
        load_experiments(hamlet)
    (hamlet.folder / "experiments.csv").write_text("part,tried\nprice,x\n")
    with pytest.raises(MarketError, match="this column is missing"):
        load_experiments(hamlet)
