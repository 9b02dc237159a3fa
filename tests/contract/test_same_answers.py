"""Every backend says what the one in this process says: the same values, problems and words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from houseprice.backend.base import Backend, ValuationResult
from houseprice.backend.local import LocalBackend
from houseprice.errors import HousePriceError
from houseprice.market.sales import Market, read_rows
from houseprice.model.study import STUDY_TABLES

Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def rows(hamlet: Market) -> pd.DataFrame:
    return read_rows(hamlet.sample_path)


def cells(column: str, *values: object) -> Change:
    """Put values into the first cells of a column."""

    def changed(rows: pd.DataFrame) -> pd.DataFrame:
        column_now = rows[column].astype(object)
        column_now.iloc[: len(values)] = list(values)
        return rows.assign(**{column: column_now})

    return changed


def typed(rows: pd.DataFrame) -> pd.DataFrame:
    """As pandas would have read the file: whole numbers, fractions, and NaN for what is blank."""
    numbers = rows[["size", "ground floor", "beds", "built"]].astype(float)
    numbers.iloc[[2, 5]] = np.nan
    numbers.loc[2, "size"] = 80.0
    numbers.loc[5, "size"] = 90.5
    return rows.assign(**numbers, month=rows["month"].astype("int8"))


def broken(rows: pd.DataFrame) -> pd.DataFrame:
    """One fault of each kind."""
    rows = cells("size", "-5", "many", "1e999", "9" * 50, "5,000", "2000", "", None)(rows)
    rows = cells("built", *[""] * 8, "2021", "1650.5", "1900.5", "2020", "1,990")(rows)
    rows = cells("sold", *[""] * 11, "2015")(rows)
    rows = cells("grade", *[""] * 3, "Marvellous", "fine", "grand", " B ", "NA", "na")(rows)
    return cells("boiler", *[""] * 13, "2050", "1200", "x")(rows)


def odd(rows: pd.DataFrame) -> pd.DataFrame:
    """What no file holds, but a program may."""
    rows = cells("size", np.float32(81.25), np.int64(90), Decimal("101.5"), np.inf, 10**400, 2**70)(
        rows
    )
    rows = cells("garden", True, False, "TRUE", "yes", np.bool_(True), 1, 0, 1.0)(rows)
    rows = cells("beds", True, [1], {"a": 1}, date(2020, 1, 2), float("nan"), pd.NA, pd.NaT)(rows)
    rows = cells("built", 1990.0, "1990.0", 1e300, -0.0, "१९९०", "19\u200b90", "\x00")(rows)
    return cells("quarter", "N\u00a0", "n", " north  bank", "Süd", "😀" * 50, "", None)(rows)


TABLES: dict[str, Change] = {
    "as they came": lambda rows: rows,
    "with types": typed,
    "with faults": broken,
    "of a program": odd,
    "with strangers": lambda rows: rows.assign(owner="Jane Doe", note=1.5, paid="100000"),
    "without a key": lambda rows: rows.drop(columns="key"),
    "without some columns": lambda rows: rows.drop(columns=["grade", "beds", "month"]),
    "without what is needed": lambda rows: rows.drop(columns=["size", "garden"]),
    "with columns in another order": lambda rows: rows[rows.columns[::-1]],
    "with another index": lambda rows: rows.set_axis(range(7, 7 + len(rows))).iloc[::-1],
    "with one row": lambda rows: rows.iloc[[4]],
    "with no row": lambda rows: rows.head(0),
    "with nothing but strangers": lambda rows: rows[["key"]].assign(owner="Jane Doe"),
    "with no column": lambda rows: rows[[]],
    "all blank": lambda rows: rows.map(lambda _: ""),
    "all missing": lambda rows: rows.map(lambda _: None),
    "sparse": lambda rows: rows.mask(np.random.default_rng(3).random(rows.shape) < 0.4),
    "long": lambda rows: broken(pd.concat([rows] * 4, ignore_index=True)),
}


@pytest.mark.parametrize("change", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("evidence", [False, True], ids=["plain", "with evidence"])
def test_values_problems_and_words_are_the_same(
    remote: Backend, here: LocalBackend, rows: pd.DataFrame, change: Change, evidence: bool
) -> None:
    table = change(rows)
    kept = table.copy(deep=True)
    ours = here.value(table, interval=0.8, evidence=evidence)
    theirs = remote.value(table, interval=0.8, evidence=evidence)
    assert_same(theirs, ours)
    pd.testing.assert_frame_equal(table, kept)


@pytest.mark.parametrize("change", TABLES.values(), ids=TABLES)
def test_prices_and_errors_are_the_same_through_any_door(
    door: Backend, here: LocalBackend, rows: pd.DataFrame, change: Change
) -> None:
    ours, theirs = here.value(change(rows)), door.value(change(rows))
    prices = theirs.valuations["predicted_price"], ours.valuations["predicted_price"]
    pd.testing.assert_series_equal(*prices, rtol=1e-9, atol=0.0)
    errors = [[each for each in a.problems if each.severity == "error"] for a in (theirs, ours)]
    assert errors[0] == errors[1]
    # What the sales covered is only known beside the model.
    unknown = {"outside_sales", "unseen_level"}
    said = [each for each in ours.problems if each.code not in unknown]
    assert list(theirs.problems) == said


@pytest.mark.parametrize("row", range(6))
def test_what_is_told_of_one_house_is_the_same(
    remote: Backend, here: LocalBackend, rows: pd.DataFrame, row: int
) -> None:
    one = TABLES["sparse"](rows).assign(size=rows["size"], quarter=rows["quarter"]).iloc[[row]]
    ours, theirs = here.explain(one), remote.explain(one)
    assert (theirs.base_price, theirs.price) == (ours.base_price, ours.price)
    pd.testing.assert_frame_equal(theirs.contributions, ours.contributions)
    pd.testing.assert_frame_equal(theirs.waterfall(), ours.waterfall())
    pd.testing.assert_frame_equal(remote.comparables(one, 7), here.comparables(one, 7))
    other = one.assign(size="150", grade="A")
    assert remote.what_if(one, other) == here.what_if(one, other)
    for column in ("size", "grade", "quarter"):
        pd.testing.assert_frame_equal(remote.effect(column, one), here.effect(column, one))


def test_what_is_told_of_the_market_is_the_same(
    remote: Backend, here: LocalBackend, hamlet: Market
) -> None:
    pd.testing.assert_frame_equal(remote.importance(), here.importance())
    for column in hamlet.contract.columns:
        pd.testing.assert_frame_equal(remote.effect(column), here.effect(column))
    assert remote.card() == here.card()
    assert remote.versions() == here.versions()
    for version in (None, here.info().model_version):
        ours, theirs = here.study(version), remote.study(version)
        for table in STUDY_TABLES:
            pd.testing.assert_frame_equal(getattr(theirs, table), getattr(ours, table))
    ours, theirs = here.info(), remote.info()
    assert theirs.model_version == ours.model_version
    assert theirs.metrics == ours.metrics
    assert (theirs.as_of, theirs.trained_at, theirs.n_sales) == (
        ours.as_of,
        ours.trained_at,
        ours.n_sales,
    )
    assert theirs.capabilities == ours.capabilities


REFUSED: dict[str, Callable[[Backend, pd.DataFrame], object]] = {
    "an explanation of a broken house": lambda b, rows: b.explain(broken(rows).iloc[[1]]),
    "an explanation of a house with two faults": lambda b, rows: b.explain(
        rows.iloc[[1]].assign(size="x", grade="y", built="1")
    ),
    "an explanation without what is needed": lambda b, rows: b.explain(
        rows.iloc[[1]].drop(columns=["size", "quarter"])
    ),
    "an explanation of two houses": lambda b, rows: b.explain(rows.head(2)),
    "comparables of no house": lambda b, rows: b.comparables(rows.head(0)),
    "the study of no version": lambda b, rows: b.study("hamlet-9-9"),
    "the study of a path": lambda b, rows: b.study("../hamlet"),
    "no comparables": lambda b, rows: b.comparables(rows.head(1), k=0),
    "a change to what can't be": lambda b, rows: b.what_if(
        rows.head(1), rows.head(1).assign(size="-5")
    ),
    "a change of what can't be": lambda b, rows: b.what_if(
        rows.head(1).assign(quarter="Q"), rows.head(1)
    ),
    "the effect of no field": lambda b, rows: b.effect("colour"),
    "the effect on a broken house": lambda b, rows: b.effect("size", rows.head(1).assign(size="")),
    "a level too low": lambda b, rows: b.value(rows, interval=0.49),
    "a level that is none": lambda b, rows: b.value(rows, interval=float("nan")),
    "two columns of one name": lambda b, rows: b.value(
        pd.concat([rows, rows["size"]], axis="columns")
    ),
    "two columns of one name in one house": lambda b, rows: b.explain(
        pd.concat([rows, rows["size"]], axis="columns").head(1)
    ),
}


@pytest.mark.parametrize("ask", REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_refused_in_the_same_words(
    remote: Backend,
    here: LocalBackend,
    rows: pd.DataFrame,
    ask: Callable[[Backend, pd.DataFrame], object],
) -> None:
    with pytest.raises(HousePriceError) as ours:
        ask(here, rows)
    with pytest.raises(HousePriceError) as theirs:
        ask(remote, rows)
    assert type(theirs.value) is type(ours.value)
    assert str(theirs.value) == str(ours.value)


def assert_same(theirs: ValuationResult, ours: ValuationResult) -> None:
    """All but the second at which it was said."""
    assert theirs.problems == ours.problems
    said = theirs.valuations.drop(columns="valued_at"), ours.valuations.drop(columns="valued_at")
    pd.testing.assert_frame_equal(*said, rtol=1e-9, atol=0.0)
    written = theirs.valuations["valued_at"], ours.valuations["valued_at"]
    assert (written[0] == "").tolist() == (written[1] == "").tolist()
    assert written[0].dtype == written[1].dtype
