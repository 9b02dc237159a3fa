"""A file streamed through our server comes back as this process values it."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pandas as pd
import pytest

from houseprice.backend.base import VALUATION_COLUMNS
from houseprice.backend.local import LocalBackend
from houseprice.backend.remote.client import RemoteBackend
from houseprice.errors import InputError, ModelError
from houseprice.market.sales import Market, read_rows


@pytest.fixture(scope="module")
def rows(hamlet: Market) -> pd.DataFrame:
    rows = read_rows(hamlet.sample_path).assign(owner="Jané, «Dóe»")
    rows.loc[3, "size"] = "-5"
    return rows


def test_it_comes_back_whole_and_as_valued_here(
    remote: RemoteBackend, here: LocalBackend, rows: pd.DataFrame, tmp_path: Path
) -> None:
    many = pd.concat([rows] * 300, ignore_index=True)  # more than the network holds on its way
    source, sink = tmp_path / "houses.csv", BytesIO()
    many.to_csv(source, index=False)
    remote.value_csv(source, sink, interval=0.8)
    sink.seek(0)
    back = pd.read_csv(sink, dtype=str, keep_default_na=False)
    assert list(back.columns) == [*many.columns, *VALUATION_COLUMNS]
    pd.testing.assert_frame_equal(back[list(many.columns)], many, check_dtype=False)
    ours = here.value(many, interval=0.8).valuations
    for name in ("predicted_price", "price_low", "price_high"):
        theirs = pd.to_numeric(back[name])
        pd.testing.assert_series_equal(theirs, ours[name].round(2), rtol=1e-9)
    assert back["reason_codes"].tolist() == ours["reason_codes"].tolist()


def test_evidence_comes_where_it_is_asked_for(
    remote: RemoteBackend, here: LocalBackend, rows: pd.DataFrame, tmp_path: Path
) -> None:
    source, sink = tmp_path / "houses.csv", BytesIO()
    rows.to_csv(source, index=False)
    remote.value_csv(source, sink, evidence=True)
    sink.seek(0)
    back = pd.read_csv(sink, dtype=str, keep_default_na=False)
    ours = here.value(rows, evidence=True).valuations
    for name, separator in (("comparables", ";"), ("top_drivers", "; ")):
        assert back[name].tolist() == ours[name].map(separator.join).tolist()


def test_a_file_that_is_no_table_is_refused(remote: RemoteBackend, tmp_path: Path) -> None:
    source = tmp_path / "houses.csv"
    source.write_bytes(b"")
    with pytest.raises(InputError):
        remote.value_csv(source, BytesIO())


def test_a_level_that_nobody_calibrated_is_refused(remote: RemoteBackend, tmp_path: Path) -> None:
    source = tmp_path / "houses.csv"
    source.write_bytes(b"size\n80\n")
    with pytest.raises(ModelError, match="50 % to 95 %"):
        remote.value_csv(source, BytesIO(), interval=0.99)
