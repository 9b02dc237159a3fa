"""Value the houses of a file with MLflow's client: ``python mlflow_rest.py HOST:PORT HOUSES``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.pyfunc.scoring_server.client import ScoringServerClient


def main(address: str, houses: list[dict[str, Any]]) -> None:
    host, port = address.split(":")
    client = ScoringServerClient(host, int(port))
    client.wait_server_ready()
    # The garden of the last house is unknown: the client sends NaN for it.
    table = pd.DataFrame([*houses, {**houses[0], "garden": float("nan")}])
    prices = client.invoke(table).get_predictions()[0]
    assert prices.notna().all()
    sys.stdout.write(f"{json.dumps(prices.tolist()[:-1])}\n")


if __name__ == "__main__":
    main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text("utf-8")))
