"""Reference services for the API benchmark: an empty one, and one as in tutorials.

The second is Flask with a plain pipeline: a typed frame from the rows of the request,
scikit-learn's imputers and one-hot encoder, and one price per row; no interval, validation or
explanation.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from houseprice.market.sales import Market

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["PIPELINE", "empty", "fit_plain_pipeline", "tutorial"]

PIPELINE = "BENCHMARK_PIPELINE"
"""Environment variable with the file of the pipeline and its column types."""

OK = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}


async def empty(scope: dict[str, Any], _: object, send: Any) -> None:  # noqa: ANN401 - ASGI's own
    """Respond with two letters: the lower bound of a Python service."""
    if scope["type"] == "http":
        await send(OK)
        await send({"type": "http.response.body", "body": b"ok"})


def tutorial() -> Flask:
    """Create the tutorial service."""
    from flask import Flask, jsonify, request

    app = Flask("tutorial")
    pipeline, types = joblib.load(os.environ[PIPELINE])

    @app.get("/health")
    def health() -> str:
        return "ok"

    @app.post("/v1/predict/regression")
    def predict() -> Any:  # noqa: ANN401 - Flask's own
        houses = pd.DataFrame(request.get_json(), columns=list(types)).astype(types)
        return jsonify(predictions=np.exp(pipeline.predict(houses)).tolist(), errors=None)

    return app


def fit_plain_pipeline(market: Market, path: Path) -> None:
    """Fit the tutorial pipeline to log prices, and save it with its column types."""
    facts = market.contract.market
    sales = pd.read_csv(market.sales_path)
    houses = sales.drop(columns=[facts.id, facts.price.column])
    numbers = houses.select_dtypes("number").columns
    texts = houses.columns.difference(numbers)
    types = {name: float if name in numbers else object for name in houses.columns}
    fill = SimpleImputer(strategy="constant", fill_value="none", missing_values=None)
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = ColumnTransformer(
        [
            ("numbers", SimpleImputer(strategy="median"), numbers),
            ("texts", make_pipeline(fill, encoder), texts),
        ]
    )
    pipeline: Pipeline = make_pipeline(columns, HistGradientBoostingRegressor(random_state=0))
    houses[texts] = houses[texts].astype(object).where(houses[texts].notna(), None)
    pipeline.fit(houses.astype(types), np.log(sales[facts.price.column]))
    joblib.dump((pipeline, types), path)
