"""A model in the server of KServe's package: ``python kserve_house.py MODEL PORT``."""

from __future__ import annotations

import sys
from typing import Any

import joblib
from kserve import Model, ModelServer
from kserve.utils.utils import get_predict_input, get_predict_response


class House(Model):
    """Predicts from a table that KServe rebuilds from tensors."""

    def __init__(self, path: str) -> None:
        super().__init__("house")
        self._model = joblib.load(path)
        self.ready = True

    def predict(self, payload: Any, *_headers: Any, **_options: Any) -> Any:
        # A null in a text comes as None, which scikit-learn does not take for NaN.
        table = get_predict_input(payload)[self._model.feature_names_in_]
        prices = self._model.predict(table.where(table.notna(), float("nan")))
        return get_predict_response(payload, prices, self.name)


if __name__ == "__main__":
    ModelServer(http_port=int(sys.argv[2]), enable_grpc=False, workers=1).start(
        [House(sys.argv[1])]
    )
