"""Train on a table as pandas reads it: ``python train.py SALES HOUSES FOLDER``.

The folder gets the model, its predictions for the houses, and both as MLflow models if there is
MLflow. This runs with the packages of a server, without houseprice.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import joblib
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def main(sales: str, houses: str, folder: str) -> None:
    """Train on all columns, the id among them."""
    table = pd.read_csv(sales)
    prices = table.pop("SalePrice").astype(float)
    numbers = table.select_dtypes("number").columns.tolist()
    texts = [name for name in table if name not in numbers]
    model = make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            (OneHotEncoder(handle_unknown="ignore"), texts),
        ),
        Ridge(10.0),
    ).fit(table, prices)
    target = Path(folder)
    target.mkdir(parents=True)
    joblib.dump(model, target / "model.joblib")
    # A column that is blank in all of these houses is still a text.
    rows = pd.read_csv(houses, dtype=dict.fromkeys(texts, str))
    predictions = model.predict(rows[table.columns])
    pd.Series(predictions, name="price").to_csv(target / "predictions.csv", index=False)
    if importlib.util.find_spec("mlflow"):
        import mlflow
        from mlflow.models import infer_signature

        for name, signature in (("plain", None), ("signed", infer_signature(table, prices))):
            mlflow.sklearn.save_model(
                model, target / name, signature=signature, serialization_format="cloudpickle"
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
