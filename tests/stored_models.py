"""Small model versions for tests of the store, and attacks on them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from houseprice.market.sales import Market
from houseprice.model.store.manifest import Manifest
from houseprice.model.store.store import ModelStore, Version
from houseprice.model.valuation import ValuationModel

IMPORTANCE = pd.DataFrame(
    {
        "column": ["size", "NA", "grade"],
        "label": ["Floor area, all", "None", "«Güte»"],
        "importance_pct": [12.345678901234567, 0.1, float("nan")],
    }
)
METRICS = {"rmsle": 0.1, "median_ape": 0.05, "r2": float("nan")}


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.mark,)


def save(store: ModelStore, market: Market, model: object = None) -> Version:
    """Save a version; by default of a model that is not fitted, which takes no time."""
    saved = ValuationModel(market.contract) if model is None else model
    return store.save(saved, market, METRICS, IMPORTANCE)


def manifest_path(store: ModelStore, name: str) -> Path:
    """The manifest of a version."""
    return store.folder / name / "manifest.json"


def rewrite_manifest(store: ModelStore, name: str, **changes: object) -> None:
    """Change a manifest as any user with write access can: with a valid checksum."""
    path = manifest_path(store, name)
    path.write_bytes(Manifest.read(path).model_copy(update=changes).to_json())
