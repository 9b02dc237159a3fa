"""A houseprice model as an MLflow model; the MLflow server runs this file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd

from houseprice.backend.local import LocalBackend
from houseprice.market.sales import load_market
from houseprice.model.store.store import ModelStore


class Houses(mlflow.pyfunc.PythonModel):
    """Predicts prices of raw rows, None for invalid rows."""

    def load_context(self, context: Any) -> None:
        market = load_market(context.artifacts["market"])
        store = ModelStore(Path(context.artifacts["models"]))
        self._backend = LocalBackend(store.load(contract=market.contract), market)

    def predict(self, model_input: pd.DataFrame) -> list[float | None]:
        prices = self._backend.value(model_input).valuations["predicted_price"]
        return [None if pd.isna(price) else price for price in prices]


mlflow.models.set_model(Houses())
