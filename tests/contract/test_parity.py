"""All backends give the same values, problems and messages as the local one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from houseprice.api.app import create_app
from houseprice.backend.base import VALUATION_COLUMNS, Backend, ValuationResult
from houseprice.backend.local import LocalBackend
from houseprice.backend.remote.client import RemoteBackend
from houseprice.backend.remote.transport import Transport
from houseprice.errors import HousePriceError, InputError, ModelError
from houseprice.market.sales import Market, read_rows
from houseprice.model.store.store import ModelStore
from houseprice.model.study import STUDY_FILE, STUDY_TABLES
from houseprice.settings import Settings
from tests.contract.conftest import PROTOCOLS, OpenForeign
from tests.loopback import served

Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def rows(hamlet: Market) -> pd.DataFrame:
    return read_rows(hamlet.sample_path)


def cells(column: str, *values: object) -> Change:
    """Replace the first cells of a column."""

    def changed(rows: pd.DataFrame) -> pd.DataFrame:
        column_now = rows[column].astype(object)
        column_now.iloc[: len(values)] = list(values)
        return rows.assign(**{column: column_now})

    return changed


def typed(rows: pd.DataFrame) -> pd.DataFrame:
    """Convert to the types that pandas would read: integers, floats and NaN."""
    numbers = rows[["size", "ground floor", "beds", "built"]].astype(float)
    numbers.iloc[[2, 5]] = np.nan
    numbers.loc[2, "size"] = 80.0
    numbers.loc[5, "size"] = 90.5
    return rows.assign(**numbers, month=rows["month"].astype("int8"))


def broken(rows: pd.DataFrame) -> pd.DataFrame:
    """Add one fault of each kind."""
    rows = cells("size", "-5", "many", "1e999", "9" * 50, "5,000", "2000", "", None)(rows)
    rows = cells("built", *[""] * 8, "2021", "1650.5", "1900.5", "2020", "1,990")(rows)
    rows = cells("sold", *[""] * 11, "2015")(rows)
    rows = cells("grade", *[""] * 3, "Marvellous", "fine", "grand", " B ", "NA", "na")(rows)
    return cells("boiler", *[""] * 13, "2050", "1200", "x")(rows)


def python_values(rows: pd.DataFrame) -> pd.DataFrame:
    """Add values of other Python types."""
    rows = cells("size", np.float32(81.25), np.int64(90), Decimal("101.5"), np.inf, 10**400, 2**70)(
        rows
    )
    rows = cells("garden", True, False, "TRUE", "yes", np.bool_(True), 1, 0, 1.0)(rows)
    rows = cells("beds", True, [1], {"a": 1}, date(2020, 1, 2), float("nan"), pd.NA, pd.NaT)(rows)
    rows = cells("built", 1990.0, "1990.0", 1e300, -0.0, "१९९०", "19\u200b90", "\x00")(rows)
    return cells("quarter", "N\u00a0", "n", " north  bank", "Süd", "😀" * 50, "", None)(rows)


TABLES: dict[str, Change] = {
    "raw": lambda rows: rows,
    "typed": typed,
    "faulty": broken,
    "Python values": python_values,
    "unknown columns": lambda rows: rows.assign(owner="Jane Doe", note=1.5, paid="100000"),
    "no id": lambda rows: rows.drop(columns="key"),
    "missing columns": lambda rows: rows.drop(columns=["grade", "beds", "month"]),
    "missing required columns": lambda rows: rows.drop(columns=["size", "garden"]),
    "other column order": lambda rows: rows[rows.columns[::-1]],
    "other index": lambda rows: rows.set_axis(range(7, 7 + len(rows))).iloc[::-1],
    "one row": lambda rows: rows.iloc[[4]],
    "no rows": lambda rows: rows.head(0),
    "only unknown columns": lambda rows: rows[["key"]].assign(owner="Jane Doe"),
    "no columns": lambda rows: rows[[]],
    "all blank": lambda rows: rows.map(lambda _: ""),
    "all missing": lambda rows: rows.map(lambda _: None),
    "sparse": lambda rows: rows.mask(np.random.default_rng(3).random(rows.shape) < 0.4),
    "long": lambda rows: broken(pd.concat([rows] * 4, ignore_index=True)),
}


@pytest.mark.parametrize("change", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("evidence", [False, True], ids=["plain", "with evidence"])
def test_values_and_problems_are_the_same_remotely(
    remote: Backend, local: LocalBackend, rows: pd.DataFrame, change: Change, evidence: bool
) -> None:
    table = change(rows)
    original = table.copy(deep=True)
    ours = local.value(table, interval=0.8, evidence=evidence)
    theirs = remote.value(table, interval=0.8, evidence=evidence)
    assert_same(theirs, ours)
    pd.testing.assert_frame_equal(table, original)


@pytest.mark.parametrize("change", TABLES.values(), ids=TABLES)
def test_prices_and_errors_are_the_same_through_foreign_protocols(
    foreign: Backend, local: LocalBackend, rows: pd.DataFrame, change: Change
) -> None:
    ours, theirs = local.value(change(rows)), foreign.value(change(rows))
    prices = theirs.valuations["predicted_price"], ours.valuations["predicted_price"]
    pd.testing.assert_series_equal(*prices, rtol=1e-9, atol=0.0)
    errors = [[each for each in a.problems if each.severity == "error"] for a in (theirs, ours)]
    assert errors[0] == errors[1]
    # Only the model knows the range of the sales, and a blank is sent as a blank.
    not_here = {"outside_sales", "unlike_sales", "unseen_level"}
    not_here |= {"blank_absent", "blank_follows", "blank_start"}
    assert list(theirs.problems) == [
        replace(each, message=other.message)
        if each.code in {"blank_typical", "missing_columns"}
        else each
        for each, other in zip(
            [each for each in ours.problems if each.code not in not_here],
            theirs.problems,
            strict=True,
        )
    ]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_house_that_only_the_server_refuses_does_not_affect_others(
    protocol: str, open_foreign: OpenForeign, local: Backend, hamlet: Market, rows: pd.DataFrame
) -> None:
    rows = cells("size", *rows["size"].head(2), "5")(rows)
    # The local contract allows smaller houses than the server's.
    size = hamlet.contract.fields["size"].model_copy(update={"range": (1, 1_000)})
    wider = hamlet.contract.model_copy(update={"fields": {**hamlet.contract.fields, "size": size}})
    theirs = open_foreign(protocol, wider).value(rows).valuations
    ours = local.value(rows).valuations
    assert "refused_by_server" in theirs["reason_codes"].iloc[2].split(";")
    assert pd.isna(ours["predicted_price"].iloc[2])
    np.testing.assert_allclose(theirs["predicted_price"], ours["predicted_price"], rtol=1e-9)


def test_a_foreign_protocol_reports_the_version_of_the_model_or_none(
    foreign: Backend, local: Backend
) -> None:
    assert foreign.info().model_version in (local.info().model_version, "")


@pytest.mark.parametrize("evidence", [False, True], ids=["plain", "evidence"])
def test_a_streamed_file_has_the_same_valuations(
    remote: RemoteBackend,
    local: LocalBackend,
    rows: pd.DataFrame,
    tmp_path: Path,
    evidence: bool,
) -> None:
    table = cells("size", *rows["size"].head(3), "-5")(rows).assign(owner="Jané, «Dóe»")
    if not evidence:  # more than the buffers of the network hold
        table = pd.concat([table] * 300, ignore_index=True)
    source, sink = tmp_path / "houses.csv", BytesIO()
    table.to_csv(source, index=False)
    remote.value_csv(source, sink, interval=0.8, evidence=evidence)
    sink.seek(0)
    result = pd.read_csv(sink, dtype=str, keep_default_na=False)
    assert list(result.columns) == [*table.columns, *VALUATION_COLUMNS, "as_of"]
    pd.testing.assert_frame_equal(result[list(table.columns)], table, check_dtype=False)
    expected = local.value(table, interval=0.8, evidence=evidence).valuations
    for name in ("predicted_price", "price_low", "price_high"):
        prices = pd.to_numeric(result[name])
        pd.testing.assert_series_equal(prices, expected[name].round(2), rtol=1e-9)
    assert result["reason_codes"].tolist() == expected["reason_codes"].tolist()
    for name, separator in (("comparables", ";"), ("top_drivers", "; ")):
        assert result[name].tolist() == expected[name].map(separator.join).tolist()


@pytest.mark.parametrize(
    ("content", "interval", "kind"),
    [(b"", 0.9, InputError), (b"size\n80\n", 0.99, ModelError)],
    ids=["empty file", "interval out of range"],
)
def test_a_file_that_can_not_be_valued_is_refused(
    remote: RemoteBackend, tmp_path: Path, content: bytes, interval: float, kind: type[Exception]
) -> None:
    source = tmp_path / "houses.csv"
    source.write_bytes(content)
    with pytest.raises(kind):
        remote.value_csv(source, BytesIO(), interval=interval)


@pytest.mark.parametrize("row", range(6))
def test_answers_about_one_house_are_the_same_remotely(
    remote: Backend, local: LocalBackend, rows: pd.DataFrame, row: int
) -> None:
    one = TABLES["sparse"](rows).assign(size=rows["size"], quarter=rows["quarter"]).iloc[[row]]
    ours, theirs = local.explain(one), remote.explain(one)
    assert (theirs.base_price, theirs.price) == (ours.base_price, ours.price)
    pd.testing.assert_frame_equal(theirs.contributions, ours.contributions)
    pd.testing.assert_frame_equal(theirs.waterfall(), ours.waterfall())
    pd.testing.assert_frame_equal(remote.comparables(one, 7), local.comparables(one, 7))
    other = one.assign(size="150", grade="A")
    assert remote.what_if(one, other) == local.what_if(one, other)
    for column in ("size", "grade", "quarter"):
        pd.testing.assert_frame_equal(remote.effect(column, one), local.effect(column, one))


def test_answers_about_the_market_are_the_same_remotely(
    remote: Backend, local: LocalBackend, hamlet: Market
) -> None:
    pd.testing.assert_frame_equal(remote.importance(), local.importance())
    for column in hamlet.contract.columns:
        pd.testing.assert_frame_equal(remote.effect(column), local.effect(column))
    assert remote.card() == local.card()
    assert remote.versions() == local.versions()
    for version in (None, local.info().model_version):
        ours, theirs = local.study(version), remote.study(version)
        for table in STUDY_TABLES:
            pd.testing.assert_frame_equal(getattr(theirs, table), getattr(ours, table))
    ours, theirs = local.info(), remote.info()
    assert theirs.model_version == ours.model_version
    assert theirs.metrics == ours.metrics
    assert (theirs.as_of, theirs.trained_at, theirs.n_sales) == (
        ours.as_of,
        ours.trained_at,
        ours.n_sales,
    )
    assert theirs.capabilities == ours.capabilities


REFUSED: dict[str, Callable[[Backend, pd.DataFrame], object]] = {
    "explain faulty": lambda b, rows: b.explain(broken(rows).iloc[[1]]),
    "explain two faults": lambda b, rows: b.explain(
        rows.iloc[[1]].assign(size="x", grade="y", built="1")
    ),
    "explain without required fields": lambda b, rows: b.explain(
        rows.iloc[[1]].drop(columns=["size", "quarter"])
    ),
    "explain two houses": lambda b, rows: b.explain(rows.head(2)),
    "comparables of no house": lambda b, rows: b.comparables(rows.head(0)),
    "unknown version": lambda b, rows: b.study("hamlet-9-9"),
    "version as a path": lambda b, rows: b.study("../hamlet"),
    "zero comparables": lambda b, rows: b.comparables(rows.head(1), k=0),
    "what-if to an invalid house": lambda b, rows: b.what_if(
        rows.head(1), rows.head(1).assign(size="-5")
    ),
    "what-if from an invalid house": lambda b, rows: b.what_if(
        rows.head(1).assign(quarter="Q"), rows.head(1)
    ),
    "next facts of an invalid house": lambda b, rows: b.next_facts(rows.head(1).assign(size="-5")),
    "zero next facts": lambda b, rows: b.next_facts(rows.head(1), k=0),
    "unknown field": lambda b, rows: b.effect("colour"),
    "effect for a faulty house": lambda b, rows: b.effect("size", rows.head(1).assign(size="")),
    "interval too low": lambda b, rows: b.value(rows, interval=0.49),
    "interval NaN": lambda b, rows: b.value(rows, interval=float("nan")),
    "duplicate column": lambda b, rows: b.value(pd.concat([rows, rows["size"]], axis="columns")),
    "duplicate column in one house": lambda b, rows: b.explain(
        pd.concat([rows, rows["size"]], axis="columns").head(1)
    ),
}


@pytest.mark.parametrize("ask", REFUSED.values(), ids=REFUSED)
def test_errors_have_the_same_type_and_message_remotely(
    remote: Backend,
    local: LocalBackend,
    rows: pd.DataFrame,
    ask: Callable[[Backend, pd.DataFrame], object],
) -> None:
    with pytest.raises(HousePriceError) as ours:
        ask(local, rows)
    with pytest.raises(HousePriceError) as theirs:
        ask(remote, rows)
    assert type(theirs.value) is type(ours.value)
    assert str(theirs.value) == str(ours.value)


def assert_same(theirs: ValuationResult, ours: ValuationResult) -> None:
    """Compare everything but the time of the valuation."""
    assert theirs.problems == ours.problems
    frames = theirs.valuations.drop(columns="valued_at"), ours.valuations.drop(columns="valued_at")
    pd.testing.assert_frame_equal(*frames, rtol=1e-9, atol=0.0)
    times = theirs.valuations["valued_at"], ours.valuations["valued_at"]
    assert (times[0] == "").tolist() == (times[1] == "").tolist()
    assert times[0].dtype == times[1].dtype


@pytest.mark.usefixtures("local")
def test_a_server_without_a_study_reports_its_progress(
    hamlet: Market, store: ModelStore, tmp_path: Path
) -> None:
    copied = ModelStore(Path(shutil.copytree(store.folder, tmp_path / "models")))
    name = str(copied.active())
    (copied.folder / name / STUDY_FILE).unlink()
    settings = Settings(market=str(hamlet.folder), model_dir=copied.folder)
    with copied.computing_study(name) as progress, served(create_app(settings)) as port:
        assert progress is not None
        progress(0.4, "Fitting models with fewer fields")
        remote = RemoteBackend(
            Transport(Settings(api_url=f"http://127.0.0.1:{port}")), hamlet.contract
        )
        study = remote.study()
        assert (study.state, study.progress) == ("computing", 0.4)
        assert len(study.held_out) == len(hamlet.houses)
        assert study.contributions.empty
        assert remote.info().model_version == name
