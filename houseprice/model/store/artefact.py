"""The files of a stored version, verified before the model among them is loaded.

A checksum proves that a file is what was saved, not who saved it: loading a joblib file can run any
code, and a user with write access to the folder can write a checksum too. So a store is created
for its owner only. Load no store of an unknown origin unless its versions are signed
(:mod:`houseprice.model.store.signing`).
"""

from __future__ import annotations

import io
import json
import logging
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
from houseprice.files import read_regular
from houseprice.market.sales import Market
from houseprice.market.validation import validate
from houseprice.model.card import CARD_JSON, CARD_MARKDOWN, Card, build_card, card_data
from houseprice.model.report import Report
from houseprice.model.store.manifest import (
    RETRAIN,
    Manifest,
    code_sha256,
    data_sha256,
    file_entry,
    installed_libraries,
)
from houseprice.model.store.signing import Keys
from houseprice.model.store.versions import MANIFEST_FILE, version_name
from houseprice.model.study import HELD_OUT_FILE, STUDY_FILE, Study
from houseprice.model.valuation import ValuationModel

Files = dict[str, bytes]

logger = logging.getLogger(__name__)

MODEL_FILE, IMPORTANCE_FILE, GOLDEN_FILE = "model.joblib", "importance.csv", "golden.json"

_TOLERANCE = 1e-9
"""Accepted relative difference of a golden price: the last digits differ between processors."""

# What unpickling raises on a file that other classes wrote; any other error is a bug of ours.
_UNPICKLING_ERRORS = (
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
class GoldenRows:
    """Raw rows, as a client sends them, with the unrounded prices that the saved model predicts.

    A checksum proves the bytes of a model; golden rows prove its predictions, also on another
    computer or over a network.
    """

    rows: tuple[dict[str, str], ...]
    prices: tuple[float, ...]

    @classmethod
    def from_model(cls, model: ValuationModel, market: Market) -> GoldenRows:
        """Value the first, the middle and the last sale of a market."""
        positions = np.unique(np.linspace(0, len(market.houses) - 1, 3).astype(np.intp))
        fields = market.contract.fields
        records = tuple(
            {name: field.code(house[name]) or "unknown" for name, field in fields.items()}
            for house in market.houses.iloc[positions].to_dict("records")
        )
        return cls(records, _predict(model, pd.DataFrame(records, dtype=str)))

    def check(self, model: ValuationModel, version: str) -> None:
        """Raise a StoreError if a model predicts other prices."""
        if not self.rows:
            return
        prices = _predict(model, self.frame)
        if not np.allclose(prices, self.prices, rtol=_TOLERANCE, atol=0.0):
            raise StoreError(
                f"Model version {version} predicts other prices here than when it was saved. "
                f"{RETRAIN}"
            )

    @property
    def frame(self) -> pd.DataFrame:
        """The rows as a table of text."""
        return pd.DataFrame(list(self.rows), dtype=str)

    def to_json(self) -> bytes:
        """Serialize rows and prices."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False, allow_nan=False).encode()

    @classmethod
    def from_json(cls, text: bytes) -> GoldenRows:
        """Read what :meth:`to_json` wrote."""
        data = json.loads(text)
        return cls(tuple(data["rows"]), tuple(data["prices"]))


NO_GOLDEN_ROWS = GoldenRows((), ())


def _predict(model: ValuationModel, rows: pd.DataFrame) -> tuple[float, ...]:
    houses = validate(rows.reset_index(drop=True), model.contract, model.domain_).houses
    return tuple(model.predict(houses).tolist())


@dataclass(frozen=True)
class LoadedModel:
    """A model that passed every check, with all that was stored with it."""

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
    study: Study,
) -> tuple[Files, dict[str, Any]]:
    """Return the files of a version that do not depend on its name, and the data of its card."""
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    table = importance.to_csv(index=False, lineterminator="\n").encode()
    files = {MODEL_FILE: buffer.getvalue(), IMPORTANCE_FILE: table, GOLDEN_FILE: golden.to_json()}
    return files | study.files(), card_data(model, market, metrics, importance, report)


def build_manifest(
    market: Market,
    metrics: Mapping[str, float],
    files: Files,
    number: int,
    card: Mapping[str, Any],
    keys: Keys,
    *,
    preliminary: bool = False,
) -> tuple[Manifest, Files]:
    """Return the manifest of a new version with a number, and the files of its card."""
    metadata = market.contract.market
    manifest = Manifest(
        model_version=version_name(metadata.name, number),
        package_version=houseprice.__version__,
        code_sha256=code_sha256(),
        libraries=installed_libraries(),
        market_name=metadata.name,
        market_title=metadata.title,
        contract_sha256=market.contract.sha256,
        data_sha256=data_sha256(market),
        as_of=metadata.as_of,
        rows=len(market.houses),
        preliminary=preliminary,
        metrics={name: float(value) for name, value in metrics.items() if isfinite(value)},
        created_at=datetime.now(UTC),
        files={name: file_entry(data) for name, data in files.items()},
        signing_key=keys.signing_id,
    )
    card_files = build_card(card, manifest).files()
    entries = manifest.files | {name: file_entry(data) for name, data in card_files.items()}
    return manifest.model_copy(update={"files": entries}).signed(keys), card_files


def verify_signature(folder: Path, keys: Keys) -> Manifest:
    """Read the manifest of a version and check its signature."""
    manifest = Manifest.read(folder / MANIFEST_FILE)
    manifest.check_signature(keys)
    return manifest


def verify_files(folder: Path, keys: Keys) -> tuple[Manifest, Files]:
    """Read the files of a version once; check signature, software versions and what was read."""
    manifest = verify_signature(folder, keys)
    manifest.check_versions()
    names = (MODEL_FILE, IMPORTANCE_FILE, GOLDEN_FILE, CARD_JSON, CARD_MARKDOWN)
    files = {name: _read_checked(folder, name, manifest) for name in names}
    return manifest, files | study_files(folder, manifest)


def study_files(folder: Path, manifest: Manifest) -> Files:
    """Read the files of a study; what was computed after the training may be missing or damaged."""
    files = {HELD_OUT_FILE: _read_checked(folder, HELD_OUT_FILE, manifest)}
    if STUDY_FILE in manifest.files:
        try:
            files[STUDY_FILE] = _read_checked(folder, STUDY_FILE, manifest)
        except StoreError as error:
            logger.warning("the study will be computed again: %s", error)
    return files


def _read_checked(folder: Path, name: str, manifest: Manifest) -> bytes:
    try:
        data = read_regular(folder / name)
    except OSError as error:
        raise StoreError(
            f"{name} of model version {folder.name} can't be read ({error.strerror}). {RETRAIN}"
        ) from None
    manifest.check_file(name, data)
    return data


def load(manifest: Manifest, files: Files) -> LoadedModel:
    """Load the files of a version that passed :func:`verify_files`, and check the golden rows."""
    try:
        model = joblib.load(io.BytesIO(files[MODEL_FILE]))
    except _UNPICKLING_ERRORS as error:
        raise StoreError(
            f"The model of version {manifest.model_version} can't be loaded ({error}). {RETRAIN}"
        ) from error
    if not isinstance(model, ValuationModel):
        raise StoreError(
            f"Version {manifest.model_version} does not contain a valuation model. {RETRAIN}"
        )
    golden = GoldenRows.from_json(files[GOLDEN_FILE])
    golden.check(model, manifest.model_version)
    table = io.BytesIO(files[IMPORTANCE_FILE])
    importance = pd.read_csv(table, keep_default_na=False, na_values=[""])
    study = Study.from_files(files)
    return LoadedModel(model, manifest, importance, Card.from_files(files), golden, study)
