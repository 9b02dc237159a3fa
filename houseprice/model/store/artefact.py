"""One stored version: its files, checked before the model among them is opened.

The checksum proves that a file is what was saved, not who saved it: a joblib file can run any code
when it is opened, and whoever may write to the folder could write a checksum too. So a store is
made for its owner only. Keep it so, and open no store of a stranger, unless its versions are signed
(:mod:`houseprice.model.store.signing`).

Golden rows: a few houses with the prices that a model gave them when it was saved.

A model that is opened elsewhere, or asked over a network, must say the same of them. So a checksum
proves the bytes, and these prove what comes out.
"""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

import houseprice
from houseprice.errors import StoreError
from houseprice.market.sales import Market, read_rows
from houseprice.market.validation import validate
from houseprice.model.card import CARD_JSON, CARD_MARKDOWN, Card, build_card, card_data
from houseprice.model.report import Report
from houseprice.model.store.manifest import (
    Manifest,
    code_sha256,
    data_sha256,
    file_facts,
    installed_libraries,
)
from houseprice.model.store.signing import Keys
from houseprice.model.store.versions import MANIFEST_FILE, version_name
from houseprice.model.study import STUDY_FILE, Study
from houseprice.model.valuation import ValuationModel

__all__ = [
    "GOLDEN_FILE",
    "NO_GOLDEN_ROWS",
    "GoldenRows",
    "LoadedModel",
    "build_manifest",
    "load",
    "read_file",
    "serialize",
    "verify_files",
    "verify_signature",
]

GOLDEN_FILE = "golden.json"
TOLERANCE = 1e-9
"""How far a price may be off, in shares of it: the last digits differ between processors."""


@dataclass(frozen=True)
class GoldenRows:
    """Raw rows, as a client would send them, and what they are worth.

    Attributes
    ----------
    rows : tuple of dict of str to str
        By column of the contract.
    prices : tuple of float
        Unrounded.
    """

    rows: tuple[dict[str, str], ...]
    prices: tuple[float, ...]

    @classmethod
    def from_model(cls, model: ValuationModel, market: Market) -> GoldenRows:
        """Value the first, the middle and the last sale of a market."""
        places = np.unique(np.linspace(0, len(market.houses) - 1, 3).astype(np.intp))
        sold = read_rows(market.sales_path).iloc[places]
        rows = sold[[name for name in market.contract.columns if name in sold.columns]]
        records = [{str(name): text for name, text in row.items()} for _, row in rows.iterrows()]
        return cls(tuple(records), _prices(model, rows))

    def check(self, model: ValuationModel, version: str) -> None:
        """Refuse a model that does not say the same again.

        Raises
        ------
        StoreError
        """
        if not self.rows:
            return
        prices = _prices(model, self.frame)
        if not np.allclose(prices, self.prices, rtol=TOLERANCE, atol=0.0):
            raise StoreError(
                f"Model version {version} gives other prices here than when it was saved. "
                "Train a new one: houseprice train."
            )

    @property
    def frame(self) -> pd.DataFrame:
        """The rows as a table, to be checked and valued."""
        return pd.DataFrame(list(self.rows), dtype=str)

    def to_json(self) -> bytes:
        """Write rows and prices."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False, allow_nan=False).encode()

    @classmethod
    def read(cls, data: bytes) -> GoldenRows:
        """Read what :meth:`to_json` wrote."""
        facts = json.loads(data)
        return cls(tuple(facts["rows"]), tuple(facts["prices"]))


NO_GOLDEN_ROWS = GoldenRows((), ())
"""Of a model that nothing is known of."""


def _prices(model: ValuationModel, rows: pd.DataFrame) -> tuple[float, ...]:
    houses = validate(rows.reset_index(drop=True), model.contract).houses
    return tuple(model.predict(houses).tolist())


Files = dict[str, bytes]

MODEL, IMPORTANCE = "model.joblib", "importance.csv"

# What unpickling raises on an artefact that other classes wrote; anything else is a fault of ours.
_UNREADABLE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
)


@dataclass(frozen=True)
class LoadedModel:
    """A model that passed every check, with all that was stored beside it."""

    model: ValuationModel
    manifest: Manifest
    importance: pd.DataFrame
    card: Card
    golden: GoldenRows
    study: Study


def serialize(
    model: ValuationModel,
    market: Market,
    metrics: Mapping[str, float],
    importance: pd.DataFrame,
    report: Report | None,
    golden: GoldenRows,
) -> tuple[Files, dict[str, Any]]:
    """Return the files of a version that do not bear its name, and the facts of its card."""
    artefact = io.BytesIO()
    joblib.dump(model, artefact)
    table = importance.to_csv(index=False, lineterminator="\n").encode()
    card = card_data(model, market, metrics, importance, report)
    files = {MODEL: artefact.getvalue(), IMPORTANCE: table, GOLDEN_FILE: golden.to_json()}
    return files, card


def build_manifest(
    market: Market,
    metrics: Mapping[str, float],
    files: Files,
    number: int,
    card: Mapping[str, Any],
    keys: Keys,
) -> tuple[Manifest, Files]:
    """Write the manifest and the card of a version made here and now.

    Parameters
    ----------
    market : Market
    metrics : mapping of str to float
    files : dict of str to bytes
        What :func:`packed` gave.
    number : int
        Of the version.
    card : mapping
        What :func:`packed` gave.
    keys : Keys
    """
    summary = market.contract.market
    manifest = Manifest(
        model_version=version_name(summary.name, number),
        package_version=houseprice.__version__,
        code_sha256=code_sha256(),
        libraries=installed_libraries(),
        market_name=summary.name,
        market_title=summary.title,
        contract_sha256=market.contract.sha256,
        data_sha256=data_sha256(market),
        as_of=summary.as_of,
        rows=len(market.houses),
        metrics={name: float(value) for name, value in metrics.items() if isfinite(value)},
        created_at=datetime.now(UTC),
        files={name: file_facts(data) for name, data in files.items()},
        signing_key=keys.signing_id,
    )
    named = build_card(card, manifest).files()
    every = manifest.files | {name: file_facts(data) for name, data in named.items()}
    return manifest.model_copy(update={"files": every}).signed(keys), named


def verify_signature(folder: Path, keys: Keys) -> Manifest:
    """Read a version's manifest, and check who signed it.

    Raises
    ------
    StoreError
        If it is missing, changed, or not signed by anybody whom we trust.
    """
    manifest = Manifest.read(folder / MANIFEST_FILE)
    manifest.check_signature(keys)
    return manifest


def verify_files(folder: Path, keys: Keys) -> tuple[Manifest, Files]:
    """Read a version's files, once, and check what was read.

    Raises
    ------
    StoreError
        If anything is missing, changed, not signed as it should be, or made by other versions of
        the software.
    """
    manifest = verify_signature(folder, keys)
    manifest.check_versions()
    names = (MODEL, IMPORTANCE, GOLDEN_FILE, STUDY_FILE, CARD_JSON, CARD_MARKDOWN)
    return manifest, {name: _checked(folder, name, manifest) for name in names}


def read_file(folder: Path, name: str, keys: Keys) -> bytes:
    """Read one file of a version, which is the one that was saved.

    Raises
    ------
    StoreError
        If it is missing, changed, or not signed as it should be.
    """
    return _checked(folder, name, verify_signature(folder, keys))


def load(manifest: Manifest, files: Files) -> LoadedModel:
    """Open the files of a version that passed :func:`verified`.

    Raises
    ------
    StoreError
        If they hold no model of this package, or one that values the golden rows otherwise.
    """
    try:
        model = joblib.load(io.BytesIO(files[MODEL]))
    except _UNREADABLE as error:
        raise StoreError(
            f"The model of version {manifest.model_version} can't be opened ({error}). "
            "Train a new one: houseprice train."
        ) from error
    if not isinstance(model, ValuationModel):
        raise StoreError(
            f"Version {manifest.model_version} holds no valuation model. "
            "Train a new one: houseprice train."
        )
    golden = GoldenRows.read(files[GOLDEN_FILE])
    golden.check(model, manifest.model_version)
    table = io.BytesIO(files[IMPORTANCE])
    importance = pd.read_csv(table, keep_default_na=False, na_values=[""])
    study = Study.from_json(files[STUDY_FILE])
    return LoadedModel(model, manifest, importance, Card.from_files(files), golden, study)


def _checked(folder: Path, name: str, manifest: Manifest) -> bytes:
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise StoreError(
            f"{name} of model version {folder.name} can't be read ({error.strerror}). "
            "Train a new one: houseprice train."
        ) from None
    manifest.check_file(name, data)
    return data
